"""Sentinel-2 reflectance of the planted ground: spectra of materials, seasons, and light on slopes.

The spectra are round figures in the manner of surface reflectance seen by Sentinel-2, not measurements.
"""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from rsprep.sources.planted.typing import Scalar

BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")
RESOLUTION = {
    "B01": 60, "B02": 10, "B03": 10, "B04": 10, "B05": 20, "B06": 20,
    "B07": 20, "B08": 10, "B8A": 20, "B09": 60, "B11": 20, "B12": 20,
}  # fmt: skip
"""Pixel size of each band, metres."""
SPREAD = {10: 13.0, 20: 26.0, 60: 115.0}
"""Standard deviation of the point spread of a band of that resolution, metres."""

#     B01   B02   B03   B04   B05   B06   B07   B08   B8A   B09   B11   B12   (reflectance x 1e4)
_GREEN = np.array([
    [ 480,  430,  390,  270,  240,  190,  180,  160,  150,  140,  120,  110],   # water
    [ 210,  230,  370,  250,  600, 1500, 1850, 1980, 2080, 2100,  900,  420],   # conifer
    [ 260,  290,  560,  320,  900, 2700, 3400, 3550, 3700, 3750, 1650,  720],   # broadleaf
    [ 360,  420,  800,  520, 1250, 3100, 3800, 3950, 4100, 4150, 2150, 1100],   # meadow
    [ 520,  640, 1020,  980, 1500, 2300, 2600, 2750, 2900, 2950, 2700, 1800],   # dry grass
    [ 300,  340,  560,  430,  820, 1700, 2050, 2150, 2200, 2100, 1150,  560],   # reeds
    [ 330,  380,  760,  420, 1150, 3500, 4400, 4600, 4700, 4750, 1900,  900],   # winter crop
    [ 340,  390,  740,  430, 1100, 3300, 4200, 4400, 4550, 4600, 2000,  950],   # summer crop
    [ 420,  500,  980,  900, 1500, 2800, 3200, 3350, 3450, 3500, 2500, 1500],   # fallow
    [ 360,  420,  690,  620, 1050, 1950, 2250, 2380, 2500, 2550, 2150, 1300],   # shrub
    [1500, 1750, 2050, 2350, 2500, 2650, 2750, 2850, 2900, 2900, 3100, 2800],   # roof
    [ 780,  880, 1060, 1100, 1350, 1850, 2050, 2150, 2200, 2200, 2050, 1700],   # street and garden
    [1050, 1250, 1500, 1650, 1750, 1820, 1880, 1950, 2000, 2000, 2300, 2100],   # rock
    [1150, 1450, 1950, 2450, 2700, 2850, 2950, 3050, 3150, 3200, 3700, 3300],   # soil and sand
    [7600, 7700, 7600, 7500, 7400, 7200, 7000, 6900, 6700, 6000, 1000,  900],   # snow
], np.float64)  # fmt: skip
_RIPE = np.array([ 700,  880, 1300, 1750, 2100, 2450, 2650, 2800, 2950, 3000, 3600, 2700], np.float64)  # fmt: skip
_BARE = np.array([ 620,  760, 1020, 1300, 1550, 1700, 1800, 1920, 2050, 2100, 2850, 2400], np.float64)  # fmt: skip
_LEAFLESS = np.array([ 380,  450,  640,  700,  900, 1250, 1400, 1500, 1650, 1700, 2000, 1300], np.float64)  # fmt: skip
LOWEST, HIGHEST = 100.0, 8000.0
FULL_SEASON = math.sin(math.radians(25.0))
"""Sine of the latitude from which on the seasons are in full swing."""


def _wave(day: float, *knots: tuple[float, float]) -> float:
    """Value on `day` of a smooth yearly course through (day of year, value) `knots`."""
    days = [knots[-1][0] - 365.25, *(knot[0] for knot in knots), knots[0][0] + 365.25]
    values = [knots[-1][1], *(knot[1] for knot in knots), knots[0][1]]
    after = next(i for i, knot in enumerate(days) if day < knot)
    t = (day - days[after - 1]) / (days[after] - days[after - 1])
    return values[after - 1] + (values[after] - values[after - 1]) * (1 - math.cos(math.pi * t)) / 2


def _at(day: float) -> NDArray[np.float64]:
    """Spectra (materials, bands) on a day of the northern year."""
    spectra = _GREEN.copy()
    leaf = _wave(day, (80, 0.0), (135, 1.0), (265, 0.95), (320, 0.0))
    spectra[2] = leaf * _GREEN[2] + (1 - leaf) * _LEAFLESS
    lush = _wave(day, (60, 0.35), (140, 1.0), (215, 0.7), (280, 0.85), (350, 0.3))
    for material in (3, 5, 9):
        spectra[material] = lush * _GREEN[material] + (1 - lush) * _GREEN[4]
    winter = _wave(day, (45, 0.3), (130, 1.0), (165, 0.9), (200, 0.0), (300, 0.0))
    ripe = _wave(day, (150, 0.0), (192, 1.0), (215, 0.75), (250, 0.1))
    spectra[6] = winter * _GREEN[6] + (1 - winter) * (ripe * _RIPE + (1 - ripe) * _BARE)
    summer = _wave(day, (120, 0.0), (200, 1.0), (245, 0.9), (285, 0.0))
    spectra[7] = summer * _GREEN[7] + (1 - summer) * _BARE
    tilled = _wave(day, (90, 0.1), (150, 0.9), (230, 0.6), (300, 0.1))
    spectra[8] = tilled * _GREEN[8] + (1 - tilled) * _BARE
    return spectra


def spectra(moment: dt.datetime) -> NDArray[np.float64]:
    """Spectra on a date: (3, materials, bands) = yearly mean, northern and southern departure from it.

    The departure is to be scaled by the distance from the equator, so that the seasons turn there without a seam.
    """
    day = float(moment.timetuple().tm_yday)
    mean = np.mean([_at(d) for d in np.arange(0, 365, 15.0)], axis=0)
    return np.stack([mean, _at(day) - mean, _at((day + 182.6) % 365.25) - mean])


def sun(moment: dt.datetime) -> tuple[float, float, float]:
    """Where the sun stands on a day about half past ten local solar time, in numbers that hold at every latitude.

    `toward_sun` makes the direction at one latitude of them.
    """
    declination = math.radians(-23.44) * math.cos(2 * math.pi * (moment.timetuple().tm_yday + 10) / 365.25)
    hour = math.radians(-22.5)
    return (
        math.sin(declination),
        math.cos(declination) * math.cos(hour),
        -math.sin(hour) * math.cos(declination),
    )


@njit(cache=True, nogil=True)
def toward_sun(rays: tuple[float, float, float], sine: Scalar) -> tuple[Scalar, Scalar]:
    """Metres toward east and north by which a shadow's thrower 1 m high stands off, at a sine of the latitude.

    The sun is never taken as lower than 12 degrees.
    """
    cosine = math.sqrt(max(1 - sine * sine, 0.0))
    up = max(sine * rays[0] + cosine * rays[1], 0.21)
    return rays[2] / up, (cosine * rays[0] - sine * rays[1]) / up


@njit(cache=True, nogil=True)
def reflectance(
    layers: NDArray[np.float32],
    sines: NDArray[np.float32],
    tables: NDArray[np.float64],
    rays: tuple[float, float, float],
    out: NDArray[np.float32],
) -> None:
    """Fill `out` (bands, y, x) with reflectance x 1e4, within 100 and 8000.

    Parameters
    ----------
    layers : (materials + 3, y, x): shares, brightness, rise toward east, rise toward north.
    sines : (y, x), sine of the latitude.
    tables : (3, materials, bands), as `spectra` gives them; their departure is in full beyond 25 degrees.
    rays : as `sun` gives them.
    """
    materials = tables.shape[1]
    table = np.empty((materials, out.shape[0]))
    for row in range(out.shape[1]):
        last = 2.0
        for column in range(out.shape[2]):
            sine = sines[row, column]
            phase = min(max(sine / FULL_SEASON, -1.0), 1.0)
            if phase != last:
                last = phase
                side = 1 if phase >= 0 else 2
                for material in range(materials):
                    for band in range(out.shape[0]):
                        table[material, band] = tables[0, material, band] + abs(phase) * tables[side, material, band]
            rise_east, rise_north = layers[materials + 1, row, column], layers[materials + 2, row, column]
            upright = 1 / math.sqrt(1 + rise_east * rise_east + rise_north * rise_north)
            east, north = toward_sun(rays, sine)
            lit = max(upright * (1 - rise_east * east - rise_north * north), 0.0)
            light = layers[materials, row, column] * (0.30 + 0.70 * lit)
            for band in range(out.shape[0]):
                total = 0.0
                for material in range(materials):
                    total += layers[material, row, column] * table[material, band]
                out[band, row, column] = min(max(total * light, LOWEST), HIGHEST)
