from __future__ import annotations

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.warp import Resampling, reproject

from rsprep.sources.planted import World
from rsprep.sources.planted.dem import TILE_LIST, column_step, corners, tile_grid, tile_name
from tests.rsprep.sources.planted.conftest import Publication

DEM = "cop-dem-glo-30"


@pytest.mark.parametrize(
    ("south", "step"),
    [
        (0, 1),
        (49, 1),
        (50, 1.5),
        (59, 1.5),
        (60, 2),
        (70, 3),
        (80, 5),
        (85, 10),
        (-1, 1),
        (-50, 1),
        (-51, 1.5),
        (-86, 10),
    ],
)
def test_columns_widen_toward_the_poles(south: int, step: float) -> None:
    """Pitfall 26: pixels are square in degrees below latitude 50 only."""
    assert column_step(south, south + 1) == step
    grid = tile_grid(10, south, 1)
    assert grid.shape == (3600, round(3600 / step))
    assert grid.transform.a == pytest.approx(step / 3600)


def test_a_pixel_is_the_height_at_its_lattice_point(publication: Publication) -> None:
    """Pitfall 28: the first lattice point is the tile's north-western corner, and GDAL's edges lie half a step out."""
    world = publication.world
    for item in publication.items(DEM)[:2]:
        with rasterio.open(publication.path(item, "data")) as file:
            heights, transform = file.read(1), file.transform
            assert file.tags()["AREA_OR_POINT"] == "Point"
            assert file.nodata is None
        west, _, _, north = item["bbox"]
        step = 1 / 3600
        assert transform.c == pytest.approx(west - step / 2, abs=1e-10)
        assert transform.f == pytest.approx(north + step / 2, abs=1e-10)
        row, column = np.unravel_index(heights.argmax(), heights.shape)
        around = {}
        for shift in (0.0, 0.5):
            lon, lat = west + (column + shift) * step, north - (row + shift) * step
            spot = GeoBox((1, 1), Affine(1e-9, 0, lon - 5e-10, 0, -1e-9, lat + 5e-10), "EPSG:4326")
            around[shift] = abs(float(world.elevation(spot)[0, 0]) - float(heights[row, column]))
        assert around[0.0] < 0.01
        assert around[0.5] > 0.05


def test_heights_survive_a_cubic_warp(publication: Publication) -> None:
    """Tiles put side by side without a seam, then warped: within half a metre of the truth."""
    parts = {}
    for item in publication.items(DEM):
        heights, grid = publication.read(item, "data")
        parts[round(item["bbox"][0], 2), round(item["bbox"][1], 2)] = (heights, grid)
    pairs = [(key, (round(key[0] + 0.03, 2), key[1])) for key in parts if (round(key[0] + 0.03, 2), key[1]) in parts]
    key, neighbour = max(pairs, key=lambda pair: float(parts[pair[0]][0].mean() + parts[pair[1]][0].mean()))
    mosaic = np.concatenate([parts[key][0], parts[neighbour][0]], axis=1)
    source = parts[key][1]
    middle = shapely.Point(key[0] + 0.03, key[1] + 0.015)
    x, y = rasterio.warp.transform("EPSG:4326", "EPSG:32633", [middle.x], [middle.y])
    target = GeoBox((200, 300), Affine(10, 0, x[0] - 1500, 0, -10, y[0] + 1000), "EPSG:32633")
    out = np.empty((200, 300), np.float32)
    reproject(
        mosaic, out, src_transform=source.transform, src_crs="EPSG:4326", dst_transform=target.transform,
        dst_crs="EPSG:32633", resampling=Resampling.cubic, tolerance=0,
    )  # fmt: skip
    error = out - publication.world.elevation(target)
    assert np.ptp(out) > 5
    assert np.sqrt(np.mean(error**2)) < 0.5


def test_mountains_survive_a_cubic_warp() -> None:
    """The steepest part of the demo region."""
    world = World(seed=0)
    source = tile_grid(12.85, 48.1, 0.05)
    target = GeoBox((200, 200), Affine(10, 0, 341_200, 0, -10, 5_333_300), "EPSG:32633")
    out = np.empty((200, 200), np.float32)
    reproject(
        world.elevation(source), out, src_transform=source.transform, src_crs="EPSG:4326",
        dst_transform=target.transform, dst_crs="EPSG:32633", resampling=Resampling.cubic, tolerance=0,
        dst_nodata=np.nan,
    )  # fmt: skip
    error = out - world.elevation(target)
    assert np.isfinite(error).all()
    assert np.ptp(out) > 300
    assert np.sqrt(np.mean(error**2)) < 0.5


def test_tiles_on_the_sea_are_absent_and_the_list_says_so(publication: Publication) -> None:
    """Pitfall 25: a tile that is not listed is sea, and one that is listed exists."""
    listed = (publication.root / DEM / TILE_LIST).read_text().split()
    assert listed == sorted(item["id"] for item in publication.items(DEM))
    sea = tile_name(12.60, 48.30)
    assert sea == "Copernicus_DSM_COG_10_N48_30_E012_60_DEM"
    assert sea not in listed
    assert not (publication.root / DEM / sea).exists()
    assert not publication.world.elevation(tile_grid(12.60, 48.30, 0.03)).any()
    assert tile_name(12.63, 48.30) in listed


def test_names_and_corners_at_the_edges_of_the_map() -> None:
    assert tile_name(-0.25, -0.75) == "Copernicus_DSM_COG_10_S00_75_W000_25_DEM"
    assert tile_name(-180.0, 12.9999999) == "Copernicus_DSM_COG_10_N13_00_W180_00_DEM"
    around = shapely.MultiPolygon([shapely.box(179.9, 10.1, 180, 10.2), shapely.box(-180, 10.1, -179.9, 10.2)])
    assert corners(around, 1.0) == [(179.0, 10.0), (-180.0, 10.0)]
