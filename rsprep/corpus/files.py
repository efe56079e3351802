"""What the files of scenes say of themselves, and their pixels strip by strip."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning

from rsprep.corpus.pictures import PictureInfo, read_picture
from rsprep.reading.access import gdal_options

_RGB = ("red", "green", "blue")


def bands_of(info: PictureInfo) -> int:
    """Bands that hold data: the alpha channel of a PNG is none (in a GeoTIFF a fourth band is often named so)."""
    return info.bands - (info.format == "PNG" and info.mode in ("rgba", "grey-alpha"))


def is_coloured(mask: PictureInfo) -> bool:
    """True for a mask that is stored as colours, not as codes."""
    return bands_of(mask) == 3


def band_names(info: PictureInfo) -> tuple[str, ...]:
    """Names of the bands: those in the file, else red, green, blue where it is such a picture, else b1, b2, …"""
    numbered = tuple(f"b{index + 1}" for index in range(bands_of(info)))
    if info.format == "GTiff":
        told = _descriptions(info.path)
        if all(told) and len(set(told)) == len(told):
            return tuple("-".join(name.split()) for name in told)
    return _RGB if info.mode in ("rgb", "rgba") and len(numbered) == 3 else numbered


def _descriptions(path: Path) -> tuple[str, ...]:
    with rasterio.Env(**gdal_options()), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        # Without OVERVIEW_LEVEL: the view of a file that it makes has no names.
        with rasterio.open(str(path.absolute()), driver="GTiff") as file:
            return tuple(name or "" for name in file.descriptions)


def metres_per_pixel(info: PictureInfo) -> float | None:
    """Side of a pixel on a UTM grid; None where the picture does not lie on one, north up and with square pixels."""
    grid = info.transform
    if grid is None or info.epsg is None or info.epsg // 100 not in (326, 327) or not 1 <= info.epsg % 100 <= 60:
        return None
    straight = grid.b == 0 and grid.d == 0 and grid.a > 0 and abs(grid.a + grid.e) < 1e-6 * grid.a
    return float(grid.a) if straight else None


def grid_of(info: PictureInfo) -> tuple[int, Affine] | None:
    """EPSG code and transform of a picture on a UTM grid; None as for :func:`metres_per_pixel`."""
    if metres_per_pixel(info) is None or info.epsg is None or info.transform is None:
        return None
    return info.epsg, info.transform


def read_strips(info: PictureInfo, strips: Sequence[slice], *, colours: bool = False) -> Iterator[NDArray[Any]]:
    """Rows of a picture, strip by strip: (bands, y, x), without a PNG's alpha.

    A GeoTIFF is read in these parts; what can be decoded only as a whole is decoded once.

    Raises
    ------
    InputError : as :func:`rsprep.corpus.pictures.read_picture`.
    """
    count = 3 if colours and info.mode == "palette" else bands_of(info)
    whole = None if info.windowed else read_picture(info.path, colours=colours)
    for rows in strips:
        if whole is None:
            yield read_picture(info.path, window=(rows, slice(0, info.width)), colours=colours)[:count]
        else:
            yield whole[:count, rows]
