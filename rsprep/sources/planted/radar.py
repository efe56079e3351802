"""Sentinel-1 backscatter of the planted ground: gamma nought, linear power."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from rsprep.sources.planted.noise import uniform

POLARISATIONS = ("VV", "VH")
LOOKS = 5
"""Looks averaged in a pixel: the speckle is gamma distributed with mean 1 and variance 1/5."""
LOOK_AZIMUTH = {"ascending": math.radians(79.0), "descending": math.radians(281.0)}
"""Direction in which the right-looking radar looks, clockwise from north."""
ORBITS = ("ascending", "descending")

# Backscatter of each material in dB, VV then VH, in the order of cover.MATERIALS.
_DECIBEL = np.array([
    [-19.0, -27.0], [-8.6, -14.6], [-8.0, -13.8], [-11.6, -18.2], [-12.8, -20.0], [-8.4, -16.5], [-10.4, -17.0],
    [-9.2, -15.2], [-11.2, -18.8], [-10.6, -16.8], [-2.5, -10.0], [-6.8, -13.6], [-9.4, -17.4], [-14.2, -22.5],
    [-12.5, -20.5],
])  # fmt: skip


def powers(moment: dt.datetime) -> NDArray[np.float64]:
    """Mean backscatter (materials, 2) on a date, linear power; crops change by up to 1 dB over the year."""
    phase = 2 * math.pi * moment.timetuple().tm_yday / 365.25
    decibel = _DECIBEL.copy()
    decibel[6] += math.cos(phase)
    decibel[7] -= math.cos(phase)
    return np.asarray(10 ** (decibel / 10))


@njit(cache=True, nogil=True)
def backscatter(
    layers: NDArray[np.float32], table: NDArray[np.float64], azimuth: float, out: NDArray[np.float32]
) -> None:
    """Fill `out` (2, y, x) with mean power; slopes that face the radar are brighter.

    Parameters
    ----------
    layers : (materials + 3, y, x): shares, brightness, rise toward east, rise toward north.
    table : (materials, 2), linear power.
    azimuth : direction of the look, radians clockwise from north.
    """
    materials = table.shape[0]
    east, north = math.sin(azimuth), math.cos(azimuth)
    for row in range(out.shape[1]):
        for column in range(out.shape[2]):
            rise = layers[materials + 1, row, column] * east + layers[materials + 2, row, column] * north
            facing = math.exp(1.5 * rise / math.sqrt(1 + rise * rise))
            for band in range(2):
                total = 0.0
                for material in range(materials):
                    total += layers[material, row, column] * table[material, band]
                out[band, row, column] = total * facing


@njit(cache=True, nogil=True)
def speckle(power: NDArray[np.float32], first_row: int, first_column: int, seed: int) -> None:
    """Multiply `power` (2, y, x) in place by speckle of unit mean.

    The speckle of a pixel follows from its row and column in the granule, the polarisation and `seed` alone.
    """
    for band in range(power.shape[0]):
        for row in range(power.shape[1]):
            for column in range(power.shape[2]):
                product = 1.0
                for look in range(LOOKS):
                    product *= 1 - uniform(first_row + row, first_column + column, 8 * band + look, seed)
                power[band, row, column] *= -math.log(product) / LOOKS
