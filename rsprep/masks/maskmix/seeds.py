"""Seed masks made ready for mixing: bordered pixels and a table that counts any rectangle at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from rsprep.errors import InputError

SHIFT = 2
CELL = 1 << SHIFT
"""Pixels along the side of a cell of the table of sums."""
MAX_SIDE = 16_384
"""Most pixels along the side of a seed."""
PIXELS_AT, SUMS_AT, ROWS, COLUMNS, MASKED = range(5)
"""Columns of `Seeds.about`: where the pixels and the sums begin, the frame's size, and how many pixels are masked."""


class Seeds(NamedTuple):
    """Seed masks of any sizes, end to end."""

    pixels: NDArray[np.uint8]
    """Each seed's rows with a border of one clear pixel all round."""
    sums: NDArray[np.int32]
    """Each seed's (rows of cells + 1, columns of cells + 1): masked pixels above and to the left of a cell's corner."""
    about: NDArray[np.int64]
    """(seed, 5)."""


def prepare(masks: Sequence[ArrayLike]) -> Seeds:
    """Make seed masks ready.

    Parameters
    ----------
    masks : (y, x) of bool, or of 0 and 1.

    Raises
    ------
    InputError : ``no-seed``, ``seed-shape``, ``seed-values``, ``seed-empty`` (all clear) or ``seed-full`` (all masked).
    """
    if not len(masks):
        raise InputError("no-seed", "there is no seed mask to mix", remedy="give at least one")
    checked = [_checked(np.asarray(mask), number) for number, mask in enumerate(masks)]
    about = np.zeros((len(checked), 5), np.int64)
    pixels_at = sums_at = 0
    for row, mask in zip(about, checked, strict=True):
        rows, columns = mask.shape
        row[:] = pixels_at, sums_at, rows, columns, np.count_nonzero(mask)
        pixels_at += (rows + 2) * (columns + 2)
        sums_at += (-(-rows // CELL) + 1) * (-(-columns // CELL) + 1)
    seeds = Seeds(np.zeros(pixels_at, np.uint8), np.zeros(sums_at, np.int32), about)
    for row, mask in zip(about, checked, strict=True):
        _fill(mask, pixels_of(seeds, row), sums_of(seeds, row))
    return seeds


def _checked(mask: NDArray[Any], number: int) -> NDArray[np.uint8]:
    if mask.ndim != 2 or not mask.size or max(mask.shape) > MAX_SIDE:
        raise InputError(
            "seed-shape",
            f"a seed mask is (y, x) with up to {MAX_SIDE:,} pixels a side",
            value=f"seed {number}: shape {mask.shape}",
            remedy="give one mask a seed, without a band or batch axis",
        )
    if mask.dtype != np.bool_ and (mask.dtype.kind not in "ui" or mask.min() < 0 or mask.max() > 1):
        raise InputError(
            "seed-values",
            "a seed mask is bool, or whole numbers of 0 and 1",
            value=f"seed {number}: {mask.dtype}, {mask.min()} to {mask.max()}",
            remedy="threshold it first, as in mask > 0",
        )
    binary = np.ascontiguousarray(mask, np.uint8)
    if not binary.any():
        raise InputError("seed-empty", "a seed masks no pixel", value=f"seed {number}", remedy="leave it out")
    if binary.all():
        raise InputError("seed-full", "a seed masks every pixel", value=f"seed {number}", remedy="leave it out")
    return binary


@numba.njit(cache=True, nogil=True)
def pixels_of(seeds: Any, row: NDArray[np.int64]) -> Any:
    """Bordered pixels of the seed that `row` of `about` tells of: (rows + 2, columns + 2)."""
    rows, columns = row[ROWS] + 2, row[COLUMNS] + 2
    return seeds.pixels[row[PIXELS_AT] : row[PIXELS_AT] + rows * columns].reshape((rows, columns))


@numba.njit(cache=True, nogil=True)
def sums_of(seeds: Any, row: NDArray[np.int64]) -> Any:
    """Table of sums of the seed that `row` of `about` tells of."""
    rows, columns = (row[ROWS] + CELL - 1) // CELL + 1, (row[COLUMNS] + CELL - 1) // CELL + 1
    return seeds.sums[row[SUMS_AT] : row[SUMS_AT] + rows * columns].reshape((rows, columns))


@numba.njit(cache=True, nogil=True)
def _fill(mask: NDArray[np.uint8], pixels: NDArray[np.uint8], sums: NDArray[np.int32]) -> None:
    for y in range(mask.shape[0]):
        for x in range(mask.shape[1]):
            if mask[y, x]:
                pixels[y + 1, x + 1] = 1
                sums[y // CELL + 1, x // CELL + 1] += 1
    for row in range(1, sums.shape[0]):
        run = 0
        for column in range(1, sums.shape[1]):
            run += sums[row, column]
            sums[row, column] = run + sums[row - 1, column]
