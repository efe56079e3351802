"""Clouds of a date, their thin edges, and the shadows they throw."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from rsprep.sources.planted.ground import RADIUS
from rsprep.sources.planted.noise import fractal, noise, smoothstep
from rsprep.sources.planted.optics import toward_sun
from rsprep.sources.planted.typing import Scalar

CLEAR, SHADOW, MEDIUM, HIGH, CIRRUS = 0, 3, 8, 9, 10
"""Codes of the scene classification (SCL); 0 stands for clear sky here."""
BASE = 1300.0
"""Height of the clouds above the ground, metres."""
_GUARD = 0.06
"""Density below the visible edge that is still called cloud: covers more than a pixel of 20 m."""


@njit(cache=True, nogil=True)
def _density(x: Scalar, y: Scalar, z: Scalar, amount: Scalar, seed: Scalar) -> Scalar:
    wide = 1.1 * noise(x, y, z, 21000.0, seed + 7)
    return wide + 0.55 * fractal(x, y, z, 5200.0, seed, 5) + amount


@njit(cache=True, nogil=True)
def clouds(
    points: NDArray[np.float64],
    amount: float,
    rays: tuple[float, float, float],
    seed: int,
    opacity: NDArray[np.float32],
    shade: NDArray[np.float32],
    code: NDArray[np.uint8],
) -> None:
    """Fill three rasters (y, x) for one date.

    Parameters
    ----------
    points : (3, y, x), metres from the Earth's centre.
    amount : cloudiness: -1 is a clear sky, 0 half covered, 1 overcast, roughly.
    rays : where the sun stands, as `optics.sun` gives it.
    opacity : filled with the cloud's opacity, 0 to 1.
    shade : filled with the share of direct light that a cloud takes, 0 to 0.7.
    code : filled with SCL codes 0 (clear), 3, 8, 9 or 10; wherever it is 0, opacity and shade are 0.
    """
    for row in range(code.shape[0]):
        for column in range(code.shape[1]):
            x, y, z = points[0, row, column], points[1, row, column], points[2, row, column]
            density = _density(x, y, z, amount, seed)
            flat = math.sqrt(x * x + y * y) + 1e-9
            east, north = toward_sun(rays, z / RADIUS)
            east, north = BASE * east, BASE * north
            # Toward the sun: the cloud that stands there throws its shadow here.
            sx = x + (-y * east - z * x / RADIUS * north) / flat
            sy = y + (x * east - z * y / RADIUS * north) / flat
            sz = z + flat / RADIUS * north
            above = _density(sx, sy, sz, amount, seed)
            opacity[row, column] = 0.97 * smoothstep(_GUARD, 0.42, density)
            shade[row, column] = 0.7 * smoothstep(_GUARD, 0.42, above)
            if density > 0.30:
                code[row, column] = HIGH
            elif density > 0.17:
                code[row, column] = MEDIUM
            elif density > 0.0:
                code[row, column] = CIRRUS
            elif above > 0.0:
                code[row, column] = SHADOW
            else:
                code[row, column] = CLEAR


@njit(cache=True, nogil=True)
def veil(
    reflectance: NDArray[np.float32],
    opacity: NDArray[np.float32],
    shade: NDArray[np.float32],
    tint: NDArray[np.float32],
) -> None:
    """Put clouds and shadows over `reflectance` (bands, y, x) in place; `tint` is the cloud's reflectance by band."""
    for band in range(reflectance.shape[0]):
        for row in range(reflectance.shape[1]):
            for column in range(reflectance.shape[2]):
                below = reflectance[band, row, column] * (1 - shade[row, column])
                through = opacity[row, column]
                reflectance[band, row, column] = below + (tint[band] * (0.75 + 0.25 * through) - below) * through


CLOUD = np.array([6200, 6300, 6200, 6150, 6200, 6250, 6300, 6300, 6250, 5200, 4600, 3700], np.float32)
"""Reflectance x 1e4 of a thick cloud, in the order of optics.BANDS."""
