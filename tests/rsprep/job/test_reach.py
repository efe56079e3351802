"""Ground that shards and areas reach, also where longitudes are cut."""

from __future__ import annotations

import pytest
import shapely

from rsprep.config import Grid, Split
from rsprep.ground.aoi import read_aoi
from rsprep.ground.grid import plan_grid
from rsprep.job.reach import shard_outline, widened


@pytest.mark.parametrize("box", ["179.9,10,-179.9,10.1", "5.95,-0.05,6.05,0.05", "12.6,67.9,12.8,68.0"])
def test_a_shard_reaches_all_of_its_chips(box: str) -> None:
    """Pitfall 37: also across 180°, where an outline that is not cut would span the globe."""
    plan = plan_grid(read_aoi(box), Grid(partial="keep"), Split(buffer_m=0))
    for shard in plan.shards:
        outline = shard_outline(shard)
        assert outline.area < 1
        assert -180 <= outline.bounds[0] <= outline.bounds[2] <= 180
        assert all(outline.contains(shapely.Point(chip.lon, chip.lat)) for _, chip in shard.planned)


def test_what_grows_beyond_the_antimeridian_comes_in_on_the_other_side() -> None:
    grown = widened(shapely.box(179.5, 0, 180, 0.5), 0.25)
    assert grown.contains(shapely.Point(-179.9, 0.25))
    assert not grown.contains(shapely.Point(-179.5, 0.25))
    assert grown.bounds[2] == 180
