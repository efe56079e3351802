"""Tiles over a larger image: each is worked on by itself, and they are blended so that no seam is seen.

The tiles of an image lie on one lattice, whatever part of the image is worked on at a time; so the parts fit together
bit for bit. Where tiles overlap, each one counts by a cosine that falls to its edge.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rsmodels.errors import ModelError

Box = tuple[slice, slice]
"""Rows and columns."""
Flags = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Area:
    """A part of an image that is worked on, and what lies around it."""

    shape: tuple[int, int]
    """(y, x) of the whole image."""
    part: Box
    """What is worked on, in pixels of the image."""
    around: Box
    """What the arrays cover: all tiles that reach into the part."""
    values: NDArray[np.float32]
    """(C, y, x) as the network's scale has them; of what is not known any number."""
    known: Flags
    """(y, x) True where there is a pixel to learn from."""

    @property
    def inner(self) -> Box:
        """The part within the arrays."""
        return within(self.part, self.around)


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


@dataclass(eq=False)
class Blend:
    """Adds up the tiles of a part of an image."""

    tiling: Tiling
    part: Box
    """In pixels of the image."""
    channels: int
    total: NDArray[np.float32] = field(init=False)
    weight: NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        size = tuple(one.stop - one.start for one in self.part)
        self.total = np.zeros((self.channels, *size), np.float32)
        self.weight = np.zeros(size, np.float32)

    def add(self, box: Box, values: NDArray[np.float32], share: float = 1.0) -> None:
        """Put a tile (C, y, x) at `box` of the image to the others; `share` is what it counts besides."""
        height, width = values.shape[1:]
        weight = self.tiling.weight((height, width)) * np.float32(share)
        both = common(box, self.part)
        here, there = within(both, self.part), within(both, box)
        self.total[:, *here] += values[:, *there] * weight[there]
        self.weight[here] += weight[there]

    def result(self) -> tuple[NDArray[np.float32], Flags]:
        """(C, y, x) of the part, and (y, x) True where a tile reached it; to be asked for once."""
        reached = self.weight > 0
        return np.divide(self.total, self.weight, out=self.total, where=reached), reached


def make_tiling(size: int, overlap: int | None) -> Tiling:
    """Tiles of `size` pixels; without an overlap they share a quarter.

    Raises
    ------
    ModelError : ``overlap`` above half of a tile.
    """
    overlap = size // 4 if overlap is None else overlap
    if 2 * overlap > size:
        raise ModelError(
            "overlap",
            f"tiles of {size} pixels can share at most {size // 2} with a neighbour",
            value=overlap,
            remedy="give a smaller --overlap, or a larger --tile",
        )
    return Tiling(size=size, overlap=overlap)


def require_finite(tile: NDArray[np.float32], box: Box) -> None:
    """Raise ModelError ``not-finite`` where a network made numbers that are not finite."""
    if not np.isfinite(tile).all():
        raise ModelError(
            "not-finite",
            "the model made numbers that are not finite",
            value=f"rows {box[0].start} to {box[0].stop}, columns {box[1].start} to {box[1].stop}",
            remedy="take an earlier checkpoint of the run, or --precision fp32",
        )


def within(box: Box, outer: Box) -> Box:
    """`box` counted from the first pixel of `outer`."""
    (rows, columns), (top, left) = box, (outer[0].start, outer[1].start)
    return slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)


def common(one: Box, other: Box) -> Box:
    """What two boxes share; they must meet."""
    rows, columns = (slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(one, other, strict=True))
    return rows, columns
