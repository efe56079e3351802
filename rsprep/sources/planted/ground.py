"""Where the pixels of a grid lie on the ground, in metres from the centre of a spherical Earth."""

from __future__ import annotations

import functools
import math

import numpy as np
from affine import Affine
from numba import njit
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from rsprep.sources.planted.typing import Scalar

RADIUS = 6_371_000.0
"""Radius of the sphere on which the landscape lies, metres."""
SPACING = 320.0
"""Largest distance of control points, metres: the chord's sag between two is 2 mm."""


def epsg_of(grid: GeoBox) -> int:
    """EPSG code of a grid's reference system; ValueError where it has none."""
    code = None if grid.crs is None else grid.crs.epsg
    if code is None:
        raise ValueError(f"the planted world needs grids with an EPSG code, got {grid.crs}")
    return int(code)


@functools.lru_cache(maxsize=256)
def _to_lonlat(crs: str) -> Transformer:
    return Transformer.from_crs(crs, "EPSG:4326", always_xy=True)


def lonlat(grid: GeoBox, columns: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Longitude and latitude (2, ...) in degrees of pixel positions; 0.5 is the centre of the first pixel."""
    a, b, c, d, e, f = tuple(grid.transform)[:6]
    x, y = a * columns + b * rows + c, d * columns + e * rows + f
    if grid.crs is not None and grid.crs.geographic:
        return np.stack([x, y])
    return np.stack(_to_lonlat(str(grid.crs)).transform(x, y))


def window(grid: GeoBox, where: tuple[slice, slice], factor: int = 1) -> GeoBox:
    """Rows and columns `where` of `grid` (both ends given, beyond the grid too), in pixels `factor` times as wide."""
    rows, columns = where
    a, b, c, d, e, f = tuple(grid.transform)[:6]
    corner_x, corner_y = a * columns.start + b * rows.start + c, d * columns.start + e * rows.start + f
    shape = (rows.stop - rows.start) // factor, (columns.stop - columns.start) // factor
    return GeoBox(shape, Affine(a * factor, b * factor, corner_x, d * factor, e * factor, corner_y), grid.crs)


def points(grid: GeoBox) -> NDArray[np.float64]:
    """Position in space (3, y, x) of every pixel centre, metres.

    Exact at control points at most 320 m apart and linear between them: within 1 cm everywhere.
    """
    rows, columns = (int(n) for n in grid.shape)
    metres = math.hypot(grid.transform.a, grid.transform.d)
    if grid.crs is not None and grid.crs.geographic:
        metres *= math.radians(1) * RADIUS
    step = max(1, min(64, int(SPACING / metres)))
    at_columns = np.arange(math.ceil((columns - 1) / step) + 2) * step + 0.5
    at_rows = np.arange(math.ceil((rows - 1) / step) + 2) * step + 0.5
    control_columns, control_rows = np.meshgrid(at_columns, at_rows)
    lon, lat = np.radians(lonlat(grid, control_columns, control_rows))
    control = RADIUS * np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    out = np.empty((3, rows, columns))
    _spread(control, step, out)
    return out


@njit(cache=True, nogil=True)
def _spread(control: NDArray[np.float64], step: Scalar, out: NDArray[np.float64]) -> None:
    for axis in range(3):
        for row in range(out.shape[1]):
            i = row // step
            f = (row - i * step) / step
            for column in range(out.shape[2]):
                j = column // step
                g = (column - j * step) / step
                top = control[axis, i, j] * (1 - g) + control[axis, i, j + 1] * g
                bottom = control[axis, i + 1, j] * (1 - g) + control[axis, i + 1, j + 1] * g
                out[axis, row, column] = top * (1 - f) + bottom * f


@njit(cache=True, nogil=True)
def gradient(points: NDArray[np.float64], height: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Rise toward east and toward north (2, y, x), dimensionless, by central differences.

    Derived from the pixels' positions in space, it does not depend on the projection of the grid.
    The outermost ring repeats its neighbour: ask for a grid with a margin.
    """
    rows, columns = height.shape
    for row in range(1, rows - 1):
        for column in range(1, columns - 1):
            x, y, z = points[0, row, column], points[1, row, column], points[2, row, column]
            flat = math.sqrt(x * x + y * y)
            ex, ey = -y / flat, x / flat
            r = math.sqrt(flat * flat + z * z)
            nx, ny, nz = -z * x / (flat * r), -z * y / (flat * r), flat / r
            cx = points[0, row, column + 1] - points[0, row, column - 1]
            cy = points[1, row, column + 1] - points[1, row, column - 1]
            cz = points[2, row, column + 1] - points[2, row, column - 1]
            rx = points[0, row + 1, column] - points[0, row - 1, column]
            ry = points[1, row + 1, column] - points[1, row - 1, column]
            rz = points[2, row + 1, column] - points[2, row - 1, column]
            a, b = cx * ex + cy * ey, cx * nx + cy * ny + cz * nz
            c, d = rx * ex + ry * ey, rx * nx + ry * ny + rz * nz
            along_columns = height[row, column + 1] - height[row, column - 1]
            along_rows = height[row + 1, column] - height[row - 1, column]
            determinant = a * d - b * c
            out[0, row, column] = (along_columns * d - along_rows * b) / determinant
            out[1, row, column] = (a * along_rows - c * along_columns) / determinant
    out[:, 0] = out[:, 1]
    out[:, -1] = out[:, -2]
    out[:, :, 0] = out[:, :, 1]
    out[:, :, -1] = out[:, :, -2]
