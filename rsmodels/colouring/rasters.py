"""A raster that is to be coloured, window by window."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsmodels.colouring.painter import Painter, Scales
from rsmodels.colouring.settings import ColorizeSettings
from rsmodels.generators.colorization_settings import GREY
from rsmodels.tiling.numbers import numbers_of
from rsmodels.tiling.rasters import Raster, image_info
from rsmodels.tiling.tiles import Area, Box, Tiling
from rsprep.corpus.files import band_names, bands_of


@dataclass(frozen=True, kw_only=True, eq=False)
class Grey(Raster):
    """A raster that is to be coloured: checked, and read window by window."""

    bands: tuple[int, ...]
    """Position of the band that is coloured, or of red, green and blue whose lightness is."""
    names: tuple[str, ...]
    """Of all bands that hold data."""
    scales: Scales

    @property
    def alpha(self) -> int | None:
        """Position of a picture's alpha channel."""
        return self.info.bands - 1 if bands_of(self.info) < self.info.bands else None

    @property
    def fill(self) -> float:
        """What stands where there is nothing."""
        if self.info.nodata is not None:
            return self.info.nodata
        return float("nan") if np.dtype(self.info.dtype).kind == "f" else 0.0

    def area(self, part: Box, tiling: Tiling) -> Area:
        """A part of the raster and what its tiles see around it."""
        spans = [tiling.span(length, side) for length, side in zip(self.shape, part, strict=True)]
        around = spans[0], spans[1]
        raw = np.ascontiguousarray(self.read(around)[list(self.bands)])
        values = np.empty(raw.shape, np.float32)
        known = np.empty((1, *raw.shape[1:]), np.bool_)
        there = (~self.empty(around, raw)).astype(np.uint8)
        self.scales.seen.encode_into(GREY, raw, there, values, known)
        return Area(shape=self.shape, part=part, around=around, values=values, known=known[0])

    def channels(self, box: Box) -> NDArray[Any]:
        """(0 or 1, y, x): alpha, which stays as it is."""
        return self.read(box)[[] if self.alpha is None else [self.alpha]]


def open_grey(image: Path, painter: Painter, settings: ColorizeSettings) -> Grey:
    """Look at a raster; no pixel is read yet.

    Raises
    ------
    InputError : the file cannot be read.
    ModelError : ``codes-not-an-image`` for codes of a palette or single bits, ``bands``, ``other-numbers``.
    """
    info, own_mask = image_info(image)
    names = band_names(info)
    bands = painter.bands_of(names, settings.bands, str(image))
    numbers = numbers_of(info, tuple(names[band] for band in bands))
    scales = painter.scales(numbers, settings)
    return Grey(info=info, own_mask=own_mask, bands=bands, names=names, scales=scales)
