"""One pass over a box: the granules of one acquisition laid on one another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsprep.granule import Granule
from rsprep.job.reader import Reader
from rsprep.reading.mosaic import Box, Mosaic


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What one granule shows of a box."""

    values: NDArray[Any]
    """Shape (bands, y, x)."""
    valid: NDArray[np.bool_]
    """Shape (y, x): where it was observed."""
    clear: NDArray[np.bool_] | None = None
    """Shape (y, x): where, if observed, the ground is seen; None where nothing can hide it."""


Observe = Callable[[Granule, Box], Observation | None]
"""Reads a granule on a box of the block; None where it has no pixel there, or could not be read."""


@dataclass(frozen=True, kw_only=True)
class Pass:
    """One pass over a box."""

    values: NDArray[Any]
    """Shape (bands, y, x), nodata where nothing was observed."""
    observed: NDArray[np.bool_]
    """Shape (y, x)."""
    clear: NDArray[np.bool_]
    """Shape (y, x): observed, and the ground is seen."""
    origins: tuple[tuple[Granule, NDArray[np.bool_]], ...]
    """Granule and the pixels (y, x) that it gave."""


@dataclass(frozen=True, kw_only=True)
class Blank:
    """What a pass is before the first granule."""

    bands: int
    dtype: str
    nodata: float


def lay(group: Sequence[Granule], box: Box, blank: Blank, reader: Reader, observe: Observe) -> Pass:
    """The granules of one pass on one another; the first that is valid at a pixel gives all of its bands.

    Granules overlap widely. Each is read only where those before it left a gap, in whole cells of the
    control grid, so that its pixels are those that a read of the whole box would give.
    """
    height, width = box[0].stop - box[0].start, box[1].stop - box[1].start
    mosaic = Mosaic((blank.bands, height, width), np.dtype(blank.dtype), blank.nodata)
    clear = np.zeros((height, width), np.bool_)
    origins: list[tuple[Granule, NDArray[np.bool_]]] = []
    for granule in group:
        gap = mosaic.gap()
        if gap is None:
            break
        part = reader.controls(box).cell_bounds(gap)
        seen = observe(granule, within(part, box))
        if seen is None:
            continue
        given = mosaic.take(seen.values, seen.valid, part)
        if given.any():
            clear[part] |= given[part] if seen.clear is None else given[part] & seen.clear
            origins.append((granule, given))
    return Pass(values=mosaic.values, observed=mosaic.valid, clear=clear, origins=tuple(origins))


def within(part: Box, box: Box) -> Box:
    """Rows and columns of the block, of a part that counts from the corner of `box`."""
    rows, columns = (slice(side.start + by.start, side.stop + by.start) for side, by in zip(part, box, strict=True))
    return rows, columns


def box_of(mask: NDArray[np.bool_], chip_px: int) -> Box | None:
    """Smallest box of whole chips around the True pixels; None where there are none."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None

    def whole(first: int, last: int) -> slice:
        return slice(first // chip_px * chip_px, (last // chip_px + 1) * chip_px)

    return whole(int(rows[0]), int(rows[-1])), whole(int(columns[0]), int(columns[-1]))
