"""A raster file and what hides it, window by window."""

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
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window

from rsmodels.data.normalise import Normaliser
from rsmodels.errors import ModelError
from rsmodels.filling.grids import Grid, Nesting, nesting
from rsmodels.filling.growing import grown
from rsmodels.filling.method import IMAGE, Method, Numbers, bands_of
from rsmodels.filling.settings import InpaintSettings
from rsmodels.filling.tiles import Area, Box, Flags, Tiling, within
from rsprep.corpus.files import band_names
from rsprep.corpus.pictures import PictureInfo, picture_size, read_mask, read_picture
from rsprep.reading.access import gdal_options

PICTURES = ("PNG", "JPEG")
"""Formats that can be decoded only as a whole; what comes out of them is PNG."""


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


@dataclass(frozen=True, kw_only=True)
class Mask:
    """What hides a raster."""

    path: Path
    codes: tuple[int, ...]
    """That hide; none: 1 or 255 does."""
    nest: Nesting
    windowed: bool
    shape: tuple[int, int]
    """(y, x) of the image."""
    grow: int = 0
    """Pixels of the image by which it is grown: clouds have rims."""

    def read(self, box: Box) -> Flags:
        """(y, x) True where a part of the image is hidden.

        Raises
        ------
        InputError : ``mask-bands``, ``mask-values``; ModelError ``mask-not-codes``.
        """
        rows, columns = (
            slice(max(side.start - self.grow, 0), min(side.stop + self.grow, length))
            for side, length in zip(box, self.shape, strict=True)
        )
        window = self.nest.window((rows, columns))
        codes = self._codes(window) if self.windowed else self._whole[window]
        hidden = np.asarray(self.nest.spread(codes, (rows, columns)), np.bool_)
        return np.ascontiguousarray(grown(hidden, self.grow)[within(box, (rows, columns))])

    @functools.cached_property
    def _whole(self) -> Flags:
        return self._codes(None)

    def _codes(self, window: Box | None) -> Flags:
        if not self.codes:
            return read_mask(self.path, window=window) > 0
        values = read_picture(self.path, window=window)
        if len(values) != 1 or values.dtype.kind not in "iu":
            raise ModelError(
                "mask-not-codes",
                "a mask of codes has one band of whole numbers",
                value=f"{self.path}: {len(values)} bands of {values.dtype}",
                remedy="give such a raster, or one of 0 and 1 without --mask-codes",
            )
        return np.isin(values[0], self.codes)


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """A raster that is to be filled: checked, and read window by window."""

    info: PictureInfo
    mask: Mask
    bands: tuple[int, ...]
    """Positions of those that are filled, in the order in which the filler takes them."""
    names: tuple[str, ...]
    """Of all bands that hold data."""
    normaliser: Normaliser
    fill_nodata: bool
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

    def empty(self, box: Box, values: NDArray[Any]) -> Flags:
        """(y, x) True where one of the bands that are filled (band, y, x) has no data."""
        empty = ~np.isfinite(values).all(axis=0)
        if self.info.nodata is not None:
            empty |= (values == self.info.nodata).any(axis=0)
        if self.own_mask:
            with opened(self.path, self.info.format) as file:
                empty |= file.read_masks(1, window=Window.from_slices(*box)) == 0
        return np.asarray(empty)

    def area(self, part: Box, tiling: Tiling) -> Area:
        """A part of the raster and what its tiles see around it."""
        spans = [tiling.span(length, side) for length, side in zip(self.shape, part, strict=True)]
        around = spans[0], spans[1]
        raw = np.ascontiguousarray(self.read(around)[list(self.bands)])
        hidden, empty = self.mask.read(around), self.empty(around, raw)
        values = np.empty(raw.shape, np.float32)
        known = np.empty((1, *raw.shape[1:]), np.bool_)
        clear = (~(hidden | empty)).astype(np.uint8)
        self.normaliser.encode_into(IMAGE, raw, clear, values, known)
        wanted = hidden if self.fill_nodata else hidden & ~empty
        return Area(shape=self.shape, part=part, around=around, values=values, known=known[0], wanted=wanted)

    def parts(self, side: int) -> Iterator[Box]:
        """Windows that cover the raster, row by row."""
        height, width = self.shape
        for row in range(0, height, side):
            for column in range(0, width, side):
                yield slice(row, min(row + side, height)), slice(column, min(column + side, width))


def open_scene(image: Path, mask: Path, method: Method, settings: InpaintSettings) -> Scene:
    """Look at a raster and its mask; no pixel is read yet.

    Raises
    ------
    InputError : the files cannot be read.
    ModelError : ``not-an-image`` for codes of a palette or single bits, ``mask-grid``, ``bands``, ``other-numbers``.
    """
    info, mask_info = picture_size(image), picture_size(mask)
    if info.mode in ("palette", "bits"):
        raise ModelError(
            "codes-not-an-image",
            "the raster holds codes, between which there is nothing to fill",
            value=f"{image}: {info.mode}",
            remedy="give an image of brightness, or convert it to red, green and blue",
        )
    names = band_names(info)
    bands = bands_of(method, names, settings.bands, str(image))
    grid, own_mask = _grid(info)
    mask_grid, _ = _grid(mask_info)
    nodata = info.nodata
    numbers = Numbers(
        bands=tuple(names[band] for band in bands), dtype=info.dtype, fill=nodata or 0.0, nodata=_finite(nodata)
    )
    return Scene(
        info=info,
        mask=Mask(
            path=mask,
            codes=settings.mask_codes,
            nest=nesting(grid, mask_grid),
            windowed=mask_info.windowed,
            shape=grid.shape,
            grow=settings.grow,
        ),
        bands=bands,
        names=names,
        normaliser=method.normaliser(numbers, settings.scale, settings.offset),
        fill_nodata=settings.fill_nodata,
        own_mask=own_mask,
    )


def _grid(info: PictureInfo) -> tuple[Grid, bool]:
    with opened(info.path, info.format) as file:
        placed = file.crs is not None or file.transform != Affine.identity()
        flags = file.mask_flag_enums[0]
        # A fourth band is often named alpha in a GeoTIFF and is none; a mask of its own is meant as one.
        own = MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags
        transform = file.transform if placed and info.format not in PICTURES else None
        grid = Grid(path=info.path, shape=(info.height, info.width), crs=file.crs, transform=transform)
    return grid, own


def _finite(nodata: float | None) -> float | None:
    return None if nodata is None or not np.isfinite(nodata) else nodata
