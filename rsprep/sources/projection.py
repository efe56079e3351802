"""What items say about the pixel lattice of their files (projection extension, both generations)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError

from rsprep.errors import ItemError
from rsprep.sources.footprints import cut_at_antimeridian

_CODE = re.compile(r"[A-Za-z_]+:[A-Za-z0-9_.]+")
_LARGEST = 1e300
"""No coordinate is larger, and no float much larger: integers of JSON have no end."""
EDGE_POINTS = 8
"""Points along each side of a lattice when its outline is taken to longitude and latitude."""


def read_grid(item: Mapping[str, Any], asset: Mapping[str, Any], key: str) -> GeoBox | None:
    """The lattice that `asset` (named `key`) declares itself or through its item; None where incomplete.

    Raises
    ------
    ItemError : ``bad-crs``, ``bad-shape`` or ``bad-transform``.
    """
    properties = item["properties"]
    words = {
        name: asset.get(name, properties.get(name))
        for name in ("proj:code", "proj:epsg", "proj:shape", "proj:transform")
    }
    code = words["proj:code"] if words["proj:code"] is not None else words["proj:epsg"]
    if code is None or words["proj:shape"] is None or words["proj:transform"] is None:
        return None
    where = f"asset {key!r} of item {item.get('id')}"
    return GeoBox(_shape(words["proj:shape"], where), _affine(words["proj:transform"], where), _crs(code, where))


def check_place(name: str, footprint: shapely.Geometry, grids: Iterable[GeoBox]) -> None:
    """Check that the lattices lie where the footprint does: a wrong transform or zone reads as empty ground.

    Raises
    ------
    ItemError : ``misplaced`` where a lattice and the footprint have no ground in common.
    """
    for grid in set(grids):
        if not _outline(grid).intersects(footprint):
            raise ItemError(
                "misplaced",
                f"the pixels of item {name} lie elsewhere than its footprint",
                value=f"{grid.crs} {list(grid.transform)[:6]}",
                remedy="proj:code, proj:shape or proj:transform is wrong in the item",
            )


def _crs(code: object, where: str) -> str:
    text = f"EPSG:{code}" if isinstance(code, int) else str(code)
    if not _on_earth(text):
        raise ItemError(
            "bad-crs", f"{where} has a coordinate system that is not known", value=code, remedy="correct proj:code"
        )
    return text


@lru_cache(maxsize=256)
def _known_crs(text: str) -> CRS | None:
    if not _CODE.fullmatch(text):
        return None  # PROJ would search its database for a system of such a name
    try:
        return CRS.from_user_input(text)
    except CRSError:
        return None


@lru_cache(maxsize=256)
def _on_earth(text: str) -> bool:
    """Whether there is such a system, and a way from it to longitude and latitude: of the Moon there is none."""
    try:
        return _known_crs(text) is not None and _to_lonlat(text) is not None
    except ProjError:
        return False


@lru_cache(maxsize=256)
def _to_lonlat(text: str) -> Transformer:
    return Transformer.from_crs(_known_crs(text), "EPSG:4326", always_xy=True)


def _shape(value: object, where: str) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2 or not all(type(n) is int and n > 0 for n in value):
        raise ItemError(
            "bad-shape",
            f"{where} has a shape that is no pair of rows and columns",
            value=value,
            remedy="correct proj:shape",
        )
    return value[0], value[1]


def _affine(value: object, where: str) -> Affine:
    """Six elements, or nine with a last row of 0, 0, 1; pixel sides along the axes."""

    def wrong(cause: str) -> ItemError:
        remedy = "proj:transform is [width, 0, west, 0, -height, north]; GDAL's own order is another"
        return ItemError("bad-transform", f"{where}: the transform {cause}", value=value, remedy=remedy)

    if not isinstance(value, list) or len(value) not in (6, 9):
        raise wrong("has neither 6 nor 9 elements")
    if not all(type(n) in (int, float) and abs(n) < math.inf and abs(n) <= _LARGEST for n in value):
        raise wrong("holds something that is no number")
    if len(value) == 9 and list(value[6:]) != [0, 0, 1]:
        raise wrong("has a last row other than 0, 0, 1")
    if value[1] != 0 or value[3] != 0:
        raise wrong("is rotated")
    if value[0] <= 0 or value[4] == 0:
        raise wrong("has pixels without width or height")
    return Affine(*value[:6])


@lru_cache(maxsize=4096)
def _outline(grid: GeoBox) -> shapely.Geometry:
    """Outline of `grid` in longitude and latitude, cut at the antimeridian."""
    rows, columns = grid.shape
    along = np.linspace(0, 1, EDGE_POINTS)
    x = np.concatenate([along, np.ones_like(along), along[::-1], np.zeros_like(along)]) * columns
    y = np.concatenate([np.zeros_like(along), along, np.ones_like(along), along[::-1]]) * rows
    width, _, west, _, height, north = list(grid.transform)[:6]
    lon, lat = _to_lonlat(str(grid.crs)).transform(west + width * x, north + height * y)
    finite = np.isfinite(lon) & np.isfinite(lat)
    if finite.sum() < 3:
        return shapely.Polygon()
    return cut_at_antimeridian(shapely.Polygon(np.column_stack([lon, lat])[finite]))
