"""Sentinel-1 scenes, terrain corrected: linear power with dead borders, as slices of a slanted pass."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import shapely
from affine import Affine
from numba import njit
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from rsprep.sources.planted import radar
from rsprep.sources.planted.acquisitions import Radar
from rsprep.sources.planted.ground import epsg_of, lonlat, window
from rsprep.sources.planted.noise import uniform
from rsprep.sources.planted.optical import blocks
from rsprep.sources.planted.stac import SAR, SAT, Item, Raster, item_path, write_item
from rsprep.sources.planted.tiles import utm_parts, wrap
from rsprep.sources.planted.typing import Scalar
from rsprep.sources.planted.world import World

S1 = "sentinel-1-rtc"
SLANT = 0.05
"""Columns by which the sides of a scene move per row."""
RAGGED = 8
"""Widest dead border beyond the slant, pixels."""
NOISE_RING = 2
"""Pixels inside the dead border that hold noise near zero: to be removed with the zeros."""
MARGIN = 600.0
"""Metres by which the data reach beyond the area."""


def frames(area: shapely.Geometry, frame_km: float) -> list[GeoBox]:
    """10 m grids of at most `frame_km` that cover `area` with their data, borders aside."""
    found = []
    for epsg, part in utm_parts(area, 2 * MARGIN):
        west, south, east, north = part.bounds
        down = max(1, math.ceil((north - south) / (frame_km * 1000)))
        across = max(1, math.ceil((east - west) / (frame_km * 1000)))
        for row in range(down):
            for column in range(across):
                piece = part.intersection(
                    shapely.box(
                        west + (east - west) * column / across, south + (north - south) * row / down,
                        west + (east - west) * (column + 1) / across, south + (north - south) * (row + 1) / down,
                    )
                )  # fmt: skip
                if piece.area > 0:
                    found.append(_frame(piece.bounds, epsg))
    return found


def _frame(bounds: tuple[float, float, float, float], epsg: int) -> GeoBox:
    west, south, east, north = bounds
    high = north - south + 2 * MARGIN
    border = 10 * (RAGGED + NOISE_RING + 2)
    aside = border + SLANT * (high + 2 * border)
    left, top = (math.floor((west - MARGIN - aside) / 10) * 10, math.ceil((north + MARGIN + border) / 10) * 10)
    columns = math.ceil((east + MARGIN + aside - left) / 10)
    rows = math.ceil((top - south + MARGIN + border) / 10)
    return GeoBox((rows, columns), Affine(10, 0, left, 0, -10, top), f"EPSG:{epsg}")


def write_frame(world: World, grid: GeoBox, number: int, passes: Sequence[Radar], root: Path) -> list[Path]:
    """Write the items of every pass over one frame. Returns the paths of their JSON."""
    names = {taken: f"{taken.platform.replace('sentinel-', 'S').upper()}_IW_GRDH_1SDV_"
                    f"{taken.moment:%Y%m%dT%H%M%S}_{epsg_of(grid)}_{number:02d}_RTC" for taken in passes}  # fmt: skip
    paths = {taken: item_path(root, S1, name) for taken, name in names.items()}
    missing = [taken for taken in passes if not paths[taken].exists()]
    shape = tuple(int(n) for n in grid.shape)
    power = {taken: np.empty((2, *shape), np.float32) for taken in missing}
    for where in blocks(*shape) if missing else ():
        ground = world.grounds(window(grid, where))[10]
        for taken in missing:
            seen = world.backscatter(ground, taken.moment, taken.orbit)
            seed = (world.seed * 31 + number * 1009 + taken.moment.toordinal() * 97 + epsg_of(grid)) % 2_000_000_000
            radar.speckle(seen, where[0].start, where[1].start, seed)
            power[taken][(slice(None), *where)] = seen
    for taken in missing:
        dead_border(power[taken], taken.moment.toordinal())
        # Fewer mantissa bits (steps of 0.002 dB) let the files shrink by a third.
        values = (power.pop(taken).view(np.uint32) & np.uint32(0xFFFFF000)).view(np.float32)
        rasters = [Raster(key=key, values=values[band], grid=grid, nodata=0.0) for band, key in enumerate(("vv", "vh"))]
        write_item(root, Item(
            id=names[taken], collection=S1, datetime=taken.moment, footprint=data_outline(grid),
            properties=_properties(taken), extensions=(SAR, SAT), rasters=rasters,
        ))  # fmt: skip
    return list(paths.values())


@njit(cache=True, nogil=True)
def dead_border(power: NDArray[np.float32], seed: Scalar) -> None:
    """Cut `power` (2, y, x) in place to a slanted, ragged outline.

    Outside are exact zeros; the outermost NOISE_RING pixels inside hold faint noise, a thousandth of the backscatter.
    """
    rows, columns = power.shape[1], power.shape[2]
    for row in range(rows):
        left = SLANT * (rows - 1 - row) + 2 + RAGGED * uniform(row // 3, 0, 1, seed)
        right = columns - 1 - SLANT * row - 2 - RAGGED * uniform(row // 3, 0, 2, seed)
        for column in range(columns):
            top = 2 + RAGGED * uniform(column // 3, 0, 3, seed)
            bottom = rows - 3 - RAGGED * uniform(column // 3, 0, 4, seed)
            inside = min(column - left, right - column, row - top, bottom - row)
            if inside < 0:
                power[0, row, column] = power[1, row, column] = 0.0
            elif inside < NOISE_RING:
                for band in range(2):
                    power[band, row, column] *= 1e-3


def data_outline(grid: GeoBox) -> shapely.Geometry:
    """Footprint of the slanted data of a frame in longitude and latitude, ragged rim included."""
    rows, columns = (int(n) for n in grid.shape)
    aside = SLANT * rows
    shape = shapely.Polygon([(0, rows), (aside, 0), (columns, 0), (columns - aside, rows)])
    corners = shapely.get_coordinates(shapely.segmentize(shape, max(rows, columns) / 24))
    lon, lat = lonlat(grid, corners[:, 0], corners[:, 1])
    lon = lon[0] + (lon - lon[0] + 180) % 360 - 180
    return wrap(shapely.Polygon(np.column_stack([lon, lat])))


def _properties(taken: Radar) -> dict[str, object]:
    return {
        "platform": taken.platform,
        "constellation": "sentinel-1",
        "sat:orbit_state": taken.orbit,
        "sat:relative_orbit": taken.relative_orbit,
        "sar:instrument_mode": "IW",
        "sar:frequency_band": "C",
        "sar:center_frequency": 5.405,
        "sar:polarizations": ["VV", "VH"],
        "sar:product_type": "RTC",
        "sar:looks_equivalent_number": radar.LOOKS,
        "sar:pixel_spacing_range": 10,
        "sar:pixel_spacing_azimuth": 10,
        "sar:observation_direction": "right",
    }
