"""Tiles over a larger image: each is filled by itself, and they are blended so that no seam is seen.

The tiles of an image lie on one lattice, whatever part of the image is filled at a time; so the parts fit together bit
for bit. Where tiles overlap, each one counts by a cosine that falls to its edge, and by how much of it was known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rsmodels.errors import ModelError

Filler = Callable[[Tensor, Tensor], Tensor]
"""Takes images (B, C, y, x) and a mask (B, 1, y, x) of 1 where hidden; returns the images (B, C, y, x), filled."""
Box = tuple[slice, slice]
"""Rows and columns."""
Flags = NDArray[np.bool_]
LEAST_WEIGHT = 0.1
"""Of a tile in which hardly a pixel is known, against one in which all are."""


@dataclass(frozen=True, kw_only=True)
class Tiling:
    """How large tiles are, and how far they overlap."""

    size: int
    """Pixels along a side; along a shorter image as many as that has."""
    overlap: int
    """Pixels that neighbours share at least; up to half of the size, so that the two ends of a tile do not meet."""

    def __post_init__(self) -> None:
        if not 0 <= 2 * self.overlap <= self.size:
            raise ValueError(f"tiles of {self.size} pixels cannot overlap by {self.overlap}")

    def starts(self, length: int, part: slice) -> list[int]:
        """First pixels of the tiles along one side of an image that reach into a part of it, ascending."""
        if length <= self.size:
            return [0]
        last = length - self.size
        every = [*range(0, last, self.size - self.overlap), last]
        return [start for start in every if start < part.stop and start + self.size > part.start]

    def span(self, length: int, part: slice) -> slice:
        """What the tiles that reach into a part of a side cover together."""
        starts = self.starts(length, part)
        return slice(starts[0], min(starts[-1] + self.size, length))

    def boxes(self, shape: tuple[int, int], part: Box) -> Iterator[Box]:
        """The tiles of an image (y, x) that reach into a part of it, row by row."""
        rows, columns = (self.starts(length, side) for length, side in zip(shape, part, strict=True))
        height, width = (min(self.size, length) for length in shape)
        for row in rows:
            for column in columns:
                yield slice(row, row + height), slice(column, column + width)

    def weight(self, shape: tuple[int, int]) -> NDArray[np.float32]:
        """(y, x) how much each pixel of a tile counts, above 0 and at most 1."""
        down, across = (self._ramp(length) for length in shape)
        return np.outer(down, across).astype(np.float32)

    def _ramp(self, length: int) -> NDArray[np.float64]:
        inward = np.minimum(np.arange(length), np.arange(length)[::-1]) + 0.5
        share = np.clip(inward / max(self.overlap, 0.5), 0.0, 1.0)
        return np.asarray(np.sin(share * np.pi / 2) ** 2)


@dataclass(frozen=True, kw_only=True, eq=False)
class Area:
    """A part of an image that is to be filled, and what lies around it."""

    shape: tuple[int, int]
    """(y, x) of the whole image."""
    part: Box
    """What is to be filled, in pixels of the image."""
    around: Box
    """What the arrays cover: all tiles that reach into the part."""
    values: NDArray[np.float32]
    """(C, y, x); of what is not known any number."""
    known: Flags
    """(y, x) True where there is a pixel to learn from: neither hidden nor without data."""
    wanted: Flags
    """(y, x) True where a pixel is to be filled."""

    @property
    def inner(self) -> Box:
        """The part within the arrays."""
        return within(self.part, self.around)


@dataclass(frozen=True, kw_only=True, eq=False)
class Filled:
    """What became of the part of an area."""

    values: NDArray[np.float32]
    """(C, y, x); meaningful where `done`."""
    done: Flags
    """(y, x) True where a pixel was filled. Wanted ones that no tile with a known pixel reaches are left."""


@dataclass(eq=False)
class _Canvas:
    """Adds up the tiles of an area."""

    area: Area
    tiling: Tiling
    total: NDArray[np.float32] = field(init=False)
    weight: NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        size = tuple(one.stop - one.start for one in self.area.part)
        self.total = np.zeros((len(self.area.values), *size), np.float32)
        self.weight = np.zeros(size, np.float32)

    def tiles(self) -> Iterator[Box]:
        """The tiles that have something to fill within the part and something known to fill it from."""
        area = self.area
        for box in self.tiling.boxes(area.shape, area.part):
            wanted = area.wanted[within(_common(box, area.part), area.around)]
            if wanted.any() and area.known[within(box, area.around)].any():
                yield box

    def add(self, box: Box, filled: NDArray[np.float32]) -> None:
        """Put a filled tile (C, y, x) to the others."""
        known = self.area.known[within(box, self.area.around)]
        weight = self.tiling.weight(known.shape) * np.float32(max(float(known.mean()), LEAST_WEIGHT))
        common = _common(box, self.area.part)
        here, there = within(common, self.area.part), within(common, box)
        self.total[:, *here] += filled[:, *there] * weight[there]
        self.weight[here] += weight[there]

    def result(self) -> Filled:
        reached = self.weight > 0
        values = np.divide(self.total, self.weight, out=self.total, where=reached)
        return Filled(values=values, done=reached & self.area.wanted[self.area.inner])


def fill_areas(
    areas: Sequence[Area],
    fill: Filler,
    tiling: Tiling,
    *,
    batch: int = 1,
    told: Callable[[int], None] = lambda count: None,
) -> list[Filled]:
    """Fill parts of images of one shape, tile by tile.

    Parameters
    ----------
    areas : with the same number of channels.
    batch : tiles that the filler is given at a time: always so many, some again where they run out, since the last
        digits of a network's numbers depend on how many it is given.
    told : is told how many tiles were filled.

    Raises
    ------
    ModelError : ``not-finite`` where the filler makes numbers that are not finite.
    """
    canvases = [_Canvas(area, tiling) for area in areas]
    waiting: list[tuple[_Canvas, Box]] = []
    for canvas in canvases:
        for box in canvas.tiles():
            waiting.append((canvas, box))
            if len(waiting) == batch:
                _fill(waiting, fill, batch)
                told(len(waiting))
                waiting = []
    if waiting:
        _fill(waiting, fill, batch)
        told(len(waiting))
    return [canvas.result() for canvas in canvases]


def within(box: Box, outer: Box) -> Box:
    """`box` counted from the first pixel of `outer`."""
    (rows, columns), (top, left) = box, (outer[0].start, outer[1].start)
    return slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)


def _common(one: Box, other: Box) -> Box:
    rows, columns = (slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(one, other, strict=True))
    return rows, columns


def _fill(tiles: Sequence[tuple[_Canvas, Box]], fill: Filler, batch: int) -> None:
    padded = [*tiles, *[tiles[-1]] * (batch - len(tiles))]
    cut = [(canvas.area, within(box, canvas.area.around)) for canvas, box in padded]
    known = np.stack([area.known[box] for area, box in cut])[:, None]
    images = np.stack([area.values[:, *box] for area, box in cut])
    images = np.where(known, images, np.float32(0))
    filled = fill(torch.from_numpy(images), torch.from_numpy((~known).astype(np.float32)))
    made = filled.detach().cpu().float().numpy()
    for (canvas, box), one in zip(tiles, made, strict=False):
        if not np.isfinite(one).all():
            raise ModelError(
                "not-finite",
                "the filler made numbers that are not finite",
                value=f"rows {box[0].start} to {box[0].stop}, columns {box[1].start} to {box[1].stop}",
                remedy="take an earlier checkpoint of the run, or --precision fp32",
            )
        canvas.add(box, one)
