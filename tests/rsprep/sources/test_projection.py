from __future__ import annotations

from typing import Any

import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from rsprep.errors import ItemError
from rsprep.sources.footprints import read_footprint
from rsprep.sources.projection import check_place, read_grid
from tests.rsprep.sources.making import make_item, with_properties

SIX = [10.0, 0.0, 500000.0, 0.0, -10.0, 5320000.0]
WORDS: dict[str, Any] = {"proj:code": "EPSG:32633", "proj:shape": [30, 20], "proj:transform": SIX}
GRID = GeoBox((30, 20), Affine(*SIX), "EPSG:32633")


def _read(**changes: Any) -> GeoBox | None:
    words = {**WORDS, **{key.replace("__", ":"): value for key, value in changes.items()}}
    return read_grid(make_item("a"), {"href": "x", **words}, "red")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"proj__transform": [*SIX, 0, 0, 1]},
        {"proj__code": None, "proj__epsg": 32633},
        {"proj__transform": [int(n) for n in SIX]},
    ],
)
def test_both_generations_of_the_extension_give_one_lattice(changes: dict[str, Any]) -> None:
    """Pitfall 34: the lattice's corner is the outer edge of the first pixel, as the extension says."""
    assert _read(**changes) == GRID


def test_words_of_the_item_stand_in_for_those_of_the_asset() -> None:
    item = with_properties(make_item("a"), proj__code="EPSG:32633", proj__shape=[1, 1], proj__transform=SIX)
    assert read_grid(item, {"href": "x", "proj:shape": [30, 20]}, "red") == GRID


@pytest.mark.parametrize("missing", ["proj__code", "proj__shape", "proj__transform"])
def test_an_incomplete_lattice_is_no_lattice(missing: str) -> None:
    assert _read(**{missing: None}) is None


@settings(deadline=None)
@given(west=st.floats(-1e7, 1e7), north=st.floats(-1e7, 1e7), side=st.floats(1e-4, 1e3), rows=st.integers(1, 20_000))
def test_lattices_survive_unchanged(west: float, north: float, side: float, rows: int) -> None:
    grid = _read(proj__transform=[side, 0, west, 0, -side, north], proj__shape=[rows, 5])
    assert grid is not None
    assert list(grid.transform)[:6] == [side, 0, west, 0, -side, north]
    assert grid.shape == (rows, 5)


@pytest.mark.parametrize(
    ("changes", "slug"),
    [
        ({"proj__transform": [10, 1, 500000, 1, -10, 5320000]}, "bad-transform"),
        ({"proj__transform": [500000, 10, 0, 5320000, 0, -10]}, "bad-transform"),  # GDAL's order
        ({"proj__transform": [0, 0, 500000, 0, -10, 5320000]}, "bad-transform"),
        ({"proj__transform": [10, 0, 500000, 0, 0, 5320000]}, "bad-transform"),
        ({"proj__transform": [-10, 0, 500000, 0, -10, 5320000]}, "bad-transform"),
        ({"proj__transform": SIX[:5]}, "bad-transform"),
        ({"proj__transform": [*SIX, 0, 0, 2]}, "bad-transform"),
        ({"proj__transform": [*SIX[:5], float("nan")]}, "bad-transform"),
        ({"proj__transform": [*SIX[:5], "5320000"]}, "bad-transform"),
        ({"proj__shape": [30]}, "bad-shape"),
        ({"proj__shape": [30, 0]}, "bad-shape"),
        ({"proj__shape": [30.5, 2]}, "bad-shape"),
        ({"proj__code": "EPSG:1"}, "bad-crs"),
        ({"proj__code": "UTM 33"}, "bad-crs"),
    ],
)
def test_every_bad_lattice_has_its_name(changes: dict[str, Any], slug: str) -> None:
    with pytest.raises(ItemError, match="'red' of item a") as caught:
        _read(**changes)
    assert caught.value.slug == slug


def test_a_lattice_must_lie_where_the_footprint_does() -> None:
    """Pitfall 38: a wrong UTM zone in an item would read as empty ground."""
    footprint = read_footprint(make_item("a", (14.99, 47.9, 15.01, 48.04)))
    check_place("a", footprint, [GRID])
    wrong_zone = GeoBox(GRID.shape, GRID.transform, "EPSG:32632")
    with pytest.raises(ItemError) as caught:
        check_place("a", footprint, [GRID, wrong_zone])
    assert caught.value.slug == "misplaced"


def test_a_lattice_across_the_antimeridian_lies_on_both_sides() -> None:
    """Pitfall 37."""
    grid = GeoBox((100, 1000), Affine(100, 0, 800_000, 0, -100, 1_000_000), "EPSG:32660")
    for side in (shapely.box(179.8, 8.8, 180, 9.1), shapely.box(-180, 8.8, -179.8, 9.1)):
        check_place("a", side, [grid])
    with pytest.raises(ItemError):
        check_place("a", shapely.box(0, 8.8, 1, 9.1), [grid])
