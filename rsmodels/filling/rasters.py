"""A raster file and what hides it, window by window."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from affine import Affine

from rsmodels.data.normalise import Normaliser
from rsmodels.errors import ModelError
from rsmodels.filling.grids import Grid, Nesting, nesting
from rsmodels.filling.growing import grown
from rsmodels.filling.method import IMAGE, Method
from rsmodels.filling.settings import InpaintSettings
from rsmodels.filling.tiles import Hole
from rsmodels.tiling.numbers import bands_of, numbers_of
from rsmodels.tiling.rasters import PICTURES, Raster, image_info, opened
from rsmodels.tiling.tiles import Box, Flags, Tiling, within
from rsprep.corpus.files import band_names
from rsprep.corpus.pictures import PictureInfo, picture_size, read_mask, read_picture


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
class Scene(Raster):
    """A raster that is to be filled: checked, and read window by window."""

    mask: Mask
    bands: tuple[int, ...]
    """Positions of those that are filled, in the order in which the filler takes them."""
    names: tuple[str, ...]
    """Of all bands that hold data."""
    normaliser: Normaliser
    fill_nodata: bool

    def forget(self) -> None:
        super().forget()
        vars(self.mask).pop("_whole", None)

    def area(self, part: Box, tiling: Tiling) -> Hole:
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
        return Hole(shape=self.shape, part=part, around=around, values=values, known=known[0], wanted=wanted)


def open_scene(image: Path, mask: Path, method: Method, settings: InpaintSettings) -> Scene:
    """Look at a raster and its mask; no pixel is read yet.

    Raises
    ------
    InputError : the files cannot be read.
    ModelError : ``codes-not-an-image`` for codes of a palette or single bits, ``mask-grid``, ``bands``,
        ``other-numbers``.
    """
    (info, own_mask), mask_info = image_info(image), picture_size(mask)
    names = band_names(info)
    bands = bands_of(method.bands, names, settings.bands, str(image))
    numbers = numbers_of(info, tuple(names[band] for band in bands))
    return Scene(
        info=info,
        mask=Mask(
            path=mask,
            codes=settings.mask_codes,
            nest=nesting(_grid(info), _grid(mask_info)),
            windowed=mask_info.windowed,
            shape=(info.height, info.width),
            grow=settings.grow,
        ),
        bands=bands,
        names=names,
        normaliser=method.normaliser(numbers, settings.scale, settings.offset),
        fill_nodata=settings.fill_nodata,
        own_mask=own_mask,
    )


def _grid(info: PictureInfo) -> Grid:
    with opened(info.path, info.format) as file:
        placed = file.crs is not None or file.transform != Affine.identity()
        transform = file.transform if placed and info.format not in PICTURES else None
        return Grid(path=info.path, shape=(info.height, info.width), crs=file.crs, transform=transform)
