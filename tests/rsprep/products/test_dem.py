from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox

from rsprep.errors import CatalogError, RasterError
from rsprep.granule import Granule
from rsprep.products.dem import fill_sea, require_tiles

STEP = 1 / 10


def lattice(west: float, north: float, columns: int, rows: int, crs: str = "EPSG:4326") -> GeoBox:
    """Pixel-is-point: the first centre lies on (west, north)."""
    affine = Affine(STEP, 0, west - STEP / 2, 0, -STEP, north + STEP / 2)
    return GeoBox((rows, columns), affine, crs)


def tile(west: float, south: float) -> Granule:
    return Granule(
        id=f"{west}-{south}",
        product="dem",
        collection="cop-dem-glo-30",
        datetime=dt.datetime(2021, 4, 22, tzinfo=dt.UTC),
        # Real footprints are half a pixel off the degree.
        footprint=shapely.box(west - 0.0002, south + 0.0002, west + 0.9998, south + 1.0002),
        assets={},
    )


def test_only_sea_is_filled_with_zero() -> None:
    """Pitfall 25: land west, sea in the middle, an unexplained hole east."""
    grid = lattice(10, 48, 30, 10)
    elevation = np.full((10, 30), np.nan, np.float32)
    elevation[:, :10] = 100
    filled, valid = fill_sea(elevation, np.isfinite(elevation), grid, [shapely.box(11, 47, 12, 48)])
    assert (filled[:, :10] == 100).all()
    assert (filled[:, 10:20] == 0).all()
    assert np.isnan(filled[:, 20:]).all()
    np.testing.assert_array_equal(valid, np.isfinite(filled))
    assert np.isnan(elevation[:, 10:]).all(), "the input stays as it was"


def test_measured_heights_in_a_sea_cell_stay() -> None:
    """Pitfall 25: a neighbour's pixels that reach into the cell."""
    elevation = np.array([[5.0, np.nan]], np.float32)
    filled, _ = fill_sea(elevation, np.isfinite(elevation), lattice(10, 47.5, 2, 1), [shapely.box(10, 47, 11, 48)])
    assert filled.tolist() == [[5, 0]]


def test_a_tile_owns_its_west_and_north_edges() -> None:
    """Pitfall 27: neighbouring cells leave no gap and overlap nowhere."""
    grid = lattice(10, 48, 11, 11)
    empty = np.zeros((11, 11), np.float32), np.zeros((11, 11), np.bool_)
    valid = fill_sea(*empty, grid, [shapely.box(10, 47, 11, 48)])[1]
    expected = np.zeros((11, 11), np.bool_)
    expected[:10, :10] = True
    np.testing.assert_array_equal(valid, expected)


def test_sea_beyond_the_antimeridian() -> None:
    """Pitfall 37: a lattice that runs on past 180° meets the cell at −180°."""
    empty = np.zeros((10, 20), np.float32), np.zeros((10, 20), np.bool_)
    valid = fill_sea(*empty, lattice(179, -17, 20, 10), [shapely.box(-180, -18, -179, -17)])[1]
    assert valid[:, 10:].all()
    assert not valid[:, :10].any()


def test_sea_on_a_metric_grid_is_refused() -> None:
    with pytest.raises(RasterError, match="dem-lattice"):
        fill_sea(np.zeros((2, 2)), np.zeros((2, 2), np.bool_), lattice(0, 0, 2, 2, "EPSG:32633"), [])


def test_missing_land_tile_is_an_error() -> None:
    """Pitfall 25: the tile list says land, the catalog has nothing there."""
    land = [shapely.box(10, 47, 11, 48), shapely.box(11, 47, 12, 48)]
    require_tiles(land, [tile(10, 47), tile(11, 47)])
    for granules in ([tile(10, 47)], []):
        with pytest.raises(CatalogError, match="dem-tile-missing"):
            require_tiles(land, granules)
