"""Scenes in which clouds are known: where they lie, and their masks of 0 clear, 1 thick cloud, 255 unknown."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from rsprep.corpus.clouds.settings import UNNAMED, CodeMap
from rsprep.corpus.pictures import read_picture
from rsprep.masks.detectors import DETECTORS, detect
from rsprep.masks.shapes import UNKNOWN, Frame, view

_STRIP_PIXELS: Final = 2**24
"""Pixels read at a time."""
_MOST_CODES: Final = 16
_UNNAMED: Final = 254
"""Stands for codes that are not named, within this module."""


class Source(Protocol):
    """Where the mask of a scene comes from. Small, hashable, and it survives pickling."""

    @property
    def windowed(self) -> bool:
        """True where a part is read without reading the whole."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Files it reads; none for a data set."""

    def read(self, rows: slice, columns: slice) -> NDArray[np.uint8]:
        """Mask of a part that lies within the scene: (y, x) of 0 clear, 1 thick cloud, 255 unknown."""


class UnknownCodesError(Exception):
    """Codes of a raster that its map does not name; for the survey, which tells them for all scenes at once."""

    def __init__(self, codes: tuple[float, ...]) -> None:
        super().__init__(codes)
        self.codes = codes


@dataclass(frozen=True)
class ClassRaster:
    """A file of class codes."""

    path: Path
    codes: CodeMap
    declared: float | None
    """Nodata that the file declares."""
    windowed: bool

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.path,)

    def read(self, rows: slice, columns: slice) -> NDArray[np.uint8]:
        """As :meth:`Source.read`; raises UnknownCodesError, or InputError as :func:`read_picture`."""
        values = read_picture(self.path, window=(rows, columns))[0]
        if values.dtype != np.uint8:
            outside = (values < 0) | (values > 255)
            if outside.any():
                raise UnknownCodesError(tuple(np.unique(values[outside])[:_MOST_CODES].tolist()))
            values = values.astype(np.uint8)
        table = self.codes.table(self.declared)
        mask = np.take(np.where(table == UNNAMED, _UNNAMED, table).astype(np.uint8), values)
        strange = mask == _UNNAMED
        if strange.any():
            raise UnknownCodesError(tuple(np.unique(values[strange])[:_MOST_CODES].tolist()))
        return np.asarray(mask)


@dataclass(frozen=True)
class BandRaster:
    """A file of bands, in which a detector finds the clouds."""

    path: Path
    detector: str
    bands: tuple[int, ...]
    """Positions in the file, from 0, of the bands that the detector wants."""
    scale: float
    offset: float
    threshold: float
    declared: float | None
    tiled: bool

    @property
    def windowed(self) -> bool:
        return self.tiled and DETECTORS[self.detector].by_pixel

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.path,)

    def read(self, rows: slice, columns: slice) -> NDArray[np.uint8]:
        """As :meth:`Source.read`; raises InputError as :func:`read_picture` and :func:`detect`."""
        values = read_picture(self.path, window=(rows, columns))[list(self.bands)]
        # Sentinel-2 writes 0 for no data whether it says so or not.
        valid = (values != (0 if self.declared is None else self.declared)).all(axis=0)
        reflectance = values.astype(np.float32) * np.float32(self.scale) + np.float32(self.offset)
        return detect(self.detector, reflectance, threshold=self.threshold, valid=valid)


@dataclass(frozen=True, kw_only=True)
class CloudScene:
    """One scene. Rows and columns are those of its mask as it is used, which may be resampled."""

    name: str
    """Unique; letters, digits, dots, dashes and underscores."""
    source: Source
    source_shape: tuple[int, int]
    """Rows and columns of the source."""
    step: float = 1.0
    """Pixels of the source along one pixel of the mask."""
    metres: float | None = None
    """Side of a pixel of the source on the ground; None where that is not known."""
    epsg: int | None = None
    transform: Affine | None = None
    """From (column, row) of the source's outer pixel edges to metres."""
    moment: str = ""
    """When it was taken, ISO with a zone; empty where only the date is known, or nothing."""
    date: str = ""
    """Day, as 2018-04-06; empty where it is not known."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the mask."""
        rows, columns = (max(1, int(side / self.step)) for side in self.source_shape)
        return rows, columns

    @property
    def resolution(self) -> float | None:
        """Metres along a pixel's side of the mask."""
        return None if self.metres is None else self.metres * self.step

    def read(self) -> NDArray[np.uint8]:
        """The whole mask; raises what its source raises."""
        height, width = self.source_shape
        lines = height if not self.source.windowed else max(1, _STRIP_PIXELS // width)
        whole = np.empty((height, width), np.uint8)
        strange: list[float] = []
        for top in range(0, height, lines):
            rows = slice(top, min(height, top + lines))
            try:
                whole[rows] = self.source.read(rows, slice(0, width))
            except UnknownCodesError as error:
                strange += error.codes
        if strange:
            raise UnknownCodesError(tuple(sorted(set(strange))[:_MOST_CODES]))
        if self.step == 1:
            return whole
        return np.ascontiguousarray(
            whole[np.ix_(*(self._nearest(slice(0, side), axis) for axis, side in enumerate(self.shape)))]
        )

    def view(self, frame: Frame, margin: int) -> NDArray[np.uint8]:
        """What :func:`rsprep.masks.shapes.view` shows of the whole mask, read from the pixels around it alone."""
        if not self.source.windowed:
            return view(_whole(self), frame, margin)
        top, left, side = frame.row - margin, frame.column - margin, frame.side + 2 * margin
        rows = slice(max(0, top), min(self.shape[0], top + side))
        columns = slice(max(0, left), min(self.shape[1], left + side))
        y, x = self._nearest(rows, 0), self._nearest(columns, 1)
        part = self.source.read(slice(int(y[0]), int(y[-1]) + 1), slice(int(x[0]), int(x[-1]) + 1))
        out = np.full((side, side), UNKNOWN, np.uint8)
        here = slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)
        out[here] = part[np.ix_(y - y[0], x - x[0])]
        return out

    def in_source(self, row: int, column: int) -> tuple[int, int]:
        """Row and column in the source of the upper-left corner of a pixel of the mask."""
        return int(np.floor(row * self.step)), int(np.floor(column * self.step))

    def _nearest(self, part: slice, axis: int) -> NDArray[np.int64]:
        """Lines of the source that lie under the middles of the mask's lines."""
        lines = ((np.arange(part.start, part.stop) + 0.5) * self.step).astype(np.int64)
        return np.minimum(lines, self.source_shape[axis] - 1)


@lru_cache(maxsize=2)
def _whole(scene: CloudScene) -> NDArray[np.uint8]:
    return scene.read()
