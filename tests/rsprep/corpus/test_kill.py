"""Kill −9 a corpus in every stage: the same command ends as if nobody had disturbed it."""

from __future__ import annotations

import random
import time
from pathlib import Path

import numpy as np
import pytest

from rsprep.job.verify import verify
from tests.rsprep.corpus.scenes import save
from tests.rsprep.job.drill import running
from tests.rsprep.job.tiny import different_files, digests_of, leftovers, pixel_files, rsprep_command

STAGES = ("plan", "build", "build", "seal", "catalog", "report")
SIZE = 16


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two scenes of 1,250 chips each."""
    folder = tmp_path_factory.mktemp("large") / "scenes"
    rng = np.random.default_rng(5)
    for name in ("a", "b"):
        save(folder / "images" / f"{name}.png", rng.integers(0, 255, (3, 400, 800)).astype(np.uint8))
        save(folder / "masks" / f"{name}.png", rng.integers(0, 4, (400, 800)).astype(np.uint8))
    return folder


def arguments(scenes: Path, *options: str) -> list[str]:
    size = ("--size", str(SIZE), "--split", "block", "--workers", "2")
    return rsprep_command("semantic-masks", str(scenes), "corpus", "--classes", "scenes-lulc4", *size, *options)


def test_killed_in_every_stage_the_same_command_ends_as_if_undisturbed(scenes: Path, tmp_path: Path) -> None:
    calm, rough = tmp_path / "calm", tmp_path / "rough"
    for folder in (calm, rough):
        folder.mkdir()
    with running(arguments(scenes), calm) as corpus:
        assert corpus.process.wait(120) == 0
    rng = random.Random(3)
    fell_in = set()
    for stage in STAGES:
        scheduler = "processes" if stage == "build" else "threads"
        with running(arguments(scenes, "--scheduler", scheduler), rough) as corpus:
            corpus.wait_until(lambda corpus=corpus, stage=stage: corpus.stage == stage)  # type: ignore[misc]
            time.sleep(rng.uniform(0, 0.05))
            corpus.process.kill()
            fell_in.add(corpus.stage if corpus.process.wait() else "over")
    assert len(fell_in - {"over"}) >= 3, fell_in
    with running(arguments(scenes), rough) as corpus:
        assert corpus.process.wait(120) == 0
    result = verify(rough / "corpus")
    assert result.ok, result
    assert digests_of(rough / "corpus") == digests_of(calm / "corpus")
    assert different_files(pixel_files(rough / "corpus"), pixel_files(calm / "corpus")) == []
    assert leftovers(rough) == []
