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
