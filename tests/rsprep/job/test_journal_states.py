"""The journal's sum holds after every step, whatever the order of steps: planned = what became of the chips."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rsprep.errors import BuildError
from rsprep.job.halt import stopping_loudly
from rsprep.job.journal import Journal
from rsprep.job.records import ChipResult, Outcome, ShardResult
from tests.rsprep.job.test_journal import IDENTITY, SLOTS, done, planned

SHARDS = 5
STATES: tuple[Outcome, ...] = ("committed", "rejected", "quarantined")


class JournalSteps(RuleBasedStateMachine):
    """A journal beside a plain dictionary of what each chip should be."""

    @initialize(excluded=st.sets(st.integers(0, SHARDS * SLOTS - 1)))
    def plan(self, excluded: set[int]) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.excluded = excluded
        self.chips = {slot: "rejected" if slot in excluded else "planned" for slot in range(SHARDS * SLOTS)}
        self.journal = Journal.resume(self.folder, IDENTITY)
        self.journal.plan(planned(SHARDS, excluded=tuple(excluded)))

    def pending(self) -> list[int]:
        return [shard for shard in range(SHARDS) if "planned" in self.states_of(shard).values()]

    def states_of(self, shard: int) -> dict[int, str]:
        return {slot: state for slot, state in self.chips.items() if slot // SLOTS == shard}

    @precondition(lambda self: self.pending())
    @rule(data=st.data())
    def commit(self, data: st.DataObject) -> None:
        shard = data.draw(st.sampled_from(self.pending()))
        slots = [slot for slot, state in self.states_of(shard).items() if state == "planned"]
        outcomes = {slot: data.draw(st.sampled_from(STATES)) for slot in slots}
        chips = tuple(
            ChipResult(slot=slot, state=state, digest="ab")
            if state == "committed"
            else ChipResult(slot=slot, state=state, reason="why")
            for slot, state in outcomes.items()
        )
        self.journal.commit(ShardResult(index=shard, chips=chips))
        self.chips |= outcomes

    @precondition(lambda self: self.pending())
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        shard = data.draw(st.sampled_from(self.pending()))
        self.journal.fail(shard, "a worker died")
        self.chips |= {slot: "quarantined" for slot, state in self.states_of(shard).items() if state == "planned"}

    @precondition(lambda self: len(self.pending()) < SHARDS)
    @rule(data=st.data())
    def commit_twice(self, data: st.DataObject) -> None:
        shard = data.draw(st.sampled_from([one for one in range(SHARDS) if one not in self.pending()]))
        with pytest.raises(ValueError, match="is not pending"):
            self.journal.commit(done(shard))

    @rule()
    def retry(self) -> None:
        again = [shard for shard in range(SHARDS) if "quarantined" in self.states_of(shard).values()]
        assert self.journal.retry_failed() == len(again)
        self.chips |= {
            slot: "planned" for shard in again for slot in self.states_of(shard) if slot not in self.excluded
        }

    @precondition(lambda self: "committed" in self.chips.values())
    @rule(data=st.data())
    def reject(self, data: st.DataObject) -> None:
        kept = [slot for slot, state in self.chips.items() if state == "committed"]
        chosen = data.draw(st.sets(st.sampled_from(kept), min_size=1))
        self.journal.reject((slot, "a full quota") for slot in chosen)
        self.chips |= dict.fromkeys(chosen, "rejected")

    @rule()
    def die_and_resume(self) -> None:
        self.journal.close()
        self.journal = Journal.resume(self.folder, IDENTITY)

    @invariant()
    def every_chip_is_accounted_for(self) -> None:
        if not hasattr(self, "journal"):
            return
        counts = self.journal.counts()
        assert counts.balanced
        assert counts.planned == SHARDS * SLOTS
        assert {chip.slot: chip.state for chip in self.journal.chips()} == self.chips
        assert [shard.index for shard in self.journal.pending()] == self.pending()
        assert all(chip.digest for chip in self.journal.chips("committed"))
        assert not any(chip.digest for chip in self.journal.chips() if chip.state != "committed")

    def teardown(self) -> None:
        if hasattr(self, "journal"):
            self.journal.close()
            shutil.rmtree(self.folder)


JournalSteps.TestCase.settings = settings(max_examples=6, stateful_step_count=10, deadline=None)
TestJournalSteps = JournalSteps.TestCase


def test_a_full_disk_is_named_and_leaves_the_journal_whole(tmp_path: Path) -> None:
    """SQLite rolls back by itself on a full disk; its own limit on pages makes the disk full here."""
    with Journal.resume(tmp_path, IDENTITY) as journal:
        journal.plan(planned(3))
        pages = journal._db.execute("PRAGMA page_count").fetchone()[0]
        journal._db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(BuildError, match="build/disk-full"), stopping_loudly():
            journal.set_meta("much", "x" * 100_000)
        assert journal.counts().balanced
        journal.commit(done(0))
        assert journal.counts().committed == SLOTS
