"""Addresses of bands: ``ee://IMAGE#BAND``, as assets carry them."""

from __future__ import annotations

from rsprep.errors import RasterError

SCHEME = "ee://"


def make_href(image: str, band: str) -> str:
    """Address of one band of the image with this asset id."""
    return f"{SCHEME}{image}#{band}"


def split_href(href: str) -> tuple[str, str]:
    """Image and band of an address; RasterError ``not-earthengine`` for one of another kind."""
    image, mark, band = href.removeprefix(SCHEME).rpartition("#")
    if not href.startswith(SCHEME) or not mark or not image or not band:
        raise RasterError(
            "not-earthengine",
            "this is no band of an image on Earth Engine",
            value=href,
            remedy="granules are read by the source that found them; check the sources of the build",
        )
    return image, band
