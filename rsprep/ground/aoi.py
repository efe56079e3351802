"""The area of interest: what the user asks for, in longitude and latitude."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Geod

from rsprep.errors import AoiError
from rsprep.ground.aoi_read import read_file
from rsprep.ground.aoi_rings import to_lonlat
from rsprep.ground.zones import NORTH_LIMIT, SOUTH_LIMIT

_GEOD = Geod(ellps="WGS84")
_GLOBE_KM2 = 510_065_621.7
_BBOX = re.compile(r"[^,/\\]*(,[^,/\\]*){2,}")
_BBOX_REMEDY = "write west,south,east,north in degrees, as 12.1,47.9,12.6,48.2"


@dataclass(frozen=True)
class Aoi:
    """An area on the ground.

    Validated when it is read (see :func:`read_aoi`); whoever builds one directly vouches for the geometry.
    """

    geometry: shapely.MultiPolygon
    """Valid polygons, longitude and latitude (WGS 84) in [-180, 180], split at the antimeridian."""
    source: str
    """What the user gave: a path or a bounding box."""

    @cached_property
    def area_km2(self) -> float:
        """Area on the ellipsoid. Edges are straight in longitude and latitude, as GeoJSON says."""
        dense = shapely.orient_polygons(shapely.segmentize(self.geometry, 0.05))
        areas = [_GEOD.geometry_area_perimeter(part)[0] / 1e6 for part in shapely.get_parts(dense)]
        # Of more than half the globe, what lies outside is measured, as a negative area.
        return float(sum(area + _GLOBE_KM2 if area < 0 else area for area in areas))

    @cached_property
    def centroid(self) -> tuple[float, float]:
        """(longitude, latitude) of the centre of mass; areas on both sides of 180° count as neighbours."""
        start = _first_longitude(self.geometry)

        def equal_area(points: NDArray[np.float64], turn: float) -> NDArray[np.float64]:
            return np.stack([points[:, 0] - start + turn, np.sin(np.radians(points[:, 1]))], axis=-1)

        # parts are turned as wholes: one that ends at 180 must not have that edge moved to -180
        turns = [0.0 if part.bounds[0] >= start else 360.0 for part in self.geometry.geoms]
        parts = [
            shapely.transform(part, lambda points, turn=turn: equal_area(points, turn))
            for part, turn in zip(self.geometry.geoms, turns, strict=True)
        ]
        centre = shapely.centroid(shapely.MultiPolygon(parts))
        lon = (centre.x + start + 180.0) % 360.0 - 180.0
        return lon, math.degrees(math.asin(centre.y))

    def describe(self) -> str:
        """One line that lets a reader notice a wrong area: size, centre and where it comes from."""
        lon, lat = self.centroid
        east, north = "E" if lon >= 0 else "W", "N" if lat >= 0 else "S"
        digits = 1 if self.area_km2 >= 10 else 4
        return f"{self.area_km2:,.{digits}f} km² around {abs(lat):.4f}°{north} {abs(lon):.4f}°{east} ({self.source})"


def read_aoi(text: str) -> Aoi:
    """Read an area of interest.

    Parameters
    ----------
    text : path of a GeoJSON file (Polygon, MultiPolygon, GeometryCollection, Feature, FeatureCollection;
        WGS 84 or the CRS that it declares), path of a GeoPackage (``file.gpkg`` or ``file.gpkg|layer``), or
        ``west,south,east,north`` in degrees, where west > east crosses 180°.

    Returns
    -------
    Aoi : holes kept, several polygons merged, split at the antimeridian.

    Raises
    ------
    AoiError : one name for each way in which the input cannot be used; nothing is repaired silently.

    Notes
    -----
    A ring with neighbours more than 180° of longitude apart is taken to cross the antimeridian, as is
    one that runs beyond ±180°.
    """
    text = text.strip()
    if _BBOX.fullmatch(text) and not text.endswith(("json", "gpkg")):
        # Short edges: one of more than 180° would be taken for a crossing of the antimeridian.
        geometry = to_lonlat([shapely.segmentize(shapely.box(*_bbox(text)), 90.0)], None)
    else:
        geometry = to_lonlat(*read_file(text))
    _, south, _, north = geometry.bounds
    if north > NORTH_LIMIT or south < SOUTH_LIMIT:
        raise AoiError(
            "polar",
            "the area reaches beyond the UTM zones, which end at 84°N and 80°S",
            value=f"latitudes {south:.3f} to {north:.3f}",
            remedy="cut the area at these latitudes",
        )
    return Aoi(geometry, text)


def _bbox(text: str) -> tuple[float, float, float, float]:
    """West, south, east, north with west < east."""
    try:
        values = [float(part) for part in text.split(",") if "_" not in part]  # 15_0 is how Python writes 150
    except ValueError:
        values = []
    if len(values) != 4:
        raise AoiError("bad-bbox", "a bounding box is four numbers", value=text, remedy=_BBOX_REMEDY)
    if not all(math.isfinite(value) for value in values):
        raise AoiError("non-finite", "a bounding box is four finite numbers", value=text, remedy=_BBOX_REMEDY)
    west, south, east, north = values
    if max(abs(south), abs(north)) > 90:
        swapped = max(abs(west), abs(east)) <= 90 and max(abs(south), abs(north)) <= 180
        raise AoiError(
            "swapped-axes" if swapped else "out-of-range",
            "a latitude is beyond 90°" + (": longitude and latitude look swapped" if swapped else ""),
            value=text,
            remedy=_BBOX_REMEDY,
        )
    if max(abs(west), abs(east)) > 360:
        raise AoiError("out-of-range", "a longitude is beyond 360°", value=text, remedy=_BBOX_REMEDY)
    if west > east:
        east += 360.0
    if west >= east or south >= north or east - west > 360:
        raise AoiError(
            "bbox-without-area", "the box has no area or its south is above its north", value=text, remedy=_BBOX_REMEDY
        )
    return west, south, east, north


def _first_longitude(geometry: shapely.MultiPolygon) -> float:
    """Western end of the area: the longitude after the widest gap between its parts around the globe."""
    spans = sorted((float(part.bounds[0]), float(part.bounds[2])) for part in geometry.geoms)
    start, reached, widest = spans[0][0], spans[0][1], spans[0][0] + 360.0 - max(east for _, east in spans)
    for west, east in spans[1:]:
        if west - reached > widest:
            widest, start = west - reached, west
        reached = max(reached, east)
    return start
