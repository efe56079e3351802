"""Copernicus-style DEM tiles: degrees, pixel-is-point, wider columns near the poles, no tiles on the sea."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path

import shapely
from affine import Affine
from odc.geo.geobox import GeoBox

from rsprep.sources.planted.acquisitions import unwrapped
from rsprep.sources.planted.cogs import write_text
from rsprep.sources.planted.stac import Item, Raster, item_path, write_item
from rsprep.sources.planted.world import World

DEM = "cop-dem-glo-30"
TILE_LIST = "tileList.txt"
"""File in the collection's folder that names every tile that exists, one a line."""
MARGIN = 0.03
"""Degrees of latitude by which tiles reach beyond the area."""
RELEASED = dt.datetime(2021, 4, 22, tzinfo=dt.UTC)
_STEPS = ((85, 10.0), (80, 5.0), (70, 3.0), (60, 2.0), (50, 1.5), (0, 1.0))


def column_step(south: float, north: float) -> float:
    """Arc-seconds between columns of a tile: 1, then 1.5, 2, 3, 5, 10 from latitude 50, 60, 70, 80, 85 on."""
    nearest = 0.0 if south < 0 < north else min(abs(south), abs(north))
    return next(step for latitude, step in _STEPS if nearest >= latitude)


def corners(area: shapely.Geometry, degrees: float) -> list[tuple[float, float]]:
    """South-western corners (longitude, latitude) of the tiles that `area` touches."""
    shape = unwrapped(area)
    west, south, east, north = shape.bounds
    aside = MARGIN / max(math.cos(math.radians(max(abs(south), abs(north)))), 0.05)
    return [
        ((i * degrees + 180) % 360 - 180, j * degrees)
        for j in range(math.floor((south - MARGIN) / degrees), math.ceil((north + MARGIN) / degrees))
        for i in range(math.floor((west - aside) / degrees), math.ceil((east + aside) / degrees))
    ]


def tile_name(west: float, south: float) -> str:
    """Name of the tile with this south-western corner, degrees and hundredths."""
    lat, lat_part = divmod(round(abs(south) * 100), 100)
    lon, lon_part = divmod(round(abs(west) * 100), 100)
    north_or_south, east_or_west = "S" if south < 0 else "N", "W" if west < 0 else "E"
    return f"Copernicus_DSM_COG_10_{north_or_south}{lat:02d}_{lat_part:02d}_{east_or_west}{lon:03d}_{lon_part:02d}_DEM"


def tile_grid(west: float, south: float, degrees: float) -> GeoBox:
    """Grid of a tile: its first lattice point is the north-western corner, so edges lie half a step outside.

    The row on the southern and the column on the eastern corner belong to the next tile.
    """
    step = column_step(south, south + degrees) / 3600
    rows, columns = round(degrees * 3600), round(degrees / step)
    corner = Affine(step, 0, west - step / 2, 0, -1 / 3600, south + degrees + 0.5 / 3600)
    return GeoBox((rows, columns), corner, "EPSG:4326")


def write_dem_tile(world: World, west: float, south: float, degrees: float, root: Path) -> Path | None:
    """Write one tile; None where all of it is sea. Returns the path of its JSON."""
    name = tile_name(west, south)
    path = item_path(root, DEM, name)
    if path.exists():
        return path
    grid = tile_grid(west, south, degrees)
    elevation = world.elevation(grid)
    if not elevation.any():
        return None
    properties = {"gsd": 30, "proj:registration": "point", "vertical_datum": "EGM2008"}
    raster = Raster(key="data", values=elevation, grid=grid, nodata=None, point=True)
    return write_item(root, Item(
        id=name, collection=DEM, datetime=RELEASED, properties=properties, rasters=(raster,),
        footprint=shapely.box(west, south, west + degrees, south + degrees),
    ))  # fmt: skip


def write_tile_list(root: Path, tiles: list[Path]) -> None:
    """List the tiles that exist: what is not in it is sea."""
    write_text(root / DEM / TILE_LIST, "".join(f"{path.stem}\n" for path in sorted(tiles)))
