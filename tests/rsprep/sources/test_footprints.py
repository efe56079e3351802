from __future__ import annotations

from typing import Any

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import mapping

from rsprep.errors import ItemError
from rsprep.sources.footprints import WORLD, cut_at_antimeridian, read_footprint
from tests.rsprep.sources.making import make_item


def _ring(west: float, east: float) -> shapely.Polygon:
    return shapely.Polygon([(west, 10), (east, 10), (east, 11), (west, 11)])


@settings(deadline=None)
@given(west=st.floats(170.5, 179.5), width=st.floats(1, 9))
def test_three_ways_to_write_a_crossing_are_one(west: float, width: float) -> None:
    """Pitfall 37: a footprint across the antimeridian keeps its ground however it is written."""
    east = max(west + width, 180.01)
    split = shapely.MultiPolygon([_ring(west, 180), _ring(-180, east - 360)])
    for written in (split, _ring(west, east), _ring(west - 360, east - 360), _ring(east - 360, west)):
        cut = cut_at_antimeridian(written)
        assert WORLD.contains(cut)
        assert cut.symmetric_difference(split).area < 1e-9


@settings(deadline=None)
@given(west=st.floats(-179, 100), width=st.floats(0.01, 79))
def test_what_does_not_cross_is_left_alone(west: float, width: float) -> None:
    ring = _ring(west, west + width)
    assert cut_at_antimeridian(ring).symmetric_difference(ring).area < 1e-9


def test_the_whole_globe_stays_whole() -> None:
    assert cut_at_antimeridian(WORLD).area == WORLD.area


def test_heights_in_coordinates_are_dropped() -> None:
    geometry = mapping(shapely.force_3d(shapely.box(1, 2, 3, 4), 5))
    assert not read_footprint(make_item("a", geometry=geometry)).has_z


@pytest.mark.parametrize(
    ("geometry", "slug"),
    [
        (None, "no-geometry"),
        ({"type": "Polygon"}, "bad-geometry"),
        ({"type": "Polygon", "coordinates": "here"}, "bad-geometry"),
        ({"type": "Polygon", "coordinates": []}, "bad-geometry"),
        ({"type": "Point", "coordinates": [1, 2]}, "bad-geometry"),
        (mapping(shapely.box(500_000, 5_300_000, 600_000, 5_400_000)), "not-lonlat"),
        (mapping(shapely.box(48, 100, 49, 101)), "not-lonlat"),
    ],
)
def test_every_bad_footprint_has_its_name(geometry: Any, slug: str) -> None:
    with pytest.raises(ItemError) as caught:
        read_footprint(make_item("a", geometry=geometry))
    assert caught.value.slug == slug
    assert "item a" in caught.value.cause
