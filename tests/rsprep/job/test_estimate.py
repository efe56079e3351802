"""The figures of a dry run against counts by hand, and against what a build then reads and writes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from rsprep.config import make_config
from rsprep.job.estimate import DECODE_BYTES_PER_SECOND, START_SECONDS, estimate
from rsprep.job.journal_view import JournalView
from rsprep.job.plan import make_plan
from rsprep.multisource import build, dry_run
from tests.rsprep.cli.workplace import write_workplace


def test_estimate(tmp_path: Path) -> None:
    settings = make_config(yaml.safe_load(write_workplace(tmp_path).recipe.read_text()))
    plan = make_plan(settings)
    grid = plan.cut()
    found = estimate(plan, grid)
    chips = sum(1 for shard in grid.shards for _ in shard.to_build)
    assert found.chips == grid.counts()
    assert sum(count for name, count in found.chips.items() if name in ("train", "val", "test")) == chips == 16
    assert found.granules == {"sentinel2": 1, "sentinel1": 1, "landcover": 1, "dem": 1}
    pixels = chips * 16 * 16
    # 2 bytes a pixel of B04 and of SCL, of twice the side; 4 of VV and of the label; DEM pixels are 37 m by 56 m.
    dem = pixels * 100 / (0.0005 * 111_320) ** 2 / 0.6686 * 4
    assert found.read_bytes == pytest.approx(pixels * (2 + 2 / 4 + 4 + 4) + dem, rel=0.01)
    assert found.store_bytes == plan.schema.shard_bytes * len(grid.shards)
    assert found.workers == 1
    assert found.seconds == pytest.approx(START_SECONDS + found.read_bytes / DECODE_BYTES_PER_SECOND)


def test_a_build_stays_within_its_estimate(tmp_path: Path) -> None:
    """The bytes to write are an upper bound; so is the number of chips."""
    settings = yaml.safe_load(write_workplace(tmp_path).recipe.read_text())
    figures = dry_run(settings).figures
    outcome = build(settings)
    with JournalView.open(outcome.dataset) as journal:
        assert journal.counts().committed == 16
    written = sum(path.stat().st_size for path in (outcome.dataset / "chips.zarr").rglob("c/*/**/*") if path.is_file())
    assert 0 < written <= figures.store_bytes
