"""Slope, aspect and hillshade of an elevation raster, in one pass over its rows.

Gradients are Horn's weighted differences over 3 × 3 pixels (Horn 1981, Proc. IEEE 69, 14–47), as in
``gdaldem``. The kernel is written so that the compiler can work on 16 pixels at once: one flat loop a
row over contiguous float32, selections in place of branches, polynomials in place of arctangents. It
needs no fast-math flag for that, so the tests for NaN stay and every machine computes the same bits.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numba
import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from rsprep.errors import RasterError

BANDS: Final = ("elevation", "slope", "aspect", "hillshade")
HALO: Final = 1
"""Pixels that the elevation must reach beyond the result on every side."""

# Every constant of the kernel is float32: one float64 would halve the number of pixels worked on at once.
# Odd minimax polynomial of the arctangent on 0..1, in degrees, found by linear programming; error 1.5e-5 degrees.
_A1, _A3, _A5, _A7, _A9, _A11, _A13 = (
    np.float32(a)
    for a in (57.29555693, -19.08944738, 11.34904273, -7.582116405, 4.562009927, -1.925282784, 0.3902511397)
)
_ZERO, _ONE, _TWO = np.float32(0), np.float32(1), np.float32(2)
_RIGHT, _STRAIGHT, _FULL = np.float32(90), np.float32(180), np.float32(360)
_LEVELS = np.float32(254)
_INF, _NAN = np.float32(np.inf), np.float32(np.nan)


def terrain(
    elevation: NDArray[np.float32],
    *,
    resolution: float | tuple[float, float],
    azimuth: float = 315.0,
    altitude: float = 45.0,
    z_factor: float = 1.0,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Elevation, slope, aspect and hillshade on a metric grid of square pixels.

    Parameters
    ----------
    elevation : (y + 2, x + 2) float32 metres, rows from north to south, nodata NaN. The outermost
        pixels are the halo: without it the edge pixels of every chip would be lost.
    resolution : metres along a pixel's side; or (x, y) as positive numbers, which must then be equal.
    azimuth, altitude : direction of the light, degrees clockwise from north and above the horizon.
    z_factor : multiplies heights before slope and hillshade.
    out : (4, y, x) float32 to write into; a new array otherwise.

    Returns
    -------
    (4, y, x) float32, nodata NaN, in the order of ``BANDS``:
        elevation in metres, as given;
        slope, degrees from the horizontal;
        aspect, the direction that faces downhill, degrees clockwise from north in [0, 360), NaN on
        flat ground (``gdaldem`` writes −9999 there);
        hillshade, 1 (unlit) to 255, not rounded; so 0 stays free for nodata, as ``gdaldem`` has it.
        A pixel with nodata among its eight neighbours has an elevation and nothing else.

    Raises
    ------
    RasterError
        For pixels that are not square: aspect would lean towards the short side.

    Notes
    -----
    Slope equals ``gdaldem slope`` within 0.01°, aspect within 0.1° where the slope exceeds 1°,
    hillshade within one level.
    """
    size = square_side(resolution)
    if elevation.dtype != np.float32 or elevation.ndim != 2 or min(elevation.shape) < 3:
        raise ValueError(f"elevation must be float32 (y + 2, x + 2), got {elevation.dtype} {elevation.shape}")
    shape = (len(BANDS), elevation.shape[0] - 2 * HALO, elevation.shape[1] - 2 * HALO)
    if out is None:
        out = np.empty(shape, np.float32)
    elif out.shape != shape or out.dtype != np.float32 or not out.flags.c_contiguous:
        raise ValueError(f"out must be a contiguous float32 array of shape {shape}")
    bearing, height = math.radians(azimuth), math.radians(altitude)
    _terrain(
        np.ascontiguousarray(elevation),
        np.float32(z_factor / (8 * size)),
        np.float32(math.cos(height) * math.sin(bearing)),
        np.float32(math.cos(height) * math.cos(bearing)),
        np.float32(math.sin(height)),
        out,
    )
    return out


def square_side(resolution: float | tuple[float, float]) -> float:
    """Side of a square pixel in metres; raises RasterError where pixels are not square."""
    x, y = (resolution, resolution) if isinstance(resolution, (int, float)) else resolution
    if not (x > 0 and y > 0 and abs(x - y) <= 1e-6 * x):
        raise RasterError(
            "not-square",
            "slope and aspect need square pixels",
            value=f"{x} × {y}",
            remedy="warp the elevation to a grid of square metric pixels first",
        )
    return float(x)


def metric_side(grid: GeoBox) -> float:
    """Side of the pixels of `grid` in metres, for `terrain`.

    Raises
    ------
    RasterError
        When the grid is in degrees (slopes would come out near 90°), turned, not running from north
        to south and west to east, or not of square pixels.
    """
    affine = grid.transform
    if grid.crs is None or any(unit != "metre" for unit in grid.crs.units):
        raise RasterError(
            "not-metric",
            "slope needs heights and distances in the same unit",
            value=str(grid.crs),
            remedy="warp the elevation to a projected grid in metres, then derive slope",
        )
    if affine.b != 0 or affine.d != 0 or affine.a <= 0 or affine.e >= 0:
        raise RasterError(
            "not-north-up",
            "rows must run from north to south and columns from west to east",
            value=tuple(affine)[:6],
            remedy="warp the elevation to a north-up grid, then derive aspect",
        )
    return square_side((affine.a, -affine.e))


def aspect_components(aspect: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Sine and cosine of an aspect, (2, …) float32: towards east and towards north.

    Use these wherever aspect is averaged, resampled or fed to a network: the mean of 1° and 359° is 0°
    and not 180°. Flat ground and nodata (NaN) become (0, 0), which adds no direction to a mean; keep
    the mask ``np.isfinite(aspect)`` where the two must be told apart from a direction.
    """
    radians = np.radians(aspect.astype(np.float32))
    known = np.isfinite(radians)
    return np.stack([np.where(known, np.sin(radians), 0), np.where(known, np.cos(radians), 0)]).astype(np.float32)


def aspect_from_components(components: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Aspect in degrees, [0, 360), from (2, …) means of sine and cosine; NaN where directions cancel out."""
    east, north = components.astype(np.float32)
    degrees = np.degrees(np.arctan2(east, north)) % np.float32(360)
    # The remainder of a tiny negative angle rounds to 360 itself.
    degrees = np.where(degrees >= 360, 0, degrees)
    return np.where(np.hypot(east, north) > 1e-6, degrees, np.nan).astype(np.float32)


@numba.njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _arctan(u: Any) -> Any:
    """Arctangent in degrees of u in 0..1."""
    s = u * u
    return u * (_A1 + s * (_A3 + s * (_A5 + s * (_A7 + s * (_A9 + s * (_A11 + s * _A13))))))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _terrain(z: NDArray[np.float32], scale: Any, light_e: Any, light_n: Any, light_up: Any, out: Any) -> None:
    for y in range(out.shape[1]):
        _row(z[y], z[y + 1], z[y + 2], scale, light_e, light_n, light_up, out[0, y], out[1, y], out[2, y], out[3, y])


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _row(
    north: Any, middle: Any, south: Any, scale: Any, light_e: Any, light_n: Any, light_up: Any,
    elevation: Any, slope: Any, aspect: Any, shade: Any,
) -> None:  # fmt: skip
    for x in range(elevation.size):
        nw, n, ne = north[x], north[x + 1], north[x + 2]
        w, z, e = middle[x], middle[x + 1], middle[x + 2]
        sw, s, se = south[x], south[x + 1], south[x + 2]
        # Fall towards east and north. Neighbours are subtracted before anything is added: the
        # difference of two near heights is exact in float32, a sum of four high ones is not.
        fall_e = ((nw - ne) + (sw - se) + _TWO * (w - e)) * scale
        fall_n = ((sw - nw) + (se - ne) + _TWO * (s - n)) * scale
        square = fall_e * fall_e + fall_n * fall_n
        tangent = np.sqrt(square)
        # Horn's weights skip the pixel itself, so its own nodata must be looked at; x - x is 0 for finite x only.
        known = (z - z == _ZERO) & (square < _INF)
        # arctan(t) = 90° - arctan(1 / t) keeps the polynomial within 0..1.
        steep = tangent > _ONE
        angle = _arctan((_ONE if steep else tangent) / (tangent if steep else _ONE))
        angle = _RIGHT - angle if steep else angle
        # Octant by octant: the angle off the north–south axis, then the quadrant. On flat ground 0 / 0 gives NaN.
        size_e, size_n = abs(fall_e), abs(fall_n)
        sideways = size_e > size_n
        bearing = _arctan((size_n if sideways else size_e) / (size_e if sideways else size_n))
        bearing = _RIGHT - bearing if sideways else bearing
        bearing = _STRAIGHT - bearing if fall_n < _ZERO else bearing
        bearing = _FULL - bearing if fall_e < _ZERO else bearing
        bearing = bearing if bearing < _FULL else bearing - _FULL
        # Cosine between the light and the surface normal (fall_e, fall_n, 1); what faces away is unlit.
        cosine = (light_up + fall_e * light_e + fall_n * light_n) / np.sqrt(_ONE + square)
        lit = _ONE + _LEVELS * (cosine if cosine > _ZERO else _ZERO)
        elevation[x] = z if z - z == _ZERO else _NAN
        slope[x] = angle if known else _NAN
        aspect[x] = bearing if known else _NAN
        shade[x] = lit if known else _NAN
