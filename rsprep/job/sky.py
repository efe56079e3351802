"""What tells clear sky from cloud in an optical granule: its scene classification, or a cloud score."""

from __future__ import annotations

from typing import Literal

from rsprep.config import Sentinel2
from rsprep.errors import ConfigError
from rsprep.sources.definition import Sentinel2Product

SkyBand = Literal["SCL", "score"]


def sky_band(product: Sentinel2Product, settings: Sentinel2) -> SkyBand | None:
    """The band by which clear sky is told; None where the source has neither and none is asked for.

    Raises
    ------
    ConfigError : ``no-sky`` where the source lacks the one that is asked for.
    """
    has: dict[str, SkyBand | None] = {
        "scl": None if product.scl is None else "SCL",
        "cloud-score": None if product.score is None else "score",
    }
    if settings.sky == "auto":
        return has["cloud-score"] or has["scl"]
    band = has[settings.sky]
    if band is None:
        raise ConfigError(
            "no-sky",
            f"the source has no {settings.sky} to tell clear sky by",
            value=f"sentinel2.sky: {settings.sky}",
            remedy="use sky: auto, or a source that has it",
        )
    return band


def sky_words(product: Sentinel2Product, settings: Sentinel2) -> str:
    """The same for people: what the store says of its mask of clear observations."""
    band = sky_band(product, settings)
    if band == "score" and product.score is not None:
        return f"{product.score.collection} {product.score.band} >= {settings.min_clear_score:g}"
    if band is None:
        return "nothing: every observation counts as clear"
    return "scene classification, snow not clear" if settings.mask_snow else "scene classification"
