"""All operations on a copy of the seed as one map from mask pixels back to seed pixels, in whole numbers.

An operation acts about the centre of the mask, x to the right and y down. Composing them first is the
definition: what an early operation moves out of the mask, a later one may bring back. A source position
is counted in units of 2^-20 seed pixels and computed in whole numbers, so it is the same wherever in
the mask the work begins.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from rsprep.masks.maskmix.draw import ROTATE, SHEAR, TRANSLATE

FRACTION = 20
"""Bits of a source position behind the point."""
X_BY_X, X_BY_Y, X_AT_0, Y_BY_X, Y_BY_Y, Y_AT_0 = range(6)
"""Columns of the maps: how the source's x and y grow with the mask's, and where pixel (0, 0) of the mask reads."""


@numba.njit(cache=True, nogil=True)
def back_maps(drawn: Any, frame: Any, height: int, width: int, into: NDArray[np.int64]) -> None:
    """One row of `into` for each branch and a last one for the seed itself: from mask pixels to seed pixels.

    Parameters
    ----------
    drawn : what was drawn; operations of a branch act on the placed seed in their order.
    frame : rows and columns of the seed.
    height, width : of the mask.
    """
    branches = drawn.ops.shape[0]
    back = np.empty((2, 3))
    for branch in range(branches + 1):
        back[:] = 0.0
        back[0, 0] = back[1, 1] = 1.0
        _unplace(drawn.place, back)
        if branch < branches:
            for step in range(drawn.ops.shape[1]):
                _undo_before(drawn.ops[branch, step], drawn.values[branch, step], back)
        _to_pixels(back, frame, height, width, into[branch])


@numba.njit(cache=True, nogil=True)
def _unplace(place: NDArray[np.float64], back: NDArray[np.float64]) -> None:
    """Inverse of: resize, then rotate, then translate."""
    cos, sin = math.cos(place[1]) / place[0], math.sin(place[1]) / place[0]
    back[0, 0], back[0, 1], back[1, 0], back[1, 1] = cos, sin, -sin, cos
    _shift_before(back, -place[2], -place[3])


@numba.njit(cache=True, nogil=True)
def _undo_before(op: int, values: NDArray[np.float64], back: NDArray[np.float64]) -> None:
    """`back` after the inverse of an operation: back ∘ A⁻¹, since (A ∘ F)⁻¹ = F⁻¹ ∘ A⁻¹."""
    if op == TRANSLATE:
        _shift_before(back, -values[0], -values[1])
        return
    xx, xy, yx, yy = 1.0, 0.0, 0.0, 1.0
    if op == SHEAR:
        xx = yy = 1 / (1 - values[0] * values[1])
        xy, yx = -values[0] * xx, -values[1] * yy
    elif op == ROTATE:
        xx = yy = math.cos(values[0])
        xy, yx = math.sin(values[0]), -math.sin(values[0])
    else:
        xx = yy = math.exp(-values[0])
    for row in range(2):
        a, b = back[row, 0], back[row, 1]
        back[row, 0] = a * xx + b * yx
        back[row, 1] = a * xy + b * yy


@numba.njit(cache=True, nogil=True)
def _shift_before(back: NDArray[np.float64], dx: float, dy: float) -> None:
    for row in range(2):
        back[row, 2] += back[row, 0] * dx + back[row, 1] * dy


@numba.njit(cache=True, nogil=True)
def _to_pixels(back: NDArray[np.float64], frame: Any, height: int, width: int, into: NDArray[np.int64]) -> None:
    """From coordinates about the two centres to those of pixel (0, 0)'s centre, in whole numbers."""
    unit = float(1 << FRACTION)
    for row in range(2):
        centre = (frame[1] if row == 0 else frame[0]) / 2
        start = back[row, 0] * (0.5 - width / 2) + back[row, 1] * (0.5 - height / 2) + back[row, 2] + centre
        into[3 * row] = round(back[row, 0] * unit)
        into[3 * row + 1] = round(back[row, 1] * unit)
        into[3 * row + 2] = round(start * unit)
