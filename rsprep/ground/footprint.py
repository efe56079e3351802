"""Where a chip lies in longitude and latitude."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import shapely
from pyproj import Transformer

_POINTS_A_SIDE = 2
"""Points along a side: a side of a few kilometres bends by centimetres between them."""
_DECIMALS = 7


@lru_cache(maxsize=128)
def _to_lonlat(epsg: int) -> Transformer:
    return Transformer.from_crs(epsg, 4326, always_xy=True)


def chip_footprint(epsg: int, x_origin: float, y_origin: float, side: float) -> shapely.Geometry:
    """Outline of a chip in longitude and latitude; a MultiPolygon where it crosses the antimeridian.

    Parameters
    ----------
    x_origin, y_origin : outer edge of the upper-left pixel, metres in `epsg`.
    side : metres along the chip's side.
    """
    along = np.linspace(0, side, _POINTS_A_SIDE + 1)[:-1]
    # counter-clockwise from the upper left: down, right, up, left
    x = x_origin + np.concatenate([0 * along, along, side + 0 * along, side - along])
    y = y_origin - np.concatenate([along, side + 0 * along, side - along, 0 * along])
    lon, lat = _to_lonlat(epsg).transform(x, y)
    lon, lat = np.round(lon, _DECIMALS), np.round(lat, _DECIMALS)
    if np.ptp(lon) <= 180:
        return shapely.Polygon(np.stack([lon, lat], axis=-1))
    whole = shapely.Polygon(np.stack([np.where(lon < 0, lon + 360, lon), lat], axis=-1))
    east = shapely.intersection(whole, shapely.box(0, -90, 180, 90))
    west = shapely.intersection(whole, shapely.box(180, -90, 360, 90))
    west = shapely.transform(west, lambda points: points - [360, 0])
    return shapely.MultiPolygon([shapely.Polygon(part.exterior) for part in (east, west)])


def bbox_of(footprint: shapely.Geometry) -> tuple[float, float, float, float]:
    """West, south, east, north; west > east for a footprint that crosses the antimeridian (RFC 7946, 5.2)."""
    west, south, east, north = (float(value) for value in footprint.bounds)
    if footprint.geom_type == "MultiPolygon":
        parts = [part.bounds for part in footprint.geoms]
        west = min(bounds[0] for bounds in parts if bounds[0] >= 0)
        east = max(bounds[2] for bounds in parts if bounds[2] <= 0)
    return west, south, east, north
