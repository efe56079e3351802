from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from rsprep.config import Grid, Split
from rsprep.ground.aoi import read_aoi
from rsprep.ground.grid import plan_grid
from rsprep.job.journal import Journal
from rsprep.job.planning import planned_shards, shard_of


def test_the_journal_gives_back_the_shards_it_was_given(tmp_path: Path) -> None:
    aoi = read_aoi("5.9,49.0,6.1,49.1")
    grid = Grid(chip_size=128, block_px=256, partial="keep")
    plan = plan_grid(aoi, grid, Split(block_km=6, buffer_m=1500))
    assert {chip.reject for chip in plan.chips} == {None, "split-buffer"}
    with Journal.resume(tmp_path, {}) as journal:
        journal.plan(planned_shards(plan.shards))
        assert [asdict(shard_of(journal, row)) for row in journal.shards()] == [asdict(s) for s in plan.shards]
        counts = journal.counts()
        assert counts.planned == plan.n_chips
        assert counts.rejected == sum(1 for chip in plan.chips if chip.reject)
        chips = {chip.chip_id: chip for chip in plan.chips}
        for row in journal.chips():
            corner = chips[row.chip_id].grid.affine
            assert (row.record["x_origin"], row.record["y_origin"]) == (corner.c, corner.f)
            assert row.slot // grid.block_chips**2 == row.shard_index
