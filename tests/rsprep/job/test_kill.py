"""Kill −9 in every stage, and of workers; ``benchmarks/kill_drill.py`` does the same at ten times as many moments."""

from __future__ import annotations

import random
from pathlib import Path

from rsprep.job.verify import verify
from tests.rsprep.job.conftest import Undisturbed
from tests.rsprep.job.drill import STAGES, finish, kill_build, kill_workers
from tests.rsprep.job.tiny import TinySource, different_files, digests_of, leftovers, pixel_files


def check_equal(folder: Path, undisturbed: Undisturbed) -> None:
    """The data set in `folder` is the undisturbed one: no chip lost, altered or doubled, no byte another."""
    dataset = folder / "chips"
    report = verify(dataset)
    assert report.ok, report
    assert report.checked == len(undisturbed.digests)
    assert digests_of(dataset) == undisturbed.digests
    assert different_files(pixel_files(dataset), undisturbed.files) == []
    assert leftovers(folder) == []


def test_killed_in_every_stage_the_same_command_ends_as_if_undisturbed(
    tiny: TinySource, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    """Workers die with their build; and threads may finish what processes began."""
    rng = random.Random(1)
    fell_in = []
    for stage in STAGES:
        scheduler = "processes" if stage == "write" else "threads"
        recipe = tiny.recipe(tmp_path, engine={"scheduler": scheduler, "workers": 2})
        kill = kill_build(recipe, tmp_path / "chips", stage, rng.uniform(0, 0.05))
        assert kill.orphans == 0
        fell_in.append(kill.fell_in)
    assert len({*fell_in} - {"over"}) >= 3, fell_in
    code, _ = finish(tiny.recipe(tmp_path))
    assert code == 0
    check_equal(tmp_path, undisturbed)


def test_a_worker_that_is_killed_loses_nothing(tiny: TinySource, undisturbed: Undisturbed, tmp_path: Path) -> None:
    recipe = tiny.recipe(tmp_path, engine={"scheduler": "processes", "workers": 2})
    code, kills = kill_workers(recipe, tmp_path / "chips", 2, random.Random(2), 0.2)
    assert code == 0
    assert kills
    check_equal(tmp_path, undisturbed)
