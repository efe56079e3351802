"""Footprints of items as geometries that can be compared: longitude and latitude, cut at the antimeridian."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
import shapely.affinity
from shapely.geometry import shape

from rsprep.errors import ItemError

WORLD = shapely.box(-180, -90, 180, 90)

_REPAIR = "correct the item's geometry, or name the item under skip in the source definition"


def read_footprint(item: dict[str, Any]) -> shapely.Geometry:
    """Footprint of an item: Polygon, or MultiPolygon where it crosses the antimeridian.

    Raises
    ------
    ItemError : ``no-geometry``, ``bad-geometry`` or ``not-lonlat``.
    """
    name, geometry = item.get("id"), item.get("geometry")
    if geometry is None:
        raise ItemError("no-geometry", f"item {name} has no footprint", remedy=_REPAIR)
    try:
        outline = shapely.force_2d(shape(geometry))
    except (
        TypeError,
        ValueError,
        KeyError,
        AttributeError,
        IndexError,
        OverflowError,
        shapely.errors.ShapelyError,
    ) as error:
        raise ItemError(
            "bad-geometry",
            f"the footprint of item {name} is not GeoJSON: {error}",
            value=str(geometry)[:100],
            remedy=_REPAIR,
        ) from None
    bounds = outline.bounds
    if outline.is_empty or not np.isfinite(bounds).all():
        raise ItemError(
            "bad-geometry", f"the footprint of item {name} is empty", value=str(geometry)[:100], remedy=_REPAIR
        )
    if bounds[0] < -360 or bounds[2] > 360 or bounds[1] < -90 or bounds[3] > 90:
        raise ItemError(
            "not-lonlat",
            f"the footprint of item {name} is not in degrees of longitude and latitude",
            value=bounds,
            remedy="STAC footprints are GeoJSON: EPSG:4326, longitude first",
        )
    footprint = cut_at_antimeridian(outline)
    if footprint.is_empty or footprint.area == 0:
        raise ItemError(
            "bad-geometry",
            f"the footprint of item {name} encloses no ground",
            value=str(geometry)[:100],
            remedy=_REPAIR,
        )
    return footprint


def cut_at_antimeridian(outline: shapely.Geometry) -> shapely.Geometry:
    """`outline` within [-180, 180], in two parts where it crosses the antimeridian.

    Providers write a crossing as two parts, as longitudes beyond 180, or (against GeoJSON) as one ring that
    jumps from 179 to -179 and so seems to span the globe the other way round.
    """
    parts = [shapely.make_valid(_unwrap(part)) for part in shapely.get_parts(outline)]
    pieces = [
        shapely.affinity.translate(shapely.intersection(part, shapely.affinity.translate(WORLD, xoff=turn)), xoff=-turn)
        for part in parts
        for turn in (-360.0, 0.0, 360.0)
        if part.intersects(shapely.affinity.translate(WORLD, xoff=turn))
    ]
    polygons = [piece for whole in pieces for piece in shapely.get_parts(whole) if piece.geom_type == "Polygon"]
    return shapely.union_all(polygons)


def _unwrap(part: shapely.Geometry) -> shapely.Geometry:
    west, south, east, north = part.bounds
    if east - west <= 180 or north - south >= 90:  # the latter: a true map of the globe
        return part
    return shapely.transform(
        part, lambda xy: np.column_stack([np.where(xy[:, 0] < 0, xy[:, 0] + 360, xy[:, 0]), xy[:, 1]])
    )
