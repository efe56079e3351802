"""Polygons in any CRS to valid polygons in longitude and latitude, split at the antimeridian."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

from rsprep.errors import AoiError

_STEP_M = 500.0
"""Metres between points along the edges of projected polygons, which bend in longitude and latitude."""
_LONGEST = 1e8
"""Metres: no coordinate of a projected CRS is larger."""


def to_lonlat(polygons: Iterable[shapely.Polygon], crs: CRS | None) -> shapely.MultiPolygon:
    """Check polygons and bring them to longitude and latitude.

    Parameters
    ----------
    polygons : rings may run beyond ±180° or jump across it where coordinates are degrees.
    crs : None means longitude and latitude, WGS 84.

    Returns
    -------
    MultiPolygon : merged, valid, in [-180, 180], split at the antimeridian.

    Raises
    ------
    AoiError : ``undeclared-projected``, ``swapped-axes``, ``out-of-range``, ``polar`` (around a pole),
        ``too-wide``, ``self-crossing``, ``invalid-polygon`` or ``no-area``.
    """
    parts: list[shapely.Polygon] = []
    for polygon in polygons:
        if crs is None or crs.is_geographic:
            _check_degrees(polygon, declared=crs is not None)
            whole = _unwrap(polygon if crs is None else _transform(polygon, crs))
        else:
            _check_valid(polygon)
            step = _STEP_M / crs.axis_info[0].unit_conversion_factor
            _check_metres(polygon, crs)
            whole = _unwrap(_transform(shapely.segmentize(polygon, step), crs))
        _check_valid(whole)
        parts += _split(whole)
    merged = shapely.union_all(parts)
    return shapely.MultiPolygon([part for part in shapely.get_parts(merged) if part.geom_type == "Polygon"])


def _check_degrees(polygon: shapely.Polygon, *, declared: bool) -> None:
    points = shapely.get_coordinates(polygon)
    widest, highest = np.abs(points).max(axis=0)
    shown = "{:g}, {:g}".format(*points[np.argmax(np.abs(points[:, 1]) if highest > 90 else np.abs(points[:, 0]))])
    if widest <= 360 and highest <= 90:
        return
    if not declared and (widest > 360 or highest > 180):
        raise AoiError(
            "undeclared-projected",
            "the coordinates are no degrees, and the file declares no CRS",
            value=shown,
            remedy="write longitude and latitude, or declare the CRS (member 'crs', as GDAL writes it)",
        )
    if widest <= 90 and highest <= 180:
        raise AoiError(
            "swapped-axes",
            "a latitude is beyond 90°: longitude and latitude look swapped",
            value=shown,
            remedy="write positions as [longitude, latitude]",
        )
    raise AoiError(
        "out-of-range",
        "a longitude is beyond 360° or a latitude beyond 90°",
        value=shown,
        remedy="write positions as [longitude, latitude] in degrees",
    )


def _check_metres(polygon: shapely.Polygon, crs: CRS) -> None:
    """Refuse what densifying would turn into millions of points and then into nonsense."""
    points = shapely.get_coordinates(polygon) * crs.axis_info[0].unit_conversion_factor
    if np.abs(points).max() > _LONGEST:
        raise _outside(crs, points[np.argmax(np.abs(points).max(axis=1))])


def _outside(crs: CRS, point: NDArray[np.float64]) -> AoiError:
    return AoiError(
        "out-of-range",
        f"the coordinates lie outside what {crs.name} can describe",
        value="{:g}, {:g}".format(*point),
        remedy="check the CRS that the file declares",
    )


def _transform(polygon: shapely.Polygon, crs: CRS) -> shapely.Polygon:
    """To longitude and latitude on WGS 84; x before y whatever the CRS's own axis order, as GeoJSON writes."""
    transformer = Transformer.from_crs(crs, "OGC:CRS84", always_xy=True)

    def to_degrees(points: NDArray[np.float64]) -> NDArray[np.float64]:
        try:
            lon, lat = transformer.transform(points[:, 0], points[:, 1], errcheck=True)
        except ProjError:
            raise _outside(crs, points[0]) from None
        return np.stack([lon, lat], axis=-1)

    return shapely.transform(polygon, to_degrees)


def _unwrap(polygon: shapely.Polygon) -> shapely.Polygon:
    """Longitudes that run on where a ring crosses ±180°, the holes beside their shell."""
    shell = _unwrap_ring(shapely.get_coordinates(polygon.exterior))
    west, east = shell[:, 0].min(), shell[:, 0].max()
    holes = []
    for interior in polygon.interiors:
        hole = _unwrap_ring(shapely.get_coordinates(interior))
        # a hole may have been written on the other side of 180° than its shell
        turns = [turn for turn in (0.0, -360.0, 360.0) if west <= hole[0, 0] + turn <= east]
        holes.append(hole + np.array([turns[0] if turns else 0.0, 0.0]))
    return shapely.Polygon(shell, holes)


def _unwrap_ring(ring: NDArray[np.float64]) -> NDArray[np.float64]:
    steps = np.diff(ring[:, 0])
    if np.abs(steps).max() >= 360.0 - 1e-9:
        return ring  # an edge right around the globe, as in a box from -180 to 180: not a crossing
    turns = np.cumsum(np.where(steps > 180.0, -360.0, np.where(steps < -180.0, 360.0, 0.0)))
    if turns[-1] != 0:
        raise AoiError(
            "polar",
            "a ring runs around a pole, where UTM ends",
            value=f"longitudes {ring[:, 0].min():g} to {ring[:, 0].max():g}",
            remedy="cut the area at 84°N and 80°S and keep it clear of the poles",
        )
    unwrapped = ring.copy()
    unwrapped[1:, 0] += turns
    return unwrapped


def _check_valid(polygon: shapely.Polygon) -> None:
    if shapely.convex_hull(polygon).area == 0:
        raise AoiError("no-area", "a polygon encloses no area", value=polygon.wkt[:120], remedy="draw it again")
    reason = shapely.is_valid_reason(polygon)
    if reason != "Valid Geometry":
        crossing = "Self-intersection" in reason
        raise AoiError(
            "self-crossing" if crossing else "invalid-polygon",
            "a ring crosses or touches itself or another ring" if crossing else "a polygon is not valid",
            value=reason.replace("[", " near [").replace("Ring Self", "Self"),
            remedy="repair it where you drew it (QGIS: Fix geometries) and look at the result",
        )


def _split(polygon: shapely.Polygon) -> list[shapely.Polygon]:
    """The polygon cut at every odd multiple of 180° and each part turned back into [-180, 180]."""
    west, _, east, _ = polygon.bounds
    if east - west > 360.0 + 1e-9:
        raise AoiError(
            "too-wide", "a polygon is wider than the globe", value=f"{east - west:g}°", remedy="draw it again"
        )
    parts = []
    for turn in range(math.floor((west + 180) / 360), math.ceil((east + 180) / 360)):
        shift = 360.0 * turn
        piece = shapely.intersection(polygon, shapely.box(shift - 180, -90, shift + 180, 90))
        for part in shapely.get_parts(piece):
            if part.geom_type == "Polygon":
                parts.append(shapely.transform(part, lambda points, shift=shift: points - [shift, 0.0]))
    return parts
