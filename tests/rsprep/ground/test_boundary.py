"""Ground is covered once and only once where zones, hemispheres and the antimeridian meet.

All of this is Pitfall 38, and Pitfall 37 at 180°.
"""

from __future__ import annotations

import math

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from rsprep.config import Grid, Split
from rsprep.ground.grid import Plan, plan_grid
from rsprep.ground.lattice import Lattice
from rsprep.ground.zones import Zone, zone_number
from tests.rsprep.ground.grids import box, on_ground

PLACES = st.tuples(
    st.sampled_from([6.0, 180.0, -174.0, 30.0]),
    st.one_of(st.sampled_from([0.0, 45.0, -17.0, 78.0]), st.floats(-79, 83)),
    st.floats(-2, 2),
)
SIZES = st.tuples(st.floats(8, 16), st.floats(4, 8))
"""Width and height in chips."""
GRIDS = st.builds(
    Grid,
    chip_size=st.sampled_from([64, 96, 128]),
    resolution=st.sampled_from([10.0, 20.0, 30.0]),
    block_px=st.sampled_from([256, 512]),
)


def planned(place: tuple[float, float, float], size: tuple[float, float], grid: Grid) -> tuple[Plan, float, float]:
    """Plan of an area across a boundary, and the longitude and latitude of its middle."""
    lon, lat, width, height = extent(place, size, grid)
    return plan_grid(box(lon, lat, width, height), grid, Split()), lon, lat


def extent(place: tuple[float, float, float], size: tuple[float, float], grid: Grid) -> tuple[float, ...]:
    """Middle, width and height in degrees of an area that is given in chips."""
    edge, lat, shift = place
    height = grid.chip_size * grid.resolution / 111_195
    width = height / math.cos(math.radians(lat))
    return edge + shift * width, lat, size[0] * width, size[1] * height


@given(PLACES, SIZES, GRIDS)
@settings(max_examples=25, deadline=None)
def test_no_two_chips_share_ground(place: tuple[float, float, float], size: tuple[float, float], grid: Grid) -> None:
    whole, lon, lat = planned(place, size, grid)
    chips = list(whole.chips)
    assert all(zone_number(chip.lon) == chip.lattice.zone.number for chip in chips)
    assert all((chip.lat < 0) == chip.lattice.zone.south for chip in chips)
    assert len({chip.chip_id for chip in chips}) == len(chips)
    shapes = on_ground(chips, lon, lat)
    first, second = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    codes = np.array([chip.epsg for chip in chips])
    pairs = (first < second) & (codes[first] != codes[second])
    shared = shapely.area(shapely.intersection(shapes[first[pairs]], shapes[second[pairs]]))
    assert shared.max(initial=0) < 1e-2 * grid.chip_size * grid.resolution  # a line of a centimetre: rounding


@given(PLACES, SIZES, GRIDS, st.floats(1, 5))
@settings(max_examples=12, deadline=None)
def test_chips_stay_when_the_area_grows(
    place: tuple[float, float, float], size: tuple[float, float], grid: Grid, more: float
) -> None:
    """Pitfall 41 too: a chip keeps its name, its place, its split and its verdict."""
    small, _, _ = planned(place, size, grid)
    large, _, _ = planned(place, (size[0] + more, size[1] + more), grid)
    before = {chip.chip_id: chip for chip in small.chips if chip.inside}
    after = {chip.chip_id: chip for chip in large.chips}
    assert all(after[name] == chip for name, chip in before.items())


@given(PLACES, SIZES, GRIDS, st.integers(0, 2**32))
@settings(max_examples=12, deadline=None)
def test_keep_covers_every_point_once(
    place: tuple[float, float, float], size: tuple[float, float], grid: Grid, seed: int
) -> None:
    whole, _, _ = planned(place, size, grid.model_copy(update={"partial": "keep"}))
    lon, lat, width, height = extent(place, size, grid)
    rng = np.random.default_rng(seed)
    lons = lon + rng.uniform(-0.5, 0.5, 300) * width
    lats = lat + rng.uniform(-0.5, 0.5, 300) * height
    owners = np.zeros(300, int)
    for zone in (Zone.from_epsg(epsg) for epsg in whole.lattices):
        owners += _owned(whole, zone, lons, lats)
    # pixels that the western chips' edge cuts belong to one side; points in them may be seen twice or not at all
    clear = ~_near_western_edges(grid, place[0], lons, lats)
    assert np.count_nonzero(clear) > 200
    assert set(owners[clear].tolist()) == {1}


def _owned(whole: Plan, zone: Zone, lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """How many chips of a zone own each point (0 or 1)."""
    lattice = whole.lattices[zone.epsg]
    by_cell = {(chip.row, chip.col): (shard, chip) for shard in whole.shards for _, chip in shard.planned
               if chip.epsg == zone.epsg}  # fmt: skip
    x, y = zone.project(lon, lat)
    counts = np.zeros(len(lon), int)
    masks: dict[tuple[int, int], np.ndarray | None] = {}
    for at, (row, col) in enumerate(zip(*lattice.cell_of(x, y), strict=True)):
        if (row, col) not in by_cell:
            continue
        shard, chip = by_cell[row, col]
        if (row, col) not in masks:
            masks[row, col] = shard.owned(chip)
        mask = masks[row, col]
        bounds, pixel = chip.grid.boundingbox, lattice.resolution
        counts[at] = mask is None or mask[int((bounds.top - y[at]) / pixel), int((x[at] - bounds.left) / pixel)]
    return counts


def _near_western_edges(grid: Grid, edge: float, lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Points within a pixel's diagonal of a chip edge of the zone west of `edge`, or of the equator."""
    near = np.abs(lat) * 111_000 < 1.5 * grid.resolution
    for south in (False, True):
        zone = Zone(int(zone_number(edge)), south).west
        lattice = Lattice.make(zone, grid.chip_size, grid.resolution)
        x, y = zone.project(lon, lat)
        for distance in ((x - lattice.x_anchor) % lattice.side, (y - lattice.y_anchor) % lattice.side):
            near |= (np.minimum(distance, lattice.side - distance) < grid.resolution) & (south == (lat < 0))
    return near


def test_the_gap_along_a_boundary_is_narrower_than_a_chip() -> None:
    whole = plan_grid(box(6.0, 48.0, 0.6, 0.3), Grid(chip_size=128, block_px=512), Split())
    shapes = on_ground(whole.chips, 6.0, 48.0)
    middle = shapely.box(-15e3, -10e3, 15e3, 10e3)
    gap = shapely.difference(middle, shapely.union_all(shapes))
    # a strip as wide as a chip's diagonal would hold a disc of half a diagonal
    assert shapely.maximum_inscribed_circle(shapely.get_parts(gap)).size
    widest = max(shapely.length(shapely.maximum_inscribed_circle(part)) for part in shapely.get_parts(gap))
    assert 2 * widest < 1280 * math.sqrt(2)


def test_only_boundary_chips_are_clipped() -> None:
    whole = plan_grid(box(6.0, 48.0, 0.6, 0.3), Grid(chip_size=128, block_px=512, partial="keep"), Split())
    clipped = [(shard, chip) for shard in whole.shards for _, chip in shard.planned if chip.clipped]
    assert clipped
    assert all(chip.epsg == 32632 and abs(chip.lon - 6) < 0.03 for _, chip in clipped)
    masks = [shard.owned(chip) for shard, chip in clipped]
    assert all(mask is not None and mask.shape == (128, 128) and mask.any() for mask in masks)
    assert any(mask is not None and not mask.all() for mask in masks)
