from __future__ import annotations

import numpy as np
import pytest
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox

from rsprep.sources.planted.ground import epsg_of
from rsprep.sources.planted.sar import data_outline, frames
from rsprep.sources.planted.tiles import HalfSpace, granule_tiles, outline, wrap

PLACES = {
    "one zone": shapely.box(12.6, 48.0, 12.9, 48.2),
    "zone boundary": shapely.box(11.9, 48.0, 12.1, 48.1),
    "antimeridian": shapely.MultiPolygon([shapely.box(179.9, 52.0, 180, 52.1), shapely.box(-180, 52.0, -179.9, 52.1)]),
    "equator": shapely.box(30.2, -0.05, 30.3, 0.05),
}


@pytest.mark.parametrize("place", PLACES)
def test_granules_and_frames_cover_the_area(place: str) -> None:
    area = PLACES[place]
    tiles = granule_tiles(area, 12.0)
    assert len({tile.name for tile in tiles}) == len(tiles)
    for footprints in ([outline(tile.grid) for tile in tiles], [data_outline(grid) for grid in frames(area, 20.0)]):
        for footprint in footprints:
            assert footprint.is_valid
            west, south, east, north = footprint.bounds
            assert -180 <= west < east <= 180
            assert north - south < 0.5
        assert area.difference(shapely.union_all(footprints)).area < 1e-9


@pytest.mark.parametrize(
    ("place", "zones"),
    [("one zone", {32633}), ("zone boundary", {32632, 32633}), ("antimeridian", {32660, 32601}),
     ("equator", {32636, 32736})],
)  # fmt: skip
def test_every_zone_has_granules_that_reach_over_its_boundary(place: str, zones: set[int]) -> None:
    """Pitfalls 37 and 38: what a boundary cuts is published from both sides."""
    tiles = granule_tiles(PLACES[place], 12.0)
    assert {epsg_of(tile.grid) for tile in tiles} == zones
    both = [shapely.union_all([outline(t.grid) for t in tiles if epsg_of(t.grid) == zone]) for zone in zones]
    if len(both) == 2:
        assert both[0].intersection(both[1]).area > 0


def test_granules_lie_on_the_60_m_lattice_and_overlap() -> None:
    tiles = granule_tiles(PLACES["one zone"], 12.0)
    boxes = [shapely.box(*tile.grid.boundingbox.bbox) for tile in tiles]
    for tile in tiles:
        assert tile.grid.shape == (1200, 1200)
        assert tile.grid.transform.c % 60 == 0
        assert tile.grid.transform.f % 60 == 0
    neighbours = [a.intersection(b).area / a.area for a in boxes for b in boxes if a is not b and a.intersects(b)]
    assert max(neighbours) == pytest.approx(0.1, abs=0.02)


def test_a_cut_shares_a_footprint_between_two_parts() -> None:
    grid = GeoBox((600, 600), Affine(10, 0, 300_000, 0, -10, 5_330_000), "EPSG:32633")
    whole = outline(grid)
    cut = HalfSpace.through(whole.centroid.x, whole.centroid.y, 262.0)
    halves = [outline(grid, (side,)) for side in (cut, cut.flipped())]
    assert halves[0].area == pytest.approx(whole.area / 2, rel=0.02)
    assert sum(half.area for half in halves) == pytest.approx(whole.area, rel=1e-6)
    assert halves[0].intersection(halves[1]).area == pytest.approx(0, abs=1e-9)
    assert halves[0].centroid.y > halves[1].centroid.y  # to the right of someone who looks west is north


def test_what_lies_beyond_a_cut_has_no_footprint() -> None:
    grid = GeoBox((60, 60), Affine(10, 0, 300_000, 0, -10, 5_330_000), "EPSG:32633")
    assert outline(grid, (HalfSpace.through(0.0, 48.0, 0.0).flipped(),)).is_empty


def test_a_shape_across_180_becomes_two() -> None:
    parts = wrap(shapely.box(179.5, 10, 181, 11))
    assert parts.geom_type == "MultiPolygon"
    assert sorted(np.round([part.bounds[0] for part in parts.geoms], 6)) == [-180, 179.5]
    assert parts.area == pytest.approx(1.5)
