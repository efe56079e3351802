"""Shards and chips of one place: lattices, names, order, limits."""

from __future__ import annotations

import pickle
from collections.abc import Mapping

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from rsprep.config import Grid, Split
from rsprep.errors import AoiError, ConfigError
from rsprep.ground import cover as cover_module
from rsprep.ground.aoi import Aoi, read_aoi
from rsprep.ground.cover import cover
from rsprep.ground.grid import Lattice, Plan, area_in_zone, plan_grid, zones_near
from rsprep.ground.zones import Zone, zone_number
from tests.rsprep.ground.grids import box
from tests.support import real_data


def plan(aoi: Aoi, offsets: Mapping[int, tuple[float, float]] | None = None, **grid: object) -> Plan:
    return plan_grid(aoi, Grid.model_validate({"chip_size": 64, "block_px": 256, **grid}), Split(), offsets)


def test_zones() -> None:
    assert zone_number([-180, -174.01, 0, 5.999, 6, 179.99, 180]).tolist() == [1, 1, 31, 31, 32, 60, 1]
    assert Zone(1, True).west == Zone(60, True)
    assert Zone.from_epsg(32733) == Zone(33, True)
    assert Zone(33, False).name == "33N"
    with pytest.raises(ValueError, match="not a UTM zone"):
        Zone.from_epsg(32661)
    assert zones_near(read_aoi("179,-1,-179,1").geometry) == [Zone(n, s) for n in (1, 60) for s in (False, True)]


@pytest.mark.parametrize("lat", [48.5, -33.0])
def test_every_grid_is_a_window_of_one_lattice(lat: float) -> None:
    """Pitfall 34: chips are exact windows of their shard's grid; pixel edges are multiples of the resolution."""
    for shard in plan(box(15.4, lat, 0.1, 0.1)).shards:
        for slot, chip in shard.planned:
            row, col = divmod(slot, shard.block_chips)
            left, top = shard.grid.boundingbox.left + 640 * col, shard.grid.boundingbox.top - 640 * row
            assert chip.grid == GeoBox((64, 64), Affine(10, 0, left, 0, -10, top), chip.epsg)
            assert chip.grid.boundingbox.left % 10 == chip.grid.boundingbox.top % 10 == 0
            centre = shapely.Point(chip.lattice.zone.project(chip.lon, chip.lat))
            middle = shapely.centroid(shapely.box(*chip.grid.boundingbox.bbox))
            assert shapely.distance(centre, middle) < 1e-3


@pytest.mark.parametrize("lat", [48.5, -33.0])
def test_source_lattice(lat: float) -> None:
    """Pitfall 35: with the source's own offset no pixel is moved by a fraction; without it the residual is known."""
    epsg = 32633 if lat > 0 else 32733
    for chip in plan(box(15.4, lat, 0.05, 0.05), {epsg: (4.0, 127.5)}).chips:
        assert chip.grid.boundingbox.left % 10 == pytest.approx(4.0)
        assert chip.grid.boundingbox.top % 10 == pytest.approx(7.5)


def test_names_and_slots_are_stable() -> None:
    shards = plan(read_aoi("15.38,48.48,15.48,48.54")).shards
    assert [shard.index for shard in shards] == list(range(len(shards)))
    for shard in shards:
        assert len(shard.chips) == shard.block_chips**2 == 16
        for _, chip in shard.planned:
            x, y = chip.grid.boundingbox.left, chip.grid.boundingbox.bottom
            assert chip.chip_id == f"33N-{round(x / 640):05d}-{round(y / 640):05d}"
            assert shard.shard_id == f"33N-b{chip.col // 4:04d}-{chip.row // 4:04d}"


def test_southern_rows_count_from_the_equator() -> None:
    chip = next(plan(box(15.4, -0.02, 0.05, 0.039)).chips)
    assert chip.row >= 0
    assert chip.grid.boundingbox.top == 10_000_000 - 640 * chip.row
    thirty = Lattice.make(Zone(33, True), 64, 30.0)
    assert 10_000_000 - 30 < thirty.y_anchor <= 10_000_000
    assert thirty.y_anchor % 30 == 0


def test_shards_are_compact_small_and_picklable() -> None:
    whole = plan(box(15.0, 48.0, 0.5, 0.5), chip_size=64, block_px=512)
    sizes = [len(pickle.dumps(shard)) for shard in whole.shards]
    assert max(sizes) < 64 * 64  # bytes for 64 chips
    assert pickle.loads(pickle.dumps(whole.shards[3])) == whole.shards[3]  # noqa: S301  # our own bytes
    assert sum(whole.counts().values()) == whole.n_chips == sum(whole.zones().values())


def test_keep_covers_the_area_and_drop_lies_within() -> None:
    aoi = read_aoi(str(real_data("s2-timeseries-33uwp") / "roi.geojson"))
    area = area_in_zone(aoi.geometry, Zone(33, False), 1.0)
    for partial in ("drop", "keep"):
        chips = list(plan(aoi, partial=partial).chips)
        boxes = [shapely.box(*chip.grid.boundingbox.bbox) for chip in chips]
        if partial == "drop":
            assert all(shapely.covers(shapely.buffer(area, 0.01), boxes))
        else:
            assert shapely.difference(area, shapely.union_all(boxes)).area < 1
            assert all(shapely.intersects(area, boxes))
        assert [chip.inside for chip in chips] == shapely.covers(shapely.buffer(area, 0.01), boxes).tolist()


@pytest.mark.parametrize("name", ["282D_485L_3_3", "38D_378R_2_3", "433D_629L_3_1", "609U_541L_3_0"])
def test_real_regions_give_chips(name: str) -> None:
    aoi = read_aoi(str(real_data("multisource-tiles") / f"region-{name}.geojson"))
    assert 2 * 2 <= plan(aoi).n_chips <= 3 * 3  # regions are 212 px wide, chips 64


@given(
    data=st.lists(st.tuples(st.floats(0, 9), st.floats(0, 9)), min_size=3, max_size=8),
    size=st.sampled_from([16, 64, 200]),
)
def test_cover_equals_brute_force(data: list[tuple[float, float]], size: int) -> None:
    lattice = Lattice.make(Zone(33, False), size, 10.0)
    hull = shapely.convex_hull(shapely.MultiPoint([(5e5 + 1000 * x, 4e6 + 1000 * y) for x, y in data]))
    area = shapely.difference(hull, shapely.box(503_000, 4_003_000, 505_000, 4_005_000))
    row, col, inside = cover(area, lattice)
    (r0, r1), (c0, c1) = lattice.cell_of([499e3, 511e3], [3_999e3, 4_011e3])
    rows, cols = (index.ravel() for index in np.mgrid[r0 : r1 + 1, c0 : c1 + 1])
    boxes = shapely.box(*(lattice.bounds(rows, cols) + np.array([1e-3, 1e-3, -1e-3, -1e-3])).T)
    hit = shapely.intersects(area, boxes)
    expected = zip(rows[hit], cols[hit], shapely.covers(area, boxes)[hit], strict=True)
    assert sorted(zip(row, col, inside, strict=True)) == sorted(expected)


def test_nothing_fits() -> None:
    aoi = box(15.4, 48.5, 0.03, 0.02)  # 2.2 km x 2.2 km
    with pytest.raises(AoiError, match=r"--chip-size \d+") as caught:
        plan(aoi, chip_size=256)
    assert caught.value.name == "aoi/no-chip"
    size = int(caught.value.remedy.split("--chip-size ")[1].split(",")[0])
    assert plan(aoi, chip_size=size).n_chips >= 1
    with pytest.raises(AoiError, match="no-chip"):
        plan(aoi, chip_size=size + 16)
    assert plan(aoi, chip_size=256, partial="keep").n_chips >= 1


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AoiError, match="aoi/too-many"):
        plan(read_aoi("-170,-60,170,70"), chip_size=16)
    with pytest.raises(ConfigError, match="config/chip-too-large"):
        plan(read_aoi("10,80,20,84"), chip_size=1024)
    with pytest.raises(ConfigError, match="config/block-too-small"):
        plan(read_aoi("10,40,11,41"), chip_size=2048)
    monkeypatch.setattr(cover_module, "MAX_CHIPS", 10)
    with pytest.raises(AoiError, match="aoi/too-many"):
        plan(box(15.4, 48.5, 0.1, 0.1))
