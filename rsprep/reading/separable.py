"""Resampling between grids whose axes are parallel: rows and columns are found once, not per pixel.

The rules on validity and weights are those of `rsprep.reading.kernels`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsprep.reading.jit import compiled
from rsprep.reading.kernels import put


def positions(scale: float, offset: float, count: int) -> NDArray[np.float64]:
    """Source positions of `count` target pixel centres along one axis, rounded to a millionth of a pixel.

    A centre that meets the edge between two source pixels then falls to the same side all along.
    """
    return np.round((scale * (np.arange(count) + 0.5) + offset) * 1e6) / 1e6


def nearest_index(at: NDArray[np.float64], size: int) -> NDArray[np.int32]:
    """Index of the source pixel at each position, -1 outside."""
    index = np.floor(at).astype(np.int32)
    index[(index < 0) | (index >= size)] = -1
    return index


def linear_index(at: NDArray[np.float64], size: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """First of the two source pixels around each position and the weight of the second.

    Beyond the centre of an outermost pixel that pixel alone counts.
    """
    first = np.clip(np.floor(at - 0.5), 0, max(size - 2, 0))
    weight = np.clip(at - 0.5 - first, 0.0, 1.0 if size > 1 else 0.0)
    return first.astype(np.int32), weight.astype(np.float32)


@compiled
def nearest_separable(
    source: Any, invalid: Any, any_invalid: bool, rows: Any, columns: Any, out: Any, valid: Any
) -> None:
    """Copy source pixel (rows[r], columns[c]) to (r, c); an index of -1 lies outside."""
    for row in range(rows.size):
        y = rows[row]
        if y < 0:
            valid[row, :] = False
            continue
        for column in range(columns.size):
            x = columns[column]
            if x < 0:
                valid[row, column] = False
            else:
                out[row, column] = source[np.uint64(y), np.uint64(x)]
                if any_invalid and invalid[np.uint64(y), np.uint64(x)] != 0:
                    valid[row, column] = False


@compiled
def bilinear_separable(
    source: Any,
    invalid: Any,
    any_invalid: bool,
    near_rows: Any,
    near_columns: Any,
    rows: Any,
    row_weights: Any,
    columns: Any,
    column_weights: Any,
    out: Any,
    valid: Any,
    integer: bool,
    low: float,
    high: float,
) -> None:
    """Interpolate between two source rows, then between the columns of the result."""
    height, width = source.shape
    mixed = np.zeros(width + 1, np.float32)
    share = np.ones(width + 1, np.float32)
    plain = np.zeros(width + 1, np.float32)
    whole = np.zeros(width + 1, np.bool_)
    line = np.empty(columns.size, np.float32)
    dirty = np.zeros(height, np.bool_)
    if any_invalid:
        for y in range(height):
            bad = 0
            for x in range(width):
                bad += invalid[y, x]
            dirty[y] = bad > 0
    for row in range(rows.size):
        if near_rows[row] < 0:
            valid[row, :] = False
            continue
        y0 = rows[row]
        y1 = min(y0 + 1, height - 1)
        wy = row_weights[row]
        masked = dirty[y0] or dirty[y1]
        upper, lower = source[y0], source[y1]
        for x in range(width):
            a, b = np.float32(upper[x]), np.float32(lower[x])
            plain[x] = a + wy * (b - a)
        plain[width] = plain[width - 1]
        for column in range(columns.size):
            at = np.uint64(columns[column])
            a, b = plain[at], plain[at + np.uint64(1)]
            line[column] = a + column_weights[column] * (b - a)
        if masked:
            _mix_masked(source, invalid, y0, y1, wy, mixed, share, whole)
            for column in range(columns.size):
                x = near_columns[column]
                if x < 0 or invalid[near_rows[row], x] != 0:
                    line[column] = np.float32(0)
                    valid[row, column] = False
                    continue
                at = columns[column]
                # Where all four count, the line stands: a pixel must not depend on others in its row.
                if not (whole[at] and whole[at + 1]):
                    w = column_weights[column]
                    total = mixed[at] + w * (mixed[at + 1] - mixed[at])
                    line[column] = total / (share[at] + w * (share[at + 1] - share[at]))
        else:
            for column in range(columns.size):
                if near_columns[column] < 0:
                    valid[row, column] = False
        put(line, out[row], integer, low, high)


@compiled
def _mix_masked(
    source: Any, invalid: Any, y0: int, y1: int, wy: np.float32, mixed: Any, share: Any, whole: Any
) -> None:
    """Sums of weight times value and of weight over the valid ones of two rows, and where both are valid."""
    width = source.shape[1]
    for x in range(width):
        w0 = np.float32(0) if invalid[y0, x] != 0 else np.float32(1) - wy
        w1 = np.float32(0) if invalid[y1, x] != 0 else wy
        # An invalid value may be NaN, and NaN times zero is NaN: it is left out, not weighed by zero.
        a = np.float32(0) if invalid[y0, x] != 0 else np.float32(source[y0, x])
        b = np.float32(0) if invalid[y1, x] != 0 else np.float32(source[y1, x])
        mixed[x] = w0 * a + w1 * b
        share[x] = w0 + w1
        whole[x] = invalid[y0, x] == 0 and invalid[y1, x] == 0
    mixed[width], share[width], whole[width] = mixed[width - 1], share[width - 1], whole[width - 1]
