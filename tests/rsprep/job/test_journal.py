from __future__ import annotations

import datetime as dt
import gc
import os
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
import shapely

from rsprep.config import make_config
from rsprep.errors import StoreError
from rsprep.granule import Asset, Granule
from rsprep.job.journal import Journal
from rsprep.job.journal_view import JournalView
from rsprep.job.records import ChipResult, PlannedChip, PlannedShard, ShardResult, identity_of

IDENTITY = {"grid.chip_size": 64, "aoi": "a.geojson"}
SLOTS = 4


def planned(n_shards: int, *, excluded: tuple[int, ...] = ()) -> Iterator[PlannedShard]:
    for index in range(n_shards):
        chips = tuple(
            PlannedChip(
                slot=slot,
                chip_id=f"33N-0000-{slot:04d}",
                record={"epsg": 32633, "row": 0, "col": slot, "split": "train"},
                reject="split buffer" if slot in excluded else None,
            )
            for slot in range(index * SLOTS, index * SLOTS + SLOTS)
        )
        yield PlannedShard(index=index, shard_id=f"33N-b{index:04d}", record={"index": index}, chips=chips)


def done(index: int, *, skip: tuple[int, ...] = (), quarantined: tuple[int, ...] = ()) -> ShardResult:
    chips = tuple(
        ChipResult(slot=slot, state="quarantined", reason="read/503")
        if slot in quarantined
        else ChipResult(slot=slot, state="committed", digest=f"{slot:032x}", stats={"valid_fraction": 1.0})
        for slot in range(index * SLOTS, index * SLOTS + SLOTS)
        if slot not in skip
    )
    return ShardResult(index=index, chips=chips, seconds=1.5, bytes_read=10, peak_rss=20)


def granule() -> Granule:
    return Granule(
        id="S2A_1",
        product="sentinel2",
        source="planted",
        collection="l2a",
        datetime=dt.datetime(2021, 6, 1, tzinfo=dt.UTC),
        footprint=shapely.box(0, 0, 1, 1),
        assets={"B04": Asset(href="/b04.tif")},
    )


def test_a_build_from_plan_to_finish_keeps_the_invariant(tmp_path: Path) -> None:
    with Journal.resume(tmp_path, IDENTITY) as journal:
        journal.plan(planned(3, excluded=(1, 8, 9, 10, 11)), [granule()])
        assert [shard.index for shard in journal.pending()] == [0, 1], "shard 2 holds no work"
        assert journal.counts().pending == 7
        assert journal.counts().balanced
        journal.commit(done(0, skip=(1,)))
        journal.fail(1, "read/gave-up")
        counts = journal.counts()
        assert (counts.planned, counts.committed, counts.rejected, counts.quarantined) == (12, 3, 5, 4)
        assert counts.balanced
        assert counts.finished
        assert journal.reasons() == [("rejected", "split buffer", 5), ("quarantined", "read/gave-up", 4)]
        assert [g.to_json() for g in journal.granules("sentinel2")] == [granule().to_json()]
        assert next(iter(journal.chips("committed"))).stats == {"valid_fraction": 1.0}


def test_pending_goes_on_while_shards_are_committed(tmp_path: Path) -> None:
    with Journal.resume(tmp_path, IDENTITY) as journal:
        journal.plan(planned(5))
        seen = []
        for shard in journal.pending():
            seen.append(shard.index)
            journal.commit(done(shard.index))
        assert seen == [0, 1, 2, 3, 4]
        assert journal.counts().finished


def test_retry_plans_the_whole_shard_again_but_not_what_the_plan_left_out(tmp_path: Path) -> None:
    with Journal.resume(tmp_path, IDENTITY) as journal:
        journal.plan(planned(3, excluded=(0,)))
        journal.commit(done(0, skip=(0,), quarantined=(2,)))
        journal.fail(1, "worker died")
        journal.commit(done(2))
        assert journal.retry_failed() == 2
        assert [shard.index for shard in journal.pending()] == [0, 1]
        journal.commit(done(0, skip=(0,)))
        journal.commit(done(1))
        counts = journal.counts()
        assert (counts.committed, counts.rejected, counts.quarantined) == (11, 1, 0)
        assert [shard.attempts for shard in journal.shards()] == [2, 2, 1]


def test_a_commit_that_does_not_fit_changes_nothing(tmp_path: Path) -> None:
    with Journal.resume(tmp_path, IDENTITY) as journal:
        journal.plan(planned(2))
        with pytest.raises(ValueError, match="1 chips of shard 0 have no outcome"):
            journal.commit(done(0, skip=(3,)))
        with pytest.raises(ValueError, match="slot 4 is no pending chip"):
            journal.commit(ShardResult(index=0, chips=done(1).chips))
        assert journal.counts().pending == 8
        journal.commit(done(0))
        with pytest.raises(ValueError, match="shard 0 is not pending"):
            journal.commit(done(0))


def test_rejecting_afterwards_moves_committed_chips_only(tmp_path: Path) -> None:
    with Journal.resume(tmp_path, IDENTITY) as journal:
        journal.plan(planned(1))
        journal.commit(done(0, quarantined=(1,)))
        journal.reject([(0, "quota of class 6")])
        with pytest.raises(ValueError, match="slot 1"):
            journal.reject([(2, "x"), (1, "x")])
        counts = journal.counts()
        assert (counts.committed, counts.rejected, counts.quarantined) == (2, 1, 1)


def test_another_configuration_is_refused_and_named(tmp_path: Path) -> None:
    Journal.resume(tmp_path, IDENTITY).close()
    Journal.resume(tmp_path, IDENTITY).close()
    with pytest.raises(StoreError, match=r"\(aoi, extra\)") as caught:
        Journal.resume(tmp_path, {"grid.chip_size": 64, "aoi": "b.geojson", "extra": 1})
    assert caught.value.slug == "other-config"
    Journal.resume(tmp_path, IDENTITY).close()  # the refusal let the lock go


def test_identity_leaves_out_where_the_work_runs() -> None:
    here = make_config({"aoi": "0,0,1,1", "out": "a", "engine": {"workers": 1}})
    there = make_config({"aoi": "0,0,1,1", "out": "b", "engine": {"workers": 8}, "catalog": "elsewhere"})
    other = make_config({"aoi": "0,0,1,1", "out": "a", "grid": {"chip_size": 64}})
    assert identity_of(here) == identity_of(there)
    first, second = identity_of(here), identity_of(other)
    assert [key for key in first if first[key] != second[key]] == ["grid.chip_size"]


def test_the_lock_names_its_holder_and_dies_with_it(tmp_path: Path) -> None:
    script = (
        "import sys, time; from rsprep.job.journal import Journal\n"
        f"journal = Journal.resume({str(tmp_path)!r}, {IDENTITY!r}); print('held', flush=True); time.sleep(20)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StoreError, match=f"process {holder.pid} on") as caught:
            Journal.resume(tmp_path, IDENTITY)
        assert caught.value.slug == "locked"
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    Journal.resume(tmp_path, IDENTITY).close()


def test_looking_takes_no_lock_and_cannot_write(tmp_path: Path) -> None:
    with Journal.resume(tmp_path, IDENTITY) as journal:
        journal.plan(planned(1))
        with JournalView.open(tmp_path) as view:
            assert view.counts().pending == 4
    with pytest.raises(StoreError, match="no data set here"):
        JournalView.open(tmp_path / "nowhere")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "journal.sqlite").write_bytes(b"this is not a database" * 100)
    with pytest.raises(StoreError) as caught:
        JournalView.open(tmp_path / "bad")
    assert caught.value.slug == "not-a-journal"


def test_killed_while_committing_a_shard_is_recorded_wholly_or_not_at_all(tmp_path: Path) -> None:
    """Kill −9 in a loop: no shard is half recorded, and what was acknowledged is there."""
    script = (
        "import sys; from rsprep.job.journal import Journal; from tests.rsprep.job.test_journal import *\n"
        f"journal = Journal.resume({str(tmp_path)!r}, IDENTITY)\n"
        "if not journal.is_planned: journal.plan(planned(4000))\n"
        "for shard in journal.pending():\n"
        "    journal.commit(done(shard.index)); print(shard.index, flush=True)"
    )
    acknowledged = -1
    for wanted in (1, 7, 20):
        environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
        with subprocess.Popen(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment
        ) as writer:
            assert writer.stdout is not None
            for _ in range(wanted):
                acknowledged = int(writer.stdout.readline())
            writer.kill()
            acknowledged = max([acknowledged, *(int(line) for line in writer.stdout.read().split())])
        with JournalView.open(tmp_path) as view:
            counts = view.counts()
            assert counts.balanced
            assert counts.committed == SLOTS * counts.shards_done
            assert counts.shards_done >= acknowledged + 1


def test_memory_does_not_grow_with_the_plan(tmp_path: Path) -> None:
    def peak(n_shards: int) -> int:
        gc.collect()
        gc.set_threshold(1)  # garbage in cycles is no growth, whenever it happens to be collected
        tracemalloc.start()
        with Journal.resume(tmp_path / str(n_shards), IDENTITY) as journal:
            journal.plan(planned(n_shards))
            assert sum(1 for _ in journal.chips()) == n_shards * SLOTS
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        gc.set_threshold(*usual)
        return size

    usual = gc.get_threshold()
    peak(300)  # caches fill once
    assert peak(3000) < 1.2 * peak(600)
