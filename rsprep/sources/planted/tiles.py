"""Where granules lie: squares on a UTM lattice, slices of a radar pass, tiles of degrees; and their footprints."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from shapely.affinity import translate

from rsprep.sources.planted.ground import lonlat

OVERLAP = 0.1
"""Share of a granule's side that it has in common with the next one."""
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_BANDS = "CDEFGHJKLMNPQRSTUVWX"


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One place of the granule lattice."""

    name: str
    """In the manner of MGRS: zone, latitude band, column and row letters (``33UTP``)."""
    grid: GeoBox
    """10 m pixels; the shape is a multiple of 6."""


def utm_parts(area: shapely.Geometry, reach_m: float) -> Iterator[tuple[int, shapely.Geometry]]:
    """EPSG code of every UTM zone that `area` touches, with the part of the area there in its metres.

    The part sticks out of the zone by `reach_m`, as granules of neighbouring zones overlap.
    """
    wide = shapely.union_all([area, translate(area, 360), translate(area, -360)])
    for zone in range(1, 61):
        west = -186.0 + 6 * zone
        for epsg, south, north in ((32600 + zone, 0.0, 84.0), (32700 + zone, -80.0, 0.0)):
            if not wide.intersects(shapely.box(west, south, west + 6, north)):
                continue
            low = min(abs(wide.bounds[1]), abs(wide.bounds[3]))
            along = reach_m / 111_000
            across = along / max(math.cos(math.radians(min(low, 84.0))), 0.05)
            part = wide.intersection(shapely.box(west - across, south - along, west + 6 + across, north + along))
            yield epsg, to_utm(part, epsg)


def to_utm(part: shapely.Geometry, epsg: int) -> shapely.Geometry:
    """Longitude and latitude to the metres of a UTM zone, edges densified."""
    transformer = Transformer.from_crs("EPSG:4326", f"EPSG:{epsg}", always_xy=True)

    def project(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(transformer.transform(xy[:, 0], xy[:, 1]))

    return shapely.transform(shapely.segmentize(part, 0.02), project)


def granule_tiles(area: shapely.Geometry, granule_km: float) -> list[Tile]:
    """Overlapping squares of `granule_km` that cover `area`, in every zone that the area touches."""
    side = round(granule_km * 1000 / 60) * 60
    pitch = round(side * (1 - OVERLAP) / 60) * 60
    tiles = []
    for epsg, part in utm_parts(area, side / 2):
        west, south, east, north = part.bounds
        places = [
            (i, j)
            for j in range(math.floor((south - side) / pitch) + 1, math.ceil(north / pitch))
            for i in range(math.floor((west - side) / pitch) + 1, math.ceil(east / pitch))
        ]
        for i, j in _needed({(i, j): shapely.box(i * pitch, j * pitch, i * pitch + side, j * pitch + side)
                             for i, j in places}, part):  # fmt: skip
            corner = Affine(10, 0, i * pitch, 0, -10, j * pitch + side)
            grid = GeoBox((side // 10, side // 10), corner, f"EPSG:{epsg}")
            tiles.append(Tile(name=_name(epsg, i, j, grid), grid=grid))
    return tiles


def _needed(squares: dict[tuple[int, int], shapely.Geometry], part: shapely.Geometry) -> list[tuple[int, int]]:
    """Places that cover `part`, without those whose share of it the others hold too."""
    kept = {place: square for place, square in squares.items() if square.intersection(part).area > 0}
    for place, square in list(kept.items()):
        others = shapely.union_all([other for name, other in kept.items() if name != place])
        if square.intersection(part).difference(others).area == 0:
            del kept[place]
    return list(kept)


def _name(epsg: int, i: int, j: int, grid: GeoBox) -> str:
    rows, columns = grid.shape
    latitude = float(lonlat(grid, np.array(columns / 2), np.array(rows / 2))[1])
    band = _BANDS[min(max(int((latitude + 80) // 8), 0), 19)]
    return f"{epsg % 100:02d}{band}{_LETTERS[i % 24]}{_LETTERS[j % 24]}"


@dataclass(frozen=True, kw_only=True)
class HalfSpace:
    """One side of a great circle: where a swath ends, or where a datatake was cut in two."""

    normal: tuple[float, float, float]

    @classmethod
    def through(cls, lon: float, lat: float, heading: float) -> HalfSpace:
        """What lies to the right of someone at (lon, lat) who looks along `heading` (degrees from north)."""
        a, b, turn = math.radians(lon), math.radians(lat), math.radians(heading + 90)
        east = np.array([-math.sin(a), math.cos(a), 0.0])
        north = np.array([-math.sin(b) * math.cos(a), -math.sin(b) * math.sin(a), math.cos(b)])
        x, y, z = math.sin(turn) * east + math.cos(turn) * north
        return cls(normal=(float(x), float(y), float(z)))

    def flipped(self) -> HalfSpace:
        x, y, z = self.normal
        return HalfSpace(normal=(-x, -y, -z))

    def side(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Signed distance (metres where `points` (3, ...) are) from the great circle; positive is inside."""
        x, y, z = self.normal
        return np.asarray(points[0] * x + points[1] * y + points[2] * z)


def outline(grid: GeoBox, cuts: tuple[HalfSpace, ...] = ()) -> shapely.Geometry:
    """Footprint of `grid`, less what `cuts` take, in longitude and latitude.

    Densified, and a MultiPolygon where it crosses the antimeridian; empty where nothing is left.
    """
    rows, columns = (int(n) for n in grid.shape)
    ring = shapely.segmentize(shapely.box(0, 0, columns, rows), max(rows, columns) / 24)
    corners = shapely.get_coordinates(ring)[:-1]
    for cut in cuts:
        corners = _clip(grid, corners, cut)
        if len(corners) < 3:
            return shapely.Polygon()
    lon, lat = lonlat(grid, corners[:, 0], corners[:, 1])
    lon = lon[0] + (lon - lon[0] + 180) % 360 - 180
    return wrap(shapely.Polygon(np.column_stack([lon, lat])))


def _clip(grid: GeoBox, corners: NDArray[np.float64], cut: HalfSpace) -> NDArray[np.float64]:
    """Keep the side of a ring of pixel positions (n, 2) that is inside `cut` (Sutherland and Hodgman, 1974)."""
    lon, lat = np.radians(lonlat(grid, corners[:, 0], corners[:, 1]))
    side = cut.side(np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)]))
    kept = []
    for here in range(len(corners)):
        there = (here + 1) % len(corners)
        if side[here] > 0:
            kept.append(corners[here])
        if (side[here] > 0) != (side[there] > 0):
            share = side[here] / (side[here] - side[there])
            kept.append(corners[here] + share * (corners[there] - corners[here]))
    return np.array(kept)


def wrap(shape: shapely.Geometry) -> shapely.Geometry:
    """A shape whose longitudes may run past 180 degrees, cut there and brought back."""
    pieces = []
    for turn in (-360, 0, 360):
        piece = translate(shape, turn).intersection(shapely.box(-180, -90, 180, 90))
        if not piece.is_empty and piece.area > 0:
            pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else shapely.MultiPolygon([p for piece in pieces for p in _polygons(piece)])


def _polygons(shape: shapely.Geometry) -> list[shapely.Polygon]:
    return [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon"]
