"""Resampling through a control grid: nearest, bilinear, cubic and area average.

Positions are in source pixels with 0 at the outer edge of the first pixel, so pixel k spans k to k+1
and has its centre at k + 0.5. Every kernel obeys the same rules:

- an output pixel is valid where the source pixel that contains its centre is inside and valid;
- invalid source pixels weigh nothing, and the remaining weights are scaled to sum to one;
- positions are computed in float64 once per cell and row, and in float32 relative to that start.

The target is walked in the cells of the control grid. A cell whose whole support is inside the
source and free of invalid pixels takes a loop without any test.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rsprep.reading.jit import compiled
from rsprep.reading.validity import BLOCK_PX

OUTSIDE, MIXED, CLEAN = 0, 1, 2


@compiled
def cell_state(
    i: int, j: int, node_x: Any, node_y: Any, height: int, width: int, reach: float, any_invalid: bool, blocks: Any
) -> int:
    """Whether the support of cell (i, j), widened by `reach` source pixels, is outside, mixed or clean."""
    x0 = min(node_x[i, j], node_x[i, j + 1], node_x[i + 1, j], node_x[i + 1, j + 1]) - reach
    x1 = max(node_x[i, j], node_x[i, j + 1], node_x[i + 1, j], node_x[i + 1, j + 1]) + reach
    y0 = min(node_y[i, j], node_y[i, j + 1], node_y[i + 1, j], node_y[i + 1, j + 1]) - reach
    y1 = max(node_y[i, j], node_y[i, j + 1], node_y[i + 1, j], node_y[i + 1, j + 1]) + reach
    if x1 < 0 or y1 < 0 or x0 > width or y0 > height:
        return OUTSIDE
    if x0 < 0 or y0 < 0 or x1 >= width or y1 >= height:
        return MIXED
    if any_invalid:
        for by in range(int(y0) // BLOCK_PX, int(y1) // BLOCK_PX + 1):
            for bx in range(int(x0) // BLOCK_PX, int(x1) // BLOCK_PX + 1):
                if blocks[by, bx]:
                    return MIXED
    return CLEAN


@compiled
def row_start(nodes: Any, i: int, j: int, t: float) -> Any:
    """Position at the start of a cell's row and at the start of the next cell; `t` runs from 0 to 1 down the cell."""
    left = nodes[i, j] + (nodes[i + 1, j] - nodes[i, j]) * t
    right = nodes[i, j + 1] + (nodes[i + 1, j + 1] - nodes[i, j + 1]) * t
    return left, right


@compiled
def usable(invalid: Any, any_invalid: bool, height: int, width: int, y: int, x: int) -> bool:
    """True where source pixel (y, x) exists and is valid."""
    if y < 0 or x < 0 or y >= height or x >= width:
        return False
    return not (any_invalid and invalid[y, x] != 0)


@compiled
def put(line: Any, out: Any, integer: bool, low: float, high: float) -> None:
    """Store the start of `line` in the row `out`; to integers half away from zero, clipped to low..high.

    Rows are handed over as slices: indexes that start at 0 are known not to be negative, and only
    then do these loops run in vector registers.
    """
    if not integer:
        for k in range(out.size):
            out[k] = line[k]
    elif low >= 0:
        for k in range(out.size):
            value = min(max(line[k], np.float32(low)), np.float32(high))
            out[k] = np.int32(value + np.float32(0.5))
    else:
        for k in range(out.size):
            value = min(max(line[k], np.float32(low)), np.float32(high))
            half = np.float32(0.5) if value >= 0 else np.float32(-0.5)
            out[k] = np.int32(value + half)


@compiled
def nearest(
    source: Any,
    invalid: Any,
    any_invalid: bool,
    blocks: Any,
    rows: Any,
    columns: Any,
    node_x: Any,
    node_y: Any,
    out: Any,
    valid: Any,
) -> None:
    """Copy the source pixel that contains each target centre; clear `valid` where there is none."""
    height, width = source.shape
    flat = source.reshape(-1)
    for i in range(rows.size - 1):
        for j in range(columns.size - 1):
            state = cell_state(i, j, node_x, node_y, height, width, 1.0, any_invalid, blocks)
            first, count = columns[j], columns[j + 1] - columns[j]
            for row in range(rows[i], rows[i + 1]):
                if state == OUTSIDE:
                    valid[row, first : first + count] = False
                    continue
                t = (row - rows[i]) / (rows[i + 1] - rows[i])
                x, x_end = row_start(node_x, i, j, t)
                y, y_end = row_start(node_y, i, j, t)
                dx, dy = (x_end - x) / count, (y_end - y) / count
                for k in range(count):
                    sx, sy = int(np.floor(x + dx * k)), int(np.floor(y + dy * k))
                    if state == CLEAN or usable(invalid, any_invalid, height, width, sy, sx):
                        out[row, first + k] = flat[np.uint64(sy * width + sx)]
                    else:
                        valid[row, first + k] = False


@compiled
def bilinear_at(
    source: Any, invalid: Any, any_invalid: bool, x0: int, y0: int, wx: np.float32, wy: np.float32
) -> np.float32:
    """Bilinear value between pixels (x0, y0) and (x0 + 1, y0 + 1) over the valid ones; 0 where none is."""
    height, width = source.shape
    total, weights = np.float32(0), np.float32(0)
    for down in range(2):
        for right in range(2):
            if usable(invalid, any_invalid, height, width, y0 + down, x0 + right):
                w = (wy if down else np.float32(1) - wy) * (wx if right else np.float32(1) - wx)
                total += w * np.float32(source[y0 + down, x0 + right])
                weights += w
    return total / weights if weights > 0 else np.float32(0)


@compiled
def between(a: np.float32, b: np.float32, c: np.float32, d: np.float32, wx: np.float32, wy: np.float32) -> np.float32:
    """Bilinear value from the upper (a, b) and lower (c, d) pair."""
    top, bottom = a + wx * (b - a), c + wx * (d - c)
    return top + wy * (bottom - top)


@compiled
def clean_row(flat: Any, start: int, width: int, index: Any, wx: Any, wy: Any, line: Any) -> None:
    """Bilinear values of a row of a clean cell; `index` counts pixels of the `flat` source from `start`."""
    for k in range(line.size):
        at = start + index[k]
        a, b = np.float32(flat[np.uint64(at)]), np.float32(flat[np.uint64(at + 1)])
        c, d = np.float32(flat[np.uint64(at + width)]), np.float32(flat[np.uint64(at + width + 1)])
        line[k] = between(a, b, c, d, wx[k], wy[k])


@compiled
def four_usable(invalid: Any, any_invalid: bool, height: int, width: int, y: int, x: int) -> bool:
    """True where (y, x) and its neighbours to the right and below all exist and are valid."""
    if y < 0 or x < 0 or y >= height - 1 or x >= width - 1:
        return False
    if not any_invalid:
        return True
    top, left = np.uint64(y), np.uint64(x)
    bottom, right = np.uint64(y + 1), np.uint64(x + 1)
    bad: bool = (invalid[top, left] | invalid[top, right] | invalid[bottom, left] | invalid[bottom, right]) != 0
    return not bad


@compiled
def mixed_row(
    source: Any,
    flat: Any,
    invalid: Any,
    any_invalid: bool,
    start: int,
    index: Any,
    wx: Any,
    wy: Any,
    columns: Any,
    count: int,
    line: Any,
) -> None:
    """Bilinear values of a row of a mixed cell, with the arithmetic of `clean_row` where all four are valid.

    A pixel must not depend on whether its cell is clean: that changes with the window that was read.
    `columns` are the source columns of the left neighbours. Pixels without a valid neighbour become 0.
    """
    height, width = source.shape
    for k in range(count):
        at, x = start + index[k], columns[k]
        y = (at - x) // width
        if four_usable(invalid, any_invalid, height, width, y, x):
            a, b = np.float32(flat[np.uint64(at)]), np.float32(flat[np.uint64(at + 1)])
            c, d = np.float32(flat[np.uint64(at + width)]), np.float32(flat[np.uint64(at + width + 1)])
            line[k] = between(a, b, c, d, wx[k], wy[k])
        else:
            line[k] = bilinear_at(source, invalid, any_invalid, x, y, wx[k], wy[k])


@compiled
def bilinear(
    source: Any,
    invalid: Any,
    any_invalid: bool,
    blocks: Any,
    rows: Any,
    columns: Any,
    node_x: Any,
    node_y: Any,
    out: Any,
    valid: Any,
    integer: bool,
    low: float,
    high: float,
) -> None:
    """Weigh the four nearest source pixels."""
    height, width = source.shape
    flat = source.reshape(-1)
    longest = np.max(columns[1:] - columns[:-1])
    line = np.empty(longest, np.float32)
    wx, wy = np.empty(longest, np.float32), np.empty(longest, np.float32)
    index, left = np.empty(longest, np.int32), np.empty(longest, np.int64)
    for i in range(rows.size - 1):
        for j in range(columns.size - 1):
            state = cell_state(i, j, node_x, node_y, height, width, 2.0, any_invalid, blocks)
            first, count = columns[j], columns[j + 1] - columns[j]
            for row in range(rows[i], rows[i + 1]):
                if state == OUTSIDE:
                    valid[row, first : first + count] = False
                    continue
                t = (row - rows[i]) / (rows[i + 1] - rows[i])
                x, x_end = row_start(node_x, i, j, t)
                y, y_end = row_start(node_y, i, j, t)
                dx, dy = (x_end - x) / count, (y_end - y) / count
                x0, y0 = int(np.floor(x - 0.5)), int(np.floor(y - 0.5))
                fx, fy = np.float32(x - 0.5 - x0), np.float32(y - 0.5 - y0)
                sx, sy = np.float32(dx), np.float32(dy)
                for k in range(count):
                    px, py = fx + sx * np.float32(k), fy + sy * np.float32(k)
                    kx, ky = np.floor(px), np.floor(py)
                    wx[k], wy[k] = px - kx, py - ky
                    index[k] = np.int32(ky) * np.int32(width) + np.int32(kx)
                if state == CLEAN:
                    clean_row(flat, y0 * width + x0, width, index, wx, wy, line[:count])
                else:
                    for k in range(count):
                        left[k] = x0 + int(np.floor(fx + sx * np.float32(k)))
                    mixed_row(source, flat, invalid, any_invalid, y0 * width + x0, index, wx, wy, left, count, line)
                    for k in range(count):
                        near_x, near_y = int(np.floor(x + dx * k)), int(np.floor(y + dy * k))
                        if not usable(invalid, any_invalid, height, width, near_y, near_x):
                            valid[row, first + k] = False
                put(line, out[row, first : first + count], integer, low, high)


@compiled
def cubic_weights(t: np.float32) -> Any:
    """Catmull-Rom weights (Keys 1981, a = -0.5) of the pixels at -1, 0, 1 and 2 for position t in 0..1."""
    half = np.float32(0.5)
    w0 = ((-half * t + np.float32(1)) * t - half) * t
    w1 = (np.float32(1.5) * t - np.float32(2.5)) * t * t + np.float32(1)
    w2 = ((np.float32(-1.5) * t + np.float32(2)) * t + half) * t
    w3 = (half * t - half) * t * t
    return w0, w1, w2, w3


@compiled
def cubic(
    source: Any,
    invalid: Any,
    any_invalid: bool,
    blocks: Any,
    rows: Any,
    columns: Any,
    node_x: Any,
    node_y: Any,
    out: Any,
    valid: Any,
    integer: bool,
    low: float,
    high: float,
) -> None:
    """Weigh the sixteen nearest source pixels; bilinear where one of them is missing or invalid."""
    height, width = source.shape
    line = np.empty(np.max(columns[1:] - columns[:-1]), np.float32)
    for i in range(rows.size - 1):
        for j in range(columns.size - 1):
            state = cell_state(i, j, node_x, node_y, height, width, 3.0, any_invalid, blocks)
            first, count = columns[j], columns[j + 1] - columns[j]
            for row in range(rows[i], rows[i + 1]):
                if state == OUTSIDE:
                    valid[row, first : first + count] = False
                    continue
                t = (row - rows[i]) / (rows[i + 1] - rows[i])
                x, x_end = row_start(node_x, i, j, t)
                y, y_end = row_start(node_y, i, j, t)
                dx, dy = (x_end - x) / count, (y_end - y) / count
                for k in range(count):
                    cx, cy = x + dx * k, y + dy * k
                    x0, y0 = int(np.floor(cx - 0.5)), int(np.floor(cy - 0.5))
                    whole = state == CLEAN
                    if not whole:
                        near_x, near_y = int(np.floor(cx)), int(np.floor(cy))
                        if not usable(invalid, any_invalid, height, width, near_y, near_x):
                            line[k] = np.float32(0)
                            valid[row, first + k] = False
                            continue
                        whole = True
                        for down in range(-1, 3):
                            for right in range(-1, 3):
                                if not usable(invalid, any_invalid, height, width, y0 + down, x0 + right):
                                    whole = False
                    if not whole:
                        wx, wy = np.float32(cx - 0.5 - x0), np.float32(cy - 0.5 - y0)
                        line[k] = bilinear_at(source, invalid, any_invalid, x0, y0, wx, wy)
                        continue
                    a, b, c, d = cubic_weights(np.float32(cx - 0.5 - x0))
                    v = cubic_weights(np.float32(cy - 0.5 - y0))
                    total = np.float32(0)
                    left = np.uint64(x0 - 1)
                    for down in range(4):
                        at = np.uint64(y0 - 1 + down)
                        total += v[down] * (
                            a * np.float32(source[at, left])
                            + b * np.float32(source[at, left + np.uint64(1)])
                            + c * np.float32(source[at, left + np.uint64(2)])
                            + d * np.float32(source[at, left + np.uint64(3)])
                        )
                    line[k] = total
                put(line, out[row, first : first + count], integer, low, high)


@compiled
def average(
    source: Any,
    invalid: Any,
    any_invalid: bool,
    blocks: Any,
    rows: Any,
    columns: Any,
    node_x: Any,
    node_y: Any,
    out: Any,
    valid: Any,
    integer: bool,
    low: float,
    high: float,
) -> None:
    """Weigh source pixels by the area they share with a box around the centre of the target pixel.

    The box has the side lengths of the target pixel as seen in the source, at least one source
    pixel each, and lies parallel to the source's axes: exact where the grids are parallel.
    """
    height, width = source.shape
    line = np.empty(np.max(columns[1:] - columns[:-1]), np.float32)
    for i in range(rows.size - 1):
        for j in range(columns.size - 1):
            first, count = columns[j], columns[j + 1] - columns[j]
            tall = rows[i + 1] - rows[i]
            box_x = np.hypot(node_x[i, j + 1] - node_x[i, j], (node_x[i + 1, j] - node_x[i, j]) * count / tall) / count
            box_y = np.hypot(node_y[i + 1, j] - node_y[i, j], (node_y[i, j + 1] - node_y[i, j]) * tall / count) / tall
            half_x, half_y = max(box_x, 1.0) / 2, max(box_y, 1.0) / 2
            for row in range(rows[i], rows[i + 1]):
                t = (row - rows[i]) / tall
                x, x_end = row_start(node_x, i, j, t)
                y, y_end = row_start(node_y, i, j, t)
                dx, dy = (x_end - x) / count, (y_end - y) / count
                for k in range(count):
                    cx, cy = x + dx * k, y + dy * k
                    near_x, near_y = int(np.floor(snapped(cx))), int(np.floor(snapped(cy)))
                    if usable(invalid, any_invalid, height, width, near_y, near_x):
                        line[k] = mean_over(source, invalid, any_invalid, cx, cy, half_x, half_y)
                    else:
                        line[k] = np.float32(0)
                        valid[row, first + k] = False
                put(line, out[row, first : first + count], integer, low, high)


@compiled
def snapped(position: float) -> float:
    """Position rounded to a millionth of a pixel, so that an edge met exactly is met on every machine."""
    rounded: float = np.round(position * 1e6) / 1e6
    return rounded


@compiled
def mean_over(
    source: Any, invalid: Any, any_invalid: bool, x: float, y: float, half_x: float, half_y: float
) -> np.float32:
    """Area-weighted mean of the valid pixels in the box of half sides (half_x, half_y) around (x, y)."""
    height, width = source.shape
    left, right = snapped(x - half_x), snapped(x + half_x)
    top, bottom = snapped(y - half_y), snapped(y + half_y)
    total, weights = 0.0, 0.0
    for row in range(max(0, int(np.floor(top))), min(height, int(np.ceil(bottom)))):
        wy = min(bottom, row + 1.0) - max(top, float(row))
        for column in range(max(0, int(np.floor(left))), min(width, int(np.ceil(right)))):
            if usable(invalid, any_invalid, height, width, row, column):
                w = wy * (min(right, column + 1.0) - max(left, float(column)))
                total += w * source[row, column]
                weights += w
    return np.float32(total / weights)
