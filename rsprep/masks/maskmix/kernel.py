"""Mix a placed seed with its moved copies, tile by tile; work is spent only where the result is in doubt.

With binary copies the weighted sum of Eq. 7 takes one value for each set of copies that mask a pixel, so
threshold and weights become a table over sets. Weights are not negative: the table never falls when a set
grows. So a tile is decided as soon as the copies that mask all of it reach the threshold, or those that
mask any of it do not; whether a copy masks all or nothing of a tile is told by the seed's table of sums
over the tile's footprint. Only the copies of undecided tiles are sampled, 16 pixels of a row in one number,
and the sets that just reach the threshold are joined by AND and OR on those numbers.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from rsprep.masks.maskmix.seeds import CELL
from rsprep.masks.maskmix.warp import FRACTION, X_AT_0, X_BY_X, X_BY_Y, Y_AT_0, Y_BY_X, Y_BY_Y

TILE = 16
"""Pixels along the side of the tiles that are sampled; sides of the result are padded to multiples of it."""
_BLOCK = 64
"""Pixels along the side of the blocks that are looked at before their tiles."""
_SLACK = 1e-9
"""Weights that sum to the threshold but for rounding reach it."""
_CLEAR, _MASKED, _BOTH, _OVER_EDGE = range(4)
_ALL = np.uint64(0x0101010101010101)
_TOP = np.uint64(56)
_BYTES = np.array([sum((byte >> bit & 1) << 8 * bit for bit in range(8)) for byte in range(256)], np.uint64)
"""Eight pixels for each byte of eight bits."""


@numba.njit(cache=True, nogil=True)
def tabulate(weights: NDArray[np.float64], threshold: float, table: NDArray[np.uint8]) -> int:
    """Fill `table` (one entry a set of copies, copy j is bit j) with 0 or 1; returns the copies that matter at all."""
    copies = weights.size
    for chosen in range(1 << copies):
        total = 0.0
        for copy in range(copies):
            if chosen >> copy & 1:
                total += weights[copy]
        table[chosen] = total >= threshold - _SLACK
    matter = 0
    for copy in range(copies):
        for chosen in range(1 << copies):
            if table[chosen] != table[chosen | 1 << copy]:
                matter |= 1 << copy
    return matter


@numba.njit(cache=True, nogil=True)
def mix(pixels: Any, sums: Any, maps: Any, table: Any, matter: int, out: NDArray[np.uint8], room: Any) -> Any:
    """Write one mask; returns how many of its pixels are masked, padding included.

    Parameters
    ----------
    pixels, sums : a prepared seed.
    maps : from mask pixels to seed pixels, one row a copy.
    table, matter : from :func:`tabulate`.
    out : (y, x) with sides that are multiples of `TILE`, contiguous; every pixel is written.
    room : (copies + 1, at least `TILE`, and 2 to the power of copies) int64, to work in.
    """
    height, width = out.shape
    words = out.view(np.uint64)
    masked: Any = 0
    for top in range(0, height, _BLOCK):
        for left in range(0, width, _BLOCK):
            here, unknown, _ = _look(pixels, sums, maps, table, 0, matter, top, left, _BLOCK)
            bottom, right = min(top + _BLOCK, height), min(left + _BLOCK, width)
            if table[here] == table[here | unknown]:
                masked += _put(words, top, bottom, left, right, table[here])
                continue
            for y in range(top, bottom, TILE):
                for x in range(left, right, TILE):
                    full, open_, over = _look(pixels, sums, maps, table, here, unknown, y, x, TILE)
                    if table[full] == table[full | open_]:
                        masked += _put(words, y, y + TILE, x, x + TILE, table[full])
                    else:
                        _sample(pixels, maps, open_, over, y, x, room)
                        masked += _join(table, full, open_, words[y : y + TILE, x // 8 : x // 8 + 2], room)
    return masked


@numba.njit(cache=True, nogil=True)
def _look(
    pixels: Any, sums: Any, maps: Any, table: Any, full: int, unknown: int, top: int, left: int, side: int
) -> tuple[int, int, int]:
    """Which copies mask all of a tile, which may mask some of it, and which of these reach over the seed's frame."""
    some = over = 0
    for copy in range(maps.shape[0]):
        if unknown >> copy & 1:
            found = _footprint(pixels.shape[0] - 2, pixels.shape[1] - 2, sums, maps[copy], top, left, side - 1)
            if found == _MASKED:
                full |= 1 << copy
            elif found != _CLEAR:
                some |= 1 << copy
                if found == _OVER_EDGE:
                    over |= 1 << copy
    return full, some, over


@numba.njit(cache=True, nogil=True)
def _footprint(rows: int, columns: int, sums: Any, back: Any, top: int, left: int, last: int) -> Any:
    """What the seed holds within the upright rectangle that a tile reads from, or a little more."""
    x = back[X_AT_0] + left * back[X_BY_X] + top * back[X_BY_Y]
    y = back[Y_AT_0] + left * back[Y_BY_X] + top * back[Y_BY_Y]
    x_low = (x + last * (min(0, back[X_BY_X]) + min(0, back[X_BY_Y]))) >> FRACTION
    x_high = (x + last * (max(0, back[X_BY_X]) + max(0, back[X_BY_Y]))) >> FRACTION
    y_low = (y + last * (min(0, back[Y_BY_X]) + min(0, back[Y_BY_Y]))) >> FRACTION
    y_high = (y + last * (max(0, back[Y_BY_X]) + max(0, back[Y_BY_Y]))) >> FRACTION
    if x_high < 0 or y_high < 0 or x_low >= columns or y_low >= rows:
        return _CLEAR
    inside = x_low >= 0 and y_low >= 0 and x_high < columns and y_high < rows
    # Unsigned, as numba then does not look for negative indices.
    first_x, last_x = np.uint64(max(x_low, 0) // CELL), np.uint64(min(x_high, columns - 1) // CELL + 1)
    first_y, last_y = np.uint64(max(y_low, 0) // CELL), np.uint64(min(y_high, rows - 1) // CELL + 1)
    masked = sums[last_y, last_x] - sums[first_y, last_x] - sums[last_y, first_x] + sums[first_y, first_x]
    if masked == 0:
        return _CLEAR
    if not inside:
        return _OVER_EDGE
    return _MASKED if masked == np.int64((last_x - first_x) * (last_y - first_y)) * CELL * CELL else _BOTH


@numba.njit(cache=True, nogil=True)
def _put(words: NDArray[np.uint64], top: int, bottom: int, left: int, right: int, value: int) -> Any:
    word = _ALL if value else np.uint64(0)
    for y in range(top, bottom):
        for x in range(left // 8, right // 8):
            words[np.uint64(y), np.uint64(x)] = word
    return (bottom - top) * (right - left) * np.int64(value)


@numba.njit(cache=True, nogil=True)
def _sample(pixels: Any, maps: Any, copies: int, over: int, top: int, left: int, room: Any) -> None:
    """Row by row the pixels that each of `copies` masks, as bits: room[copy, row]."""
    for copy in range(maps.shape[0]):
        if not copies >> copy & 1:
            continue
        back, lines = maps[copy], room[copy]
        border = 1 << FRACTION
        x = border + back[X_AT_0] + left * back[X_BY_X] + top * back[X_BY_Y]
        y = border + back[Y_AT_0] + left * back[Y_BY_X] + top * back[Y_BY_Y]
        for row in range(TILE):
            if over >> copy & 1:
                lines[row] = _line_over_edge(pixels, x, y, back[X_BY_X], back[Y_BY_X])
            else:
                lines[row] = _line(pixels, x, y, back[X_BY_X], back[Y_BY_X])
            x += back[X_BY_Y]
            y += back[Y_BY_Y]


@numba.njit(cache=True, nogil=True)
def _line(pixels: NDArray[np.uint8], x: int, y: int, x_step: int, y_step: int) -> Any:
    """16 pixels from a position within the seed's frame on."""
    bits: Any = 0
    for i in range(TILE):
        bits |= np.int64(pixels[np.uint64(y >> FRACTION), np.uint64(x >> FRACTION)]) << i
        x += x_step
        y += y_step
    return bits


@numba.njit(cache=True, nogil=True)
def _line_over_edge(pixels: NDArray[np.uint8], x: int, y: int, x_step: int, y_step: int) -> Any:
    """16 pixels; what lies outside of the frame falls on its clear border."""
    bits: Any = 0
    last_row, last_column = pixels.shape[0] - 1, pixels.shape[1] - 1
    for i in range(TILE):
        row, column = min(max(y >> FRACTION, 0), last_row), min(max(x >> FRACTION, 0), last_column)
        bits |= np.int64(pixels[np.uint64(row), np.uint64(column)]) << i
        x += x_step
        y += y_step
    return bits


@numba.njit(cache=True, nogil=True)
def _join(table: Any, full: int, unknown: int, words: NDArray[np.uint64], room: Any) -> Any:
    """Pixels whose copies reach the threshold: they lie in all copies of one of the smallest sets that do."""
    sets, count = room[room.shape[0] - 1], 0
    chosen = unknown
    while chosen:
        if table[full | chosen] and _is_smallest(table, full, chosen):
            sets[count] = chosen
            count += 1
        chosen = (chosen - 1) & unknown
    masked: Any = 0
    for row in range(TILE):
        bits = 0
        for i in range(count):
            both = -1
            for copy in range(room.shape[0] - 1):
                if sets[i] >> copy & 1:
                    both &= room[copy, row]
            bits |= both
        low, high = _BYTES[bits & 255], _BYTES[bits >> 8 & 255]
        words[row, 0], words[row, 1] = low, high
        masked += np.int64((low + high) * _ALL >> _TOP)  # the product's top byte is the sum of all bytes
    return masked


@numba.njit(cache=True, nogil=True)
def _is_smallest(table: Any, full: int, chosen: int) -> bool:
    left = chosen
    while left:
        one = left & -left
        if table[full | (chosen & ~one)]:
            return False
        left &= left - 1
    return True
