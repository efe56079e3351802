"""The terrain layer of a block, from a DEM in degrees to slope on the metric grid."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox

from rsprep.config import Terrain
from rsprep.granule import Asset, Granule
from rsprep.ground.zones import Zone
from rsprep.job.reader import Reader
from rsprep.job.relief import relief
from rsprep.reading.files import FileAccess
from rsprep.sources.definition import DemProduct

RULES = DemProduct.model_validate(
    {
        "collection": "dem",
        "dtype": "float32",
        "nodata": None,
        "absent": {"rule": "error"},
        "surface": "DSM",
        "vertical_datum": "EGM2008",
    }
)
SLOPE, DOWNHILL = 10.0, 250.0
LON_SPACING = {0.0: 1.0, 45.0: 1.0, 65.0: 2.0}
"""Arc-seconds between columns of the Copernicus DEM at a latitude."""


def plane(x: np.ndarray, y: np.ndarray, corner: tuple[float, float]) -> np.ndarray:
    """Heights that fall by tan 10° towards `DOWNHILL`, metres."""
    east, north = np.sin(np.radians(DOWNHILL)), np.cos(np.radians(DOWNHILL))
    fall = np.tan(np.radians(SLOPE)) * ((x - corner[0]) * east + (y - corner[1]) * north)
    return np.asarray(2000 - fall)


@pytest.mark.parametrize("latitude", [0.0, 45.0, 65.0])
def test_the_slope_of_a_plane_is_its_slope_at_every_latitude(latitude: float, tmp_path: Path) -> None:
    """Pitfalls 26 and 29: warped to metres with a halo first, derived then; a slope in degrees would be near 90°."""
    zone, step, lon_step = Zone(33, False), 1 / 3600, LON_SPACING[latitude] / 3600
    west, north = 15.5, latitude + 0.03
    lon, lat = west + lon_step * (np.arange(160) + 0.5), north - step * (np.arange(160) + 0.5)
    x, y = zone.project(*np.meshgrid(lon, lat))
    left, top = (round(float(v)) // 10 * 10 for v in zone.project(west + 30 * lon_step, north - 30 * step))
    path = tmp_path / "dem.tif"
    grid = GeoBox((160, 160), Affine(lon_step, 0, west, 0, -step, north), 4326)
    with rasterio.open(
        path, "w", driver="GTiff", count=1, dtype="float32", height=160, width=160, crs="EPSG:4326",
        transform=grid.affine,
    ) as file:  # fmt: skip
        file.write(plane(x, y, (left, top)).astype(np.float32), 1)
    tile = Granule(
        id="tile",
        product="dem",
        source="planted",
        collection="dem",
        datetime=dt.datetime(2021, 1, 1, tzinfo=dt.UTC),
        footprint=shapely.box(*grid.boundingbox),
        assets={"elevation": Asset(href=str(path), grid=grid)},
    )
    block = GeoBox((64, 64), Affine(10, 0, left, 0, -10, top), zone.epsg)
    with ThreadPoolExecutor(2) as pool:
        reader = Reader(block=block, accesses={"planted": FileAccess()}, pool=pool)
        made = relief([tile], RULES, Terrain(), reader, sea=())
    elevation, slope, aspect, _ = made.arrays["terrain"]
    assert reader.failures == []
    assert np.abs(slope - SLOPE).max() < 0.1
    assert np.abs(aspect - DOWNHILL).max() < 0.5
    centre = (np.arange(64) + 0.5) * 10
    expected = plane(*np.meshgrid(left + centre, top - centre), (left, top))
    assert np.abs(elevation - expected).max() < 0.05
