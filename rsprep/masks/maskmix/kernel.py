"""Mix a placed seed with its moved copies, tile by tile; work is spent only where the result is in doubt.

With binary copies the weighted sum of Eq. 7 takes one value for each set of copies that mask a pixel, so
threshold and weights become a table over sets. Weights are not negative: the table never falls when a set
grows. So a tile is decided as soon as the copies that mask all of it reach the threshold, or those that
mask any of it do not; whether a copy masks all or nothing of a tile is told by the seed's table of sums
over the tile's footprint. Only the copies of undecided tiles are sampled, a row of eight pixels to one
word of eight bytes, and the sets that just reach the threshold are joined by AND and OR on words.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from rsprep.masks.maskmix.seeds import SHIFT
from rsprep.masks.maskmix.warp import FRACTION, X_AT_0, X_BY_X, X_BY_Y, Y_AT_0, Y_BY_X, Y_BY_Y

TILE = 8
"""Pixels along the side of the tiles that are sampled, and bytes of a word; sides of the result are multiples of it."""
_BLOCK = 32
"""Pixels along the side of the blocks that are looked at before their tiles."""
_SLACK = 1e-9
"""Weights that sum to the threshold but for rounding reach it."""
_CLEAR, _MASKED, _BOTH, _OVER_EDGE = range(4)
_ALL = np.uint64(0x0101010101010101)
_TOP_BYTE = np.uint64(56)


@numba.njit(cache=True, nogil=True, error_model="numpy")
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


@numba.njit(cache=True, nogil=True, error_model="numpy")
def mix(pixels: Any, sums: Any, maps: Any, table: Any, matter: int, out: NDArray[np.uint8]) -> Any:
    """Write one mask; returns how many of its pixels are masked, padding included.

    Parameters
    ----------
    pixels, sums : a prepared seed.
    maps : from mask pixels to seed pixels, one row a copy.
    table, matter : from :func:`tabulate`.
    out : (y, x) with sides that are multiples of `TILE`, contiguous; every pixel is written.
    """
    height, width = out.shape
    words = out.view(np.uint64)
    of_block, of_tile = _reach(maps, _BLOCK), _reach(maps, TILE)
    lines = np.empty((maps.shape[0], TILE), np.uint64)
    masked: Any = 0
    for top in range(0, height, _BLOCK):
        for left in range(0, width, _BLOCK):
            here, unknown, _ = _look(pixels, sums, maps, of_block, 0, matter, top, left)
            bottom, right = min(top + _BLOCK, height), min(left + _BLOCK, width)
            if table[here] == table[here | unknown]:
                masked += _put(words, top, bottom, left, right, table[here])
                continue
            for y in range(top, bottom, TILE):
                for x in range(left, right, TILE):
                    full, open_, over = _look(pixels, sums, maps, of_tile, here, unknown, y, x)
                    if table[full] == table[full | open_]:
                        masked += _put(words, y, y + TILE, x, x + TILE, table[full])
                    else:
                        _sample(pixels, maps, open_, over, y, x, lines)
                        masked += _join(table, full, open_, words, y, x // TILE, lines)
    return masked


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _reach(maps: Any, side: int) -> NDArray[np.int64]:
    """How far a tile reads from where its first pixel does: least and largest x, then y, one row a copy."""
    reach = np.empty((maps.shape[0], 4), np.int64)
    for copy in range(maps.shape[0]):
        for axis in range(2):
            across, down = maps[copy, 3 * axis] * (side - 1), maps[copy, 3 * axis + 1] * (side - 1)
            reach[copy, 2 * axis] = min(0, across) + min(0, down)
            reach[copy, 2 * axis + 1] = max(0, across) + max(0, down)
    return reach


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _look(
    pixels: Any, sums: Any, maps: Any, reach: Any, full: int, unknown: int, top: int, left: int
) -> tuple[int, int, int]:
    """Which copies mask all of a tile, which may mask some of it, and which of these reach over the seed's frame."""
    some = over = 0
    for copy in range(maps.shape[0]):
        if unknown >> copy & 1:
            found = _footprint(pixels.shape[0] - 2, pixels.shape[1] - 2, sums, maps[copy], reach[copy], top, left)
            if found == _MASKED:
                full |= 1 << copy
            elif found != _CLEAR:
                some |= 1 << copy
                if found == _OVER_EDGE:
                    over |= 1 << copy
    return full, some, over


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _footprint(rows: int, columns: int, sums: Any, back: Any, reach: Any, top: int, left: int) -> int:
    """What the seed holds within the upright rectangle that a tile reads from, or a little more."""
    x = back[X_AT_0] + left * back[X_BY_X] + top * back[X_BY_Y]
    y = back[Y_AT_0] + left * back[Y_BY_X] + top * back[Y_BY_Y]
    x_low, x_high = (x + reach[0]) >> FRACTION, (x + reach[1]) >> FRACTION
    y_low, y_high = (y + reach[2]) >> FRACTION, (y + reach[3]) >> FRACTION
    if x_high < 0 or y_high < 0 or x_low >= columns or y_low >= rows:
        return _CLEAR
    inside = x_low >= 0 and y_low >= 0 and x_high < columns and y_high < rows
    # Unsigned, as numba then does not look for negative indices.
    first_x, last_x = np.uint64(max(x_low, 0) >> SHIFT), np.uint64((min(x_high, columns - 1) >> SHIFT) + 1)
    first_y, last_y = np.uint64(max(y_low, 0) >> SHIFT), np.uint64((min(y_high, rows - 1) >> SHIFT) + 1)
    masked = sums[last_y, last_x] - sums[first_y, last_x] - sums[last_y, first_x] + sums[first_y, first_x]
    if masked == 0:
        return _CLEAR
    if not inside:
        return _OVER_EDGE
    return _MASKED if masked == np.int64((last_x - first_x) * (last_y - first_y)) << 2 * SHIFT else _BOTH


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _put(words: NDArray[np.uint64], top: int, bottom: int, left: int, right: int, value: int) -> Any:
    word = _ALL if value else np.uint64(0)
    for y in range(top, bottom):
        for x in range(left // TILE, right // TILE):
            words[np.uint64(y), np.uint64(x)] = word
    return (bottom - top) * (right - left) * np.int64(value)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _sample(pixels: Any, maps: Any, copies: int, over: int, top: int, left: int, lines: Any) -> None:
    """What each of `copies` holds in a tile, a row of eight pixels a word: lines[copy, row]."""
    for copy in range(maps.shape[0]):
        if not copies >> copy & 1:
            continue
        back = maps[copy]
        x_across, x_down, y_across, y_down = back[X_BY_X], back[X_BY_Y], back[Y_BY_X], back[Y_BY_Y]
        x = (1 << FRACTION) + back[X_AT_0] + left * x_across + top * x_down  # the border is one pixel wide
        y = (1 << FRACTION) + back[Y_AT_0] + left * y_across + top * y_down
        for row in range(TILE):
            if over >> copy & 1:
                lines[np.uint64(copy), np.uint64(row)] = _line_over_edge(pixels, x, y, x_across, y_across)
            else:
                lines[np.uint64(copy), np.uint64(row)] = _line(pixels, x, y, x_across, y_across)
            x += x_down
            y += y_down


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _line(pixels: NDArray[np.uint8], x: int, y: int, x_step: int, y_step: int) -> Any:
    """Eight pixels from a position within the seed's frame on, a byte each, the first the lowest (little-endian)."""
    word = np.uint64(0)
    for i in range(TILE):
        word |= np.uint64(pixels[np.uint64(y >> FRACTION), np.uint64(x >> FRACTION)]) << np.uint64(8 * i)
        x += x_step
        y += y_step
    return word


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _line_over_edge(pixels: NDArray[np.uint8], x: int, y: int, x_step: int, y_step: int) -> Any:
    """Eight pixels; what lies outside of the frame falls on its clear border."""
    word = np.uint64(0)
    last_row, last_column = pixels.shape[0] - 1, pixels.shape[1] - 1
    for i in range(TILE):
        row, column = min(max(y >> FRACTION, 0), last_row), min(max(x >> FRACTION, 0), last_column)
        word |= np.uint64(pixels[np.uint64(row), np.uint64(column)]) << np.uint64(8 * i)
        x += x_step
        y += y_step
    return word


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _join(table: Any, full: int, unknown: int, words: NDArray[np.uint64], top: int, at: int, lines: Any) -> Any:
    """Write a tile: pixels are masked that lie in all copies of one of the smallest sets that reach the threshold."""
    for row in range(TILE):
        words[top + row, at] = 0
    chosen = unknown
    while chosen:
        if table[full | chosen] and _is_smallest(table, full, chosen):
            for row in range(TILE):
                word = _ALL
                for copy in range(lines.shape[0]):
                    if chosen >> copy & 1:
                        word &= lines[copy, row]
                words[top + row, at] |= word
        chosen = (chosen - 1) & unknown
    masked: Any = 0
    for row in range(TILE):
        masked += np.int64(words[top + row, at] * _ALL >> _TOP_BYTE)  # the sum of all eight bytes
    return masked


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _is_smallest(table: Any, full: int, chosen: int) -> bool:
    """True where no copy can be left out of `chosen`."""
    left = chosen
    while left:
        if table[full | (chosen & ~(left & -left))]:
            return False
        left &= left - 1
    return True
