"""A raster file, read window by window."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window

from rsmodels.errors import ModelError
from rsmodels.tiling.tiles import Box, Flags
from rsprep.corpus.pictures import PictureInfo, picture_size, read_picture
from rsprep.reading.access import gdal_options

PICTURES = ("PNG", "JPEG")
"""Formats that can be decoded only as a whole; what comes out of them is PNG."""
CACHE = 256 * 2**20
"""Bytes of blocks that GDAL is to hold; its own measure is a share of the machine's memory."""
_STRIP = 4 * 2**20
"""Pixels that are read at once to be thinned."""


@contextmanager
def opened(path: str | Path, kind: str) -> Iterator[Any]:
    """A raster file of one format, with GDAL's own words on errors as named ones."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            with rasterio.Env(**gdal_options()), rasterio.open(str(Path(path).absolute()), driver=kind) as file:
                yield file
        except RasterioError as error:
            raise ModelError(
                "unreadable-raster",
                f"the raster cannot be read: {error}",
                value=str(path),
                remedy="fetch or save the file again",
            ) from None


@dataclass(frozen=True, kw_only=True, eq=False)
class Raster:
    """An image file of any size."""

    info: PictureInfo
    own_mask: bool
    """True where the file says in a mask of its own which pixels have data."""

    @property
    def path(self) -> Path:
        return self.info.path

    @property
    def shape(self) -> tuple[int, int]:
        """(y, x)."""
        return self.info.height, self.info.width

    @functools.cached_property
    def _decoded(self) -> NDArray[Any]:
        return read_picture(self.path)

    def read(self, box: Box) -> NDArray[Any]:
        """(band, y, x) of all bands of the file, as it has them."""
        return read_picture(self.path, window=box) if self.info.windowed else self._decoded[:, *box]

    def forget(self) -> None:
        """Let go of a picture that was decoded: of a folder of many, one is held at a time."""
        vars(self).pop("_decoded", None)

    def empty(self, box: Box, values: NDArray[Any]) -> Flags:
        """(y, x) True where one of the bands that are filled (band, y, x) has no data."""
        empty = ~np.isfinite(values).all(axis=0)
        if self.info.nodata is not None:
            empty |= (values == self.info.nodata).any(axis=0)
        if self.own_mask:
            with opened(self.path, self.info.format) as file:
                empty |= file.read_masks(1, window=Window.from_slices(*box)) == 0
        return np.asarray(empty)

    def parts(self, side: int) -> Iterator[Box]:
        """Windows that cover the raster, row by row."""
        height, width = self.shape
        for row in range(0, height, side):
            for column in range(0, width, side):
                yield slice(row, min(row + side, height)), slice(column, min(column + side, width))

    @property
    def ending(self) -> str:
        """Of the file that comes out of it."""
        return ".png" if self.info.format in PICTURES else ".tif"


def image_info(path: Path) -> tuple[PictureInfo, bool]:
    """What a file says of itself, and whether it has a mask of its own; no pixel is read yet.

    Raises
    ------
    InputError : the file cannot be read; ModelError ``codes-not-an-image`` for codes of a palette or single bits.
    """
    info = picture_size(path)
    if info.mode in ("palette", "bits"):
        raise ModelError(
            "codes-not-an-image",
            "the raster holds codes, which are no measure of brightness",
            value=f"{path}: {info.mode}",
            remedy="give an image of brightness, or convert it to red, green and blue",
        )
    with opened(path, info.format) as file:
        flags = file.mask_flag_enums[0]
        # A fourth band is often named alpha in a GeoTIFF and is none; a mask of its own is meant as one.
        return info, MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags


def thinned(path: Path, kind: str, bands: tuple[int, ...], box: Box, step: int) -> NDArray[Any]:
    """(band, y, x) every so-many-th pixel of a part of a raster of any size, read in strips."""
    rows, columns = box
    lines = max(1, _STRIP // (columns.stop - columns.start) // step) * step
    with opened(path, kind) as file:
        numbers = [band + 1 for band in bands]
        strips = [
            # A copy: a view would keep the whole strip.
            file.read(numbers, window=Window.from_slices(slice(row, min(row + lines, rows.stop)), columns))[
                :, ::step, ::step
            ].copy()
            for row in range(rows.start, rows.stop, lines)
        ]
    return np.concatenate(strips, axis=1)
