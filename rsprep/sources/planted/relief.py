"""Relief: a coast, flats, and mountains cut by nested valleys.

A valley is where a noise crosses zero. Smaller valleys only cut what the larger ones have left
standing (each octave is multiplied by the valley profile of the one before), so that side valleys
end on the floor of the main one, as drainage does.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from rsprep.sources.planted.noise import fractal, noise, smoothstep, soft_abs
from rsprep.sources.planted.typing import Scalar


@njit(cache=True, nogil=True)
def _valley(value: Scalar, floor: Scalar, steepness: Scalar) -> Scalar:
    """Profile across a valley whose axis is where `value` is 0: a rounded V that levels off at 1."""
    return 1 - math.exp(-steepness * soft_abs(value, floor))


@njit(cache=True, nogil=True)
def relief_at(x: Scalar, y: Scalar, z: Scalar, seed: Scalar) -> tuple[Scalar, Scalar, Scalar, Scalar]:
    """Relief at one point (metres from the Earth's centre).

    Returns
    -------
    elevation : metres, 0 exactly on the sea.
    shore : signed height above the sea before it was flattened, metres; negative on the sea.
    channel : 0 on the axis of a main valley, growing to about 1 beside it.
    highland : 0 on flats to 1 in mountains.
    """
    # The ground is bent before it is shaped: valleys meander and ridges lose the lattice's straightness.
    bend = 900.0
    bx = x + bend * noise(x, y, z, 5200.0, seed + 11)
    by = y + bend * noise(x, y, z, 5200.0, seed + 12)
    bz = z + bend * noise(x, y, z, 5200.0, seed + 13)
    continent = 0.22 + 0.9 * noise(x, y, z, 52000.0, seed + 1) + 0.45 * fractal(bx, by, bz, 19000.0, seed + 2, 3)
    shore = 260.0 * continent + 14.0 * fractal(bx, by, bz, 2300.0, seed + 5, 3)
    if shore <= 0:
        return 0.0, shore, 1.0, 0.0
    land = smoothstep(0.0, 130.0, shore)
    highland = land * smoothstep(-0.12, 0.62, noise(bx, by, bz, 30000.0, seed + 3) + 0.12 + 0.25 * continent)
    main = noise(bx, by, bz, 11000.0, seed + 20) + 0.035 * fractal(x, y, z, 1300.0, seed + 28, 2)
    v1 = _valley(main, 0.03, 3.0)
    v2 = _valley(noise(bx, by, bz, 4100.0, seed + 21), 0.04, 3.0)
    v3 = _valley(noise(bx, by, bz, 2000.0, seed + 22), 0.05, 2.6)
    v4 = _valley(noise(bx, by, bz, 1000.0, seed + 23), 0.07, 2.4)
    v5 = _valley(noise(bx, by, bz, 500.0, seed + 24), 0.10, 2.2)
    v6 = _valley(noise(bx, by, bz, 270.0, seed + 25), 0.15, 2.0)
    ridge = 1 - 1.6 * soft_abs(noise(bx, by, bz, 7000.0, seed + 26), 0.04)
    spurs = v2 * (0.30 + v3 * (0.30 + v4 * (0.24 + v5 * (0.13 + 0.05 * v6))))
    crest = v1 * (0.30 + 0.35 * ridge + spurs)
    hills = land * (1 - highland) * v1 * (25.0 + 90.0 * spurs)
    raised = shore + hills + highland * (60.0 + 2700.0 * highland * crest)
    # The last metres to the sea bend into it, so that the shore is no crease.
    elevation = raised * raised / (raised + 6.0)
    return elevation, raised, abs(main), highland


@njit(cache=True, nogil=True)
def relief(points: NDArray[np.float64], seed: Scalar, out: NDArray[np.float32]) -> None:
    """Fill `out` (4, y, x) with elevation, shore, channel and highland of `points` (3, y, x)."""
    for row in range(out.shape[1]):
        for column in range(out.shape[2]):
            values = relief_at(points[0, row, column], points[1, row, column], points[2, row, column], seed)
            for layer in range(4):
                out[layer, row, column] = values[layer]
