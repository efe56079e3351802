"""Land cover: what grows or stands where, following relief, slope and moisture.

The ground is painted like layers of glass: grass first, then fields, wood, shrub, reeds, towns, rock,
snow and water, each with a smooth opacity. Shares therefore sum to 1 and change without a jump. They are
counted in materials (wheat, maize, roofs...) finer than the nine Dynamic World classes they belong to.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from rsprep.sources.planted.ground import RADIUS
from rsprep.sources.planted.noise import fractal, noise, smoothstep
from rsprep.sources.planted.parcels import district_at, parcel_at
from rsprep.sources.planted.typing import Scalar

CLASSES = (
    "water", "trees", "grass", "flooded vegetation", "crops", "shrub and scrub", "built", "bare", "snow and ice",
)  # fmt: skip
"""Dynamic World classes in the order of their codes 0 to 8."""
MATERIALS = (
    "water", "conifer", "broadleaf", "meadow", "dry grass", "reeds", "winter crop", "summer crop", "fallow",
    "shrub", "roof", "street and garden", "rock", "soil and sand", "snow",
)  # fmt: skip
CLASS_OF = np.array([0, 1, 1, 2, 2, 3, 4, 4, 4, 5, 6, 6, 7, 7, 8])
"""Dynamic World class of each material."""
LAYERS = len(MATERIALS) + 1
"""Layers of `cover`: the share of each material, then brightness relative to the material's mean."""
WATER, CONIFER, BROADLEAF, MEADOW, DRY, REEDS, WINTER, SUMMER, FALLOW, SHRUB, ROOF, STREET, ROCK, SOIL, SNOW = range(15)
BRIGHTNESS = len(MATERIALS)


@njit(cache=True, nogil=True)
def _paint(cell: NDArray[np.float32], material: Scalar, opacity: Scalar) -> None:
    if opacity <= 0:
        return
    for layer in range(15):
        cell[layer] *= 1 - opacity
    cell[material] += opacity


@njit(cache=True, nogil=True)
def cover(
    points: NDArray[np.float64],
    ground: NDArray[np.float32],
    slope: NDArray[np.float32],
    seed: Scalar,
    out: NDArray[np.float32],
) -> None:
    """Fill `out` (LAYERS, y, x).

    Parameters
    ----------
    points : (3, y, x), metres from the Earth's centre.
    ground : (4, y, x), as `relief` fills it.
    slope : (y, x), rise over run.
    """
    cell = np.empty(out.shape[0], np.float32)
    for row in range(out.shape[1]):
        for column in range(out.shape[2]):
            x, y, z = points[0, row, column], points[1, row, column], points[2, row, column]
            elevation, shore, channel = ground[0, row, column], ground[1, row, column], ground[2, row, column]
            steep = slope[row, column]
            cell[:] = 0.0
            cell[BRIGHTNESS] = 1.0
            sea = smoothstep(0.25, -0.25, shore)
            if sea < 1:
                _land(x, y, z, elevation, channel, steep, shore, seed, cell)
                _waterside(x, y, z, shore, channel, steep, seed, cell)
            _paint(cell, WATER, sea)
            cell[BRIGHTNESS] = 1 + (cell[BRIGHTNESS] - 1) * (1 - cell[WATER])
            for layer in range(out.shape[0]):
                out[layer, row, column] = cell[layer]


@njit(cache=True, nogil=True)
def _land(
    x: Scalar, y: Scalar, z: Scalar, elevation: Scalar, channel: Scalar, slope: Scalar, shore: Scalar, seed: Scalar,
    cell: NDArray[np.float32],
) -> None:  # fmt: skip
    """Everything but water and what lies beside it, from the bottom layer of glass to the top one."""
    # Trees stop and snow stays at a height that falls from the tropics to the poles.
    cosine = math.sqrt(x * x + y * y) / RADIUS
    treeline = 4200.0 * cosine * cosine - 260.0
    patch = fractal(x, y, z, 620.0, seed + 40, 3)
    fine = noise(x, y, z, 150.0, seed + 60) + 0.7 * noise(x, y, z, 75.0, seed + 61)
    moist = noise(x, y, z, 8300.0, seed + 41)
    high = smoothstep(treeline - 500, treeline - 100, elevation + 260 * patch)
    flat = smoothstep(0.17, 0.09, slope) * smoothstep(900.0, 500.0, elevation)
    name, u, v, border = district_at(x, y, z, seed + 50)
    # Fields differ from district to district: fade what they govern before the border, so that nothing jumps there.
    inside = smoothstep(4.0, 20.0, border)
    width, depth = 70.0 + 130.0 * ((name >> 12) & 255) / 255.0, 160.0 + 320.0 * ((name >> 20) & 255) / 255.0
    first, second, vigour, use = parcel_at(u, v, width, depth, name)
    cell[MEADOW] = 1 - high
    cell[DRY] = high
    ploughed = flat * inside * smoothstep(0.80, 0.74, use + 0.18 * moist)
    _plough(first, second, ploughed, cell)
    scrub = noise(x, y, z, 2600.0, seed + 42) + 0.45 * patch - 0.5 * moist
    _paint(cell, SHRUB, smoothstep(0.34, 0.44, scrub + 0.35 * high - 0.25 * flat) * (1 - ploughed))
    wood = fractal(x, y, z, 3300.0, seed + 43, 4) + 0.5 * moist + 0.9 * min(slope, 0.45) + 0.25 * inside * (use - 0.5)
    wooded = smoothstep(0.26, 0.34, wood) * (1 - high)
    needle = smoothstep(-0.25, 0.45, elevation / 900.0 - 0.5 + noise(x, y, z, 1500.0, seed + 44))
    _paint(cell, CONIFER, wooded * needle)
    _paint(cell, BROADLEAF, wooded * (1 - needle) / max(1 - wooded * needle, 1e-6))
    # Lanes run along the borders of districts.
    _paint(cell, STREET, 0.55 * smoothstep(9.0, 3.0, border) * flat * (1 - wooded))
    town = noise(x, y, z, 4700.0, seed + 45) + 0.55 * noise(x, y, z, 1500.0, seed + 46) + 0.16 * patch
    town += 0.10 * smoothstep(0.12, 0.03, channel)
    built = smoothstep(0.60, 0.68, town) * smoothstep(0.20, 0.12, slope) * smoothstep(1.0, 3.0, shore)
    _build(u, v, name, town, built, inside, cell)
    stone = slope + 0.16 * patch + 0.07 * fine + (elevation - treeline) / 2600.0
    _paint(cell, ROCK, smoothstep(0.62, 0.74, stone))
    gravel = noise(x, y, z, 380.0, seed + 47) + 0.6 * noise(x, y, z, 2900.0, seed + 48) - 0.25 * moist
    _paint(cell, SOIL, smoothstep(0.86, 0.94, gravel) * (1 - built) * (1 - 0.9 * wooded))
    cold = 45.0 * fine + elevation - treeline - 260.0 + 260.0 * patch - 600.0 * max(slope - 0.55, 0.0)
    _paint(cell, SNOW, smoothstep(-60.0, 60.0, cold))
    rough = 0.05 + 0.13 * wooded + 0.05 * built
    cell[BRIGHTNESS] = 1 + rough * fine + 0.06 * patch + ploughed * 0.34 * (vigour - 0.5)


@njit(cache=True, nogil=True)
def _plough(first: Scalar, second: Scalar, ploughed: Scalar, cell: NDArray[np.float32]) -> None:
    for layer in range(15):
        cell[layer] *= 1 - ploughed
    cell[WINTER] += ploughed * first
    cell[SUMMER] += ploughed * second
    cell[FALLOW] += ploughed * max(1 - first - second, 0.0)


@njit(cache=True, nogil=True)
def _build(
    u: Scalar, v: Scalar, name: Scalar, town: Scalar, built: Scalar, inside: Scalar, cell: NDArray[np.float32]
) -> None:
    """Streets, roofs by the block (denser toward the middle of a town), and some parks."""
    if built <= 0:
        return
    _, _, roof, park = parcel_at(u, v, 46.0, 62.0, name + 1)
    _paint(cell, STREET, built)
    _paint(cell, ROOF, inside * built * smoothstep(0.30, 0.75, roof + 0.9 * (town - 0.75)))
    _paint(cell, BROADLEAF, 0.45 * inside * built * smoothstep(0.72, 0.95, park))


@njit(cache=True, nogil=True)
def _waterside(
    x: Scalar, y: Scalar, z: Scalar, shore: Scalar, channel: Scalar, slope: Scalar, seed: Scalar,
    cell: NDArray[np.float32],
) -> None:  # fmt: skip
    """Reeds, beaches, rivers and lakes."""
    low = max(smoothstep(4.5, 2.5, shore), smoothstep(0.07, 0.045, channel) * smoothstep(0.10, 0.05, slope))
    if low > 0:
        wet = noise(x, y, z, 1900.0, seed + 70) + 0.35 * noise(x, y, z, 420.0, seed + 71)
        _paint(cell, REEDS, low * smoothstep(0.16, 0.26, wet))
    sand = noise(x, y, z, 2100.0, seed + 72) + 0.2 * noise(x, y, z, 300.0, seed + 73)
    _paint(cell, SOIL, smoothstep(1.3, 0.7, shore) * smoothstep(0.02, 0.14, sand))
    wide = 0.0065 + 0.003 * noise(x, y, z, 3000.0, seed + 74)
    _paint(cell, WATER, smoothstep(wide + 0.0016, wide - 0.0016, channel))
