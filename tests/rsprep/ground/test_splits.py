"""Splits by spatial block: shares, distance on the ground, stability.

All of this is Pitfall 41.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from rsprep.config import Grid, Split
from rsprep.errors import ConfigError
from rsprep.ground.grid import Chip, Lattice, plan_grid
from rsprep.ground.splits import SPLITS, Blocks, assign, block_id, split_of_block
from rsprep.ground.zones import Zone
from tests.rsprep.ground.grids import box, on_ground


def nearest(chips: list[Chip], lon: float, lat: float) -> float:
    """Least distance in metres between chips of different splits."""
    shapes = on_ground(chips, lon, lat, points=8)
    splits = np.array([chip.split for chip in chips])
    least = np.inf
    for split in SPLITS:
        mine, others = shapes[splits == split], shapes[splits != split]
        if len(mine) and len(others):
            _, distance = shapely.STRtree(others).query_nearest(mine, return_distance=True)
            least = min(least, float(distance.min()))
    return least


@given(
    lon=st.sampled_from([6.0, 180.0, 15.3]),
    lat=st.one_of(st.just(0.0), st.floats(-75, 80)),
    chip_size=st.sampled_from([64, 128]),
    buffer_m=st.sampled_from([500.0, 1000.0, 2500.0]),
    partial=st.sampled_from(["drop", "keep"]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=12, deadline=None)
def test_splits_keep_their_distance(
    lon: float, lat: float, chip_size: int, buffer_m: float, partial: str, seed: int
) -> None:
    grid = Grid.model_validate({"chip_size": chip_size, "block_px": 512, "partial": partial})
    split = Split(fractions=(0.5, 0.25, 0.25), block_km=9, buffer_m=buffer_m, seed=seed)
    area = box(lon, lat, 0.3 / math.cos(math.radians(lat)), 0.2)
    chips = [chip for chip in plan_grid(area, grid, split).chips if chip.reject is None]
    assert nearest(chips, lon, lat) > buffer_m * 0.9999  # the projection of the test is true to 1e-5 here


def test_without_a_buffer_splits_touch() -> None:
    """What the buffer is for: the same area without it has neighbours in different splits."""
    area, grid = box(6.0, 45.0, 0.6, 0.4), Grid(chip_size=128)
    without = plan_grid(area, grid, Split(block_km=9, buffer_m=0))
    assert nearest(list(without.chips), 6.0, 45.0) < 1
    assert not any(chip.reject for chip in without.chips)
    with_buffer = plan_grid(area, grid, Split(block_km=9))
    assert with_buffer.n_chips == without.n_chips  # given-up chips are still planned, with their reason
    rejected = [chip for chip in with_buffer.chips if chip.reject]
    assert {chip.reject for chip in rejected} == {"split-buffer"}
    assert "test" not in {chip.split for chip in rejected}  # the highest priority gives nothing up


def test_the_buffer_gives_up_no_more_than_it_must() -> None:
    """Off the zone's edges a chip is given up only if a place nearer than the buffer is of a higher split."""
    chips = list(plan_grid(box(15.0, 45.0, 1.0, 0.7), Grid(chip_size=128), Split(block_km=20)).chips)
    boxes = shapely.box(*np.array([chip.grid.boundingbox.bbox for chip in chips]).T)
    level = np.array([SPLITS.index(chip.split) for chip in chips])
    given_up = np.array([chip.reject is not None for chip in chips])
    one, other = shapely.STRtree(boxes).query(boxes, predicate="dwithin", distance=1000)
    must = np.zeros(len(chips), bool)
    must[one[level[one] < level[other]]] = True
    west, south, east, north = shapely.total_bounds(boxes)
    # at the area's edge the chip of the higher split may lie outside the area
    within = shapely.contains_properly(shapely.box(west + 3000, south + 3000, east - 3000, north - 3000), boxes)
    assert given_up[within].tolist() == must[within].tolist()
    assert 0.05 < given_up.mean() < 0.2


def test_shares_of_blocks_converge_to_the_fractions() -> None:
    counts = np.bincount([split_of_block(block_id(row, 7 * row), Split()) for row in range(40_000)])
    assert counts / 40_000 == pytest.approx([0.7, 0.2, 0.1], abs=0.01)
    assert {split_of_block(block_id(row, 0), Split(fractions=(1, 0, 0))) for row in range(2000)} == {0}
    assert {split_of_block(block_id(row, 0), Split(fractions=(0.5, 0.5, 0))) for row in range(2000)} == {0, 1}
    assert {split_of_block(block_id(row, 0), Split(fractions=(0.5, 0, 0.5))) for row in range(2000)} == {0, 2}


def test_the_hash_is_pinned() -> None:
    """Data sets that exist must keep their splits: a changed hash is a changed schema."""
    drawn = [split_of_block(block_id(row, col), Split(seed=1)) for row in range(4) for col in range(5)]
    assert drawn == PINNED


PINNED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0]


@given(st.floats(-180, 180), st.floats(-90, 90), st.sampled_from([1.0, 20.0, 333.0, 30_000.0]))
def test_blocks_tile_the_globe(lon: float, lat: float, block_km: float) -> None:
    blocks = Blocks(block_km)
    row, col = (int(index) for index in blocks.block_of(lon, lat))
    assert 0 <= row < blocks.n_rows
    assert 0 <= col < blocks.n_cols(row)
    west, south, east, north = blocks.bounds(row, col)
    assert south - 1e-9 <= lat <= north + 1e-9
    assert west - 1e-9 <= (lon + 180) % 360 - 180 <= east + 1e-9
    assert (row, col) in blocks.around(row, col)


def test_blocks_are_about_square_and_close_at_the_antimeridian() -> None:
    blocks = Blocks(20.0)
    for lat in (-79.0, -33.0, 0.0, 48.0, 83.0):
        row, col = (int(index) for index in blocks.block_of(179.999, lat))
        west, south, east, north = blocks.bounds(row, col)
        assert east == pytest.approx(180)
        assert (east - west) * np.cos(np.radians((south + north) / 2)) == pytest.approx(north - south, rel=0.05)
        assert (row, 0) in blocks.around(row, col)


def test_splits_do_not_depend_on_the_zone_or_chip_size() -> None:
    lon, lat = np.linspace(5.7, 6.3, 50), np.full(50, 45.0)
    drawn = []
    for zone, size in ((Zone(31, False), 64), (Zone(32, False), 256)):
        lattice = Lattice.make(zone, size, 10.0)
        row, col = lattice.cell_of(*zone.project(lon, lat))
        drawn.append(assign(lattice, row, col, lon, lat, Split())[0].tolist())
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) > 1


def test_a_buffer_wider_than_a_zone_margin_is_honoured() -> None:
    """The nearest higher block may lie well inside the neighbouring zone."""
    split = Split(fractions=(0.8, 0.0, 0.2), block_km=400, buffer_m=150_000)
    plan = plan_grid(box(9.0, 70.0, 20.0, 5.0), Grid(chip_size=1024), split)
    kept = [chip for chip in plan.chips if chip.reject is None]
    assert 150_000 < nearest(kept, 9.0, 70.0) < 160_000


def test_blocks_that_would_be_all_buffer_are_refused() -> None:
    with pytest.raises(ConfigError, match="config/block-too-small"):
        plan_grid(box(15.0, 45.0, 0.5, 0.5), Grid(), Split(block_km=5))
