from __future__ import annotations

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from rsprep.errors import CatalogError
from rsprep.sources.definition import load_definition
from rsprep.sources.tiles import TileList

LIST = "Copernicus_DSM_COG_10_N54_00_W084_00_DEM\r\nCopernicus_DSM_COG_10_S01_00_E034_00_DEM\n"


def _parse(text: str = LIST, degrees: float = 1.0) -> TileList:
    return TileList.parse(text, tile_degrees=degrees, source="list")


def test_corners_carry_their_signs() -> None:
    assert _parse().corners == {(5400, -8400), (-100, 3400)}


def test_only_cells_without_a_tile_are_sea() -> None:
    """Pitfall 25: 0 m only where the tile grid says sea."""
    area = shapely.box(-84.5, 54.2, -83.5, 54.4)
    assert [cell.bounds for cell in _parse().sea(area)] == [(-85.0, 54.0, -84.0, 55.0)]
    assert [cell.bounds for cell in _parse().land(area)] == [(-84.0, 54.0, -83.0, 55.0)]


def test_finer_tiles() -> None:
    tiles = _parse("X_N45_25_E010_50_DEM", degrees=0.25)
    assert [cell.bounds for cell in tiles.land(shapely.box(10.4, 45.3, 10.6, 45.4))] == [(10.5, 45.25, 10.75, 45.5)]


@pytest.mark.parametrize("name", ["earth-search", "planetary-computer", "earthengine"])
def test_land_whose_tiles_were_withheld_is_no_sea(name: str) -> None:
    """Pitfall 25: the public list lacks Armenia and Azerbaijan, whose mountains would be 0 m high."""
    dem = load_definition(name).products.dem
    assert dem is not None
    assert len(set(dem.absent.withheld)) == 25
    tiles = TileList.parse(LIST, tile_degrees=1.0, source="list", withheld=dem.absent.withheld)
    yerevan, baku, open_water = (
        shapely.Point(*place).buffer(0.1) for place in ((44.5, 40.2), (49.9, 40.4), (51.5, 40.5))
    )
    assert tiles.sea(yerevan) == tiles.sea(baku) == []
    assert len(tiles.sea(open_water)) == 1
    assert _parse().sea(yerevan)


@settings(deadline=None)
@given(west=st.floats(-179, 178), south=st.floats(-80, 79), size=st.floats(0.01, 3))
def test_sea_and_land_cover_every_area_once(west: float, south: float, size: float) -> None:
    area = shapely.box(west, south, min(west + size, 180), south + size)
    cells = _parse().sea(area) + _parse().land(area)
    assert shapely.union_all(cells).buffer(1e-9).contains(area)
    assert sum(cell.area for cell in cells) == pytest.approx(shapely.union_all(cells).area)


@pytest.mark.parametrize("text", ["", "\n\n", "<html>error</html>", LIST + "Copernicus_DSM_COG_10_N54_0"])
def test_a_page_that_is_no_list_is_refused(text: str) -> None:
    """Pitfall 25: an error page or a cut download would turn land into sea."""
    with pytest.raises(CatalogError) as caught:
        _parse(text)
    assert caught.value.slug == "bad-tile-list"
