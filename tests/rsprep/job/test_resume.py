"""Interrupted, refused, full, frozen, mended: what a second command makes of a data set that a first one left."""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import rsprep
from rsprep.cli.main import main
from rsprep.config import Engine, make_config
from rsprep.errors import BuildError, StoreError
from rsprep.job import shard as shard_module
from rsprep.job.engine import run_all
from rsprep.job.journal import Journal
from rsprep.job.journal_view import FILE_NAME, JournalView
from rsprep.job.plan import build_identity
from rsprep.job.verify import verify
from rsprep.store.write import write_shard
from tests.rsprep.job.conftest import Undisturbed
from tests.rsprep.job.drill import GRACE, running_build
from tests.rsprep.job.test_kill import check_equal
from tests.rsprep.job.tiny import TinySource, digests_of, write_tiny


def test_ctrl_c_stops_the_workers_and_says_how_to_go_on(
    tiny: TinySource, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    """A terminal sends the interrupt to the whole process group, workers included."""
    recipe = tiny.recipe(tmp_path, engine={"scheduler": "processes", "workers": 2})
    with running_build(recipe) as build:
        assert build.wait_until(lambda: build.stage == "build" and any((tmp_path / "chips").glob("chips.zarr/*/c/*")))
        os.killpg(build.process.pid, signal.SIGINT)
        assert build.process.wait(60) == 130
    texts = [event["text"] for event in build.events if event["event"] == "text"]
    assert texts == ["stopped; the same command goes on from here"]
    with JournalView.open(tmp_path / "chips") as journal:
        counts = journal.counts()
        assert counts.balanced
        assert counts.pending
        assert not counts.quarantined
    rsprep.build(tiny.settings(tmp_path))
    check_equal(tmp_path, undisturbed)


def test_a_second_build_at_the_same_time_is_refused(
    tiny: TinySource, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    identity = build_identity(make_config(tiny.settings(tmp_path)))
    with Journal.resume(tmp_path / "chips", identity):
        assert main(["build-multisource", "--config", str(tiny.recipe(tmp_path))]) == 2
    assert f"store/locked another build is writing this data set (process {os.getpid()}" in capsys.readouterr().err


def test_a_build_that_was_outrun_while_it_planned_is_refused(
    tiny: TinySource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two commands at the same moment both find nothing; the later one must not record a second plan."""
    settings = tiny.settings(tmp_path)
    monkeypatch.setattr("rsprep.multisource.preflight", lambda plan, grid: None)
    rsprep.build(settings)
    monkeypatch.setattr("rsprep.multisource.is_begun", lambda dataset: False)
    with pytest.raises(StoreError, match="at the same moment"):
        rsprep.build(settings)


@pytest.mark.parametrize(
    ("changes", "keys"),
    [
        ({"grid": {"chip_size": 64, "block_px": 64}}, "grid.chip_size"),
        ({"layers": ["s2", "s1", "lulc"]}, "layers"),
        ({"select": {"min_valid": 0.5}, "layers": ["s2"]}, "layers, select.min_valid"),
        ({"aoi": "15.0,48.0,15.01,48.01"}, "aoi"),
    ],
)
def test_other_settings_are_refused_by_name(
    changes: dict[str, Any], keys: str, tiny: TinySource, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    identity = build_identity(make_config(tiny.settings(tmp_path, layers=["s2", "s1"])))
    if "layers" not in changes:
        changes = {**changes, "layers": ["s2", "s1"]}
    Journal.resume(tmp_path / "chips", identity).close()
    assert main(["build-multisource", "--config", str(tiny.recipe(tmp_path, **changes))]) == 2
    said = capsys.readouterr().err
    assert f"store/other-config the data set was begun with another configuration ({keys})" in said


def test_settings_that_change_no_pixel_may_change(
    tiny: TinySource,
    undisturbed: Undisturbed,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    interrupt_after(3, monkeypatch)
    assert main(["build-multisource", "--config", str(tiny.recipe(tmp_path))]) == 130
    assert capsys.readouterr().err.endswith("stopped; the same command goes on from here\n")
    monkeypatch.undo()
    rsprep.build(tiny.settings(tmp_path, engine={"scheduler": "threads", "workers": 1, "retries": 0}))
    check_equal(tmp_path, undisturbed)


def interrupt_after(shards: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the coordinator once some shards are recorded."""
    commit = Journal.commit
    left = [shards]

    def counting(self: Journal, result: Any) -> None:
        commit(self, result)
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt

    monkeypatch.setattr(Journal, "commit", counting)


def test_a_death_before_the_journal_has_tables_is_no_beginning(
    tiny: TinySource, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    (tmp_path / "chips").mkdir()
    sqlite3.connect(tmp_path / "chips" / FILE_NAME).close()
    (tmp_path / "chips" / FILE_NAME).touch()
    rsprep.build(tiny.settings(tmp_path))
    check_equal(tmp_path, undisturbed)


def test_a_corrupt_file_costs_its_own_chips_and_they_come_back_once_it_is_mended(
    undisturbed: Undisturbed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pitfalls 4 and 7: quarantined with the reason, exit code 1; a retry does the broken shards only."""
    source = write_tiny(tmp_path / "source", 224)
    broken = source.file("s2-east-nir")
    whole = broken.read_bytes()
    broken.write_bytes(whole[: len(whole) // 8])
    recipe = source.recipe(tmp_path)
    assert main(["build-multisource", "--config", str(recipe)]) == 1
    dataset = tmp_path / "chips"
    with JournalView.open(dataset) as journal:
        lost = list(journal.chips("quarantined"))
        shards_lost = {chip.shard_index for chip in lost}
    assert 0 < len(lost) < len(undisturbed.digests)
    assert all("sentinel2 s2-east: read/" in chip.reason for chip in lost)
    assert all(chip.record["x_origin"] + 320 > 503_200 for chip in lost), "only chips that the granule touches"
    good = digests_of(dataset)
    assert good == {name: undisturbed.digests[name] for name in good}
    assert verify(dataset).ok

    assert main(["build-multisource", "--config", str(recipe)]) == 1, "it is not tried again unless asked for"
    broken.write_bytes(whole)
    assert main(["build-multisource", "--config", str(recipe), "--retry-failed"]) == 0
    with JournalView.open(dataset) as journal:
        assert {shard.index for shard in journal.shards() if shard.attempts == 2} == shards_lost
        assert {shard.attempts for shard in journal.shards()} == {1, 2}
    check_equal(tmp_path, undisturbed)


def test_a_retry_breaks_the_seal_before_it_writes(tiny: TinySource, tmp_path: Path) -> None:
    """Killed right after the journal took the retry: the next command must not write into a sealed store."""
    rsprep.build(tiny.settings(tmp_path))
    seen = []

    def look(path: Path, *rest: Any) -> None:
        with pytest.raises(StoreError, match="unsealed"):
            rsprep.open(tmp_path / "chips")
        seen.append(path)
        write_shard(path, *rest)

    with sqlite3.connect(tmp_path / "chips" / FILE_NAME) as journal:
        journal.execute("UPDATE shards SET state = 'planned' WHERE shard_index = 5")
        journal.execute("UPDATE chips SET state = 'planned', digest = '' WHERE shard_index = 5 AND NOT excluded")
    journal.close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shard_module, "write_shard", look)
        rsprep.build(tiny.settings(tmp_path))
    assert len(seen) == 1


def test_a_full_disk_ends_the_build_and_costs_nothing(
    tiny: TinySource, undisturbed: Undisturbed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [4]

    def filling(*arguments: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "s2/c/7")
        write_shard(*arguments)

    monkeypatch.setattr(shard_module, "write_shard", filling)
    with pytest.raises(BuildError, match="build/disk-full") as caught:
        rsprep.build(tiny.settings(tmp_path))
    assert caught.value.exit_code == 1
    with JournalView.open(tmp_path / "chips") as journal:
        counts = journal.counts()
        assert counts.balanced
        assert counts.quarantined == 0, "a full disk is no fault of a chip"
        assert counts.pending
    monkeypatch.undo()
    rsprep.build(tiny.settings(tmp_path))
    check_equal(tmp_path, undisturbed)


def test_a_task_of_a_build_that_is_over_does_not_write(
    tiny: TinySource, undisturbed: Undisturbed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that was frozen, or that outlived its coordinator on a cluster, wakes up after the seal."""
    late: list[shard_module.ShardTask] = []

    def remembering(work: Any, tasks: Iterable[Any], engine: Engine, **more: Any) -> Any:
        late.extend(tasks)
        return run_all(work, late, engine, **more)

    monkeypatch.setattr("rsprep.job.drive.run_all", remembering)
    rsprep.build(tiny.settings(tmp_path))
    with pytest.raises(BuildError, match="build/superseded"):
        shard_module.run_shard(late[0])
    monkeypatch.setattr(shard_module, "make_layers", lambda task, reader: pytest.fail("it began to read"))
    with pytest.raises(BuildError, match="build/superseded"):
        shard_module.run_shard(late[0])
    check_equal(tmp_path, undisturbed)


def test_a_frozen_worker_is_given_up(tiny: TinySource, undisturbed: Undisturbed, tmp_path: Path) -> None:
    recipe = tiny.recipe(tmp_path, engine={"scheduler": "processes", "workers": 2, "worker_ttl": 1})
    with running_build(recipe) as build:
        assert build.wait_until(lambda: build.stage == "build" and any((tmp_path / "chips").glob("chips.zarr/*/c/*")))
        workers = build.workers()
        assert workers
        workers[0].suspend()
        assert build.process.wait(60) == 0
        assert workers[0].wait(GRACE) is None or not workers[0].is_running()
    check_equal(tmp_path, undisturbed)
