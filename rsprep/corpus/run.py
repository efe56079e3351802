"""Run a corpus: record its plan, make its shards, seal, catalogue and report; the same call resumes."""

from __future__ import annotations

import itertools
import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsprep.cloud.address import Place
from rsprep.corpus.plan import Batch, CorpusChip, CorpusPlan, MadeChip
from rsprep.errors import ConfigError
from rsprep.files import write_text
from rsprep.finish import Outcome, finish
from rsprep.job.desk import at_desk
from rsprep.job.drive import make_pending
from rsprep.job.engine import check_scheduler
from rsprep.job.halt import stopping_loudly
from rsprep.job.journal import Journal
from rsprep.job.journal_view import JournalView, is_begun
from rsprep.job.places import check_out
from rsprep.job.progress import Progress, Silent
from rsprep.job.records import (
    CORPUS,
    SYNTHETIC,
    TABLES,
    ChipResult,
    PlannedChip,
    PlannedShard,
    ShardResult,
    peak_memory,
)
from rsprep.job.seal import reject_chips
from rsprep.overview import LOCK_NAME, overview
from rsprep.overview_corpus import as_record
from rsprep.settings import dump_config
from rsprep.stac import catalog
from rsprep.store.digest import chip_digest
from rsprep.store.fence import require_writer
from rsprep.store.write import write_shard

_NO_PIXEL_DEPENDS_ON = {"engine", "catalog", "out"}


@dataclass(frozen=True, kw_only=True)
class CorpusShard:
    """The chips of one shard that are still to be made."""

    index: int
    shard_id: str
    chips: tuple[tuple[int, CorpusChip], ...]
    """(slot within the shard, chip)."""

    @property
    def pending(self) -> int:
        """Chips that are still to be made."""
        return len(self.chips)


@dataclass(frozen=True, kw_only=True)
class CorpusTask:
    """Everything a worker needs for one shard."""

    shard: CorpusShard
    plan: CorpusPlan
    """Without its chips."""
    store: str
    token: str


def run_corpus(plan: CorpusPlan, *, progress: Progress | None = None, retry_failed: bool = False) -> Outcome:
    """Make a corpus, or go on with it.

    Parameters
    ----------
    progress : who watches; nobody by default.
    retry_failed : try quarantined chips again.

    Raises
    ------
    InputError : something that was given cannot be used; nothing is written then.
    """
    settings, watcher, began = plan.settings, progress or Silent(), time.monotonic()
    check_places(plan)
    with (
        at_desk(settings.out) as desk,
        stopping_loudly(),
        _planned(plan, desk.folder, watcher) as chips,
        Journal.resume(desk, _identity(plan)) as journal,
    ):
        if chips is not None:
            journal.set_meta(CORPUS, _about(plan))
            journal.plan(_shards(plan, chips))
        write_text(desk.folder / LOCK_NAME, dump_config(settings))
        if retry_failed:
            journal.retry_failed()
        if journal.meta("sealed", default=False) and not journal.counts().shards_pending:
            return Outcome(dataset=desk.home, data=overview(desk))
        journal.set_meta("sealed", False)
        _make(plan, journal, desk.store, watcher)
        if plan.check is not None:
            reject_chips(journal, plan.schema, desk.store, plan.check(journal))

        def extras() -> None:
            if plan.finish is not None and journal.counts().committed:
                journal.set_meta(TABLES, [as_record(table) for table in plan.finish(desk)])

        data = finish(
            journal, plan.schema, desk, watcher, began,
            home=settings.catalog, title=plan.title, licence=plan.licence, derived_from=plan.derived_from,
            extras=extras,
        )  # fmt: skip
        return Outcome(dataset=desk.home, data=data)


def check_places(plan: CorpusPlan) -> None:
    """See that the corpus can be begun or resumed; writes nothing."""
    check_out(plan.settings.out)
    catalog.check_home(plan.settings.catalog)
    check_scheduler(plan.settings.engine)


def _identity(plan: CorpusPlan) -> dict[str, Any]:
    values = plan.settings.model_dump(mode="json", exclude=_NO_PIXEL_DEPENDS_ON | set(plan.settings.INPUTS))
    flat: dict[str, Any] = {"kind": plan.kind}
    for key, value in {**values, "input": dict(plan.inputs)}.items():
        flat |= {f"{key}.{inner}": deep for inner, deep in value.items()} if isinstance(value, dict) else {key: value}
    return flat


def _about(plan: CorpusPlan) -> dict[str, Any]:
    return {
        "kind": plan.kind,
        "title": plan.title,
        "subtitle": plan.subtitle,
        "sources": [asdict(row) for row in plan.sources],
        "histograms": [asdict(one) for one in plan.histograms],
        "sheet": plan.sheet,
        **({SYNTHETIC: True} if plan.synthetic else {}),
    }


@contextmanager
def _planned(plan: CorpusPlan, folder: Path, watcher: Progress) -> Iterator[Iterator[CorpusChip] | None]:
    """The chips of a new data set, None for one that is planned already.

    They are written to a nameless file first: what is wrong with an input shows while they are found,
    and then nothing of the data set must be there yet; and a list of a million would not be small.
    """
    if is_begun(folder):
        with JournalView.open(folder) as journal:
            planned = journal.is_planned
        if planned:
            yield None
            return
    watcher.stage("plan", unit="chips")
    with tempfile.TemporaryFile("w+", encoding="utf-8") as spool:
        for chip in plan.chips:
            spool.write(json.dumps([chip.chip_id, chip.reject, chip.to_record()], allow_nan=False) + "\n")
            watcher.advance()
        if not spool.tell():
            raise ConfigError(
                "no-chips",
                "the inputs give no chip at all",
                value=", ".join(plan.inputs),
                remedy="loosen the settings that leave chips out, or give more inputs",
            )
        spool.seek(0)
        yield (CorpusChip.from_record(name, record, reject) for name, reject, record in map(json.loads, spool))


def _shards(plan: CorpusPlan, chips: Iterator[CorpusChip]) -> Iterator[PlannedShard]:
    """Chips in the order of the plan, a shard full at a time."""
    size = plan.schema.slots_per_shard
    for index in itertools.count():
        here = list(itertools.islice(chips, size))
        if not here:
            return
        planned = tuple(
            PlannedChip(
                slot=index * size + i, chip_id=chip.chip_id, record=chip.to_record(), reject=chip.reject or None
            )
            for i, chip in enumerate(here)
        )
        yield PlannedShard(index=index, shard_id=f"{plan.kind}-{index:05d}", record={}, chips=planned)


def _make(plan: CorpusPlan, journal: Journal, store: Place, watcher: Progress) -> None:
    size = plan.schema.slots_per_shard

    def tasks(address: str, token: str) -> Iterator[CorpusTask]:
        for row in journal.pending():
            chips = tuple(
                (chip.slot - row.index * size, CorpusChip.from_record(chip.chip_id, chip.record))
                for chip in journal.chips_of(row.index)
                if chip.state == "planned"
            )
            shard = CorpusShard(index=row.index, shard_id=row.shard_id, chips=chips)
            yield CorpusTask(shard=shard, plan=_travelling(plan), store=address, token=token)

    make_pending(journal, store, plan.schema, run_corpus_shard, tasks, plan.settings.engine, watcher)


def _travelling(plan: CorpusPlan) -> CorpusPlan:
    """The plan without what stays at home."""
    parts: Mapping[str, Any] = vars(plan) | {"chips": (), "finish": None, "check": None}
    return CorpusPlan(**parts)


def run_corpus_shard(task: CorpusTask) -> ShardResult:
    """Make and write one shard; returns what became of each of its chips."""
    began = time.perf_counter()
    plan, schema = task.plan, task.plan.schema
    require_writer(task.store, task.token)
    pixels = {variable.name: variable.blank(schema.slots_per_shard, schema.chip_px) for variable in schema.variables}
    batch = Batch(
        chips=tuple(chip for _, chip in task.shard.chips), settings=plan.settings, shared=plan.shared, schema=schema
    )
    results = [
        _settled(slot, made, pixels, task) for (slot, _), made in zip(task.shard.chips, plan.make(batch), strict=True)
    ]
    making = time.perf_counter()
    require_writer(task.store, task.token)
    write_shard(task.store, schema, task.shard.index, pixels)
    ended = time.perf_counter()
    return ShardResult(
        index=task.shard.index,
        chips=tuple(results),
        seconds=ended - began,
        peak_rss=peak_memory(),
        stats={"seconds": {"make": making - began, "write": ended - making}, "failures": _failures(results)},
    )


def _settled(slot: int, made: MadeChip, pixels: Mapping[str, NDArray[Any]], task: CorpusTask) -> ChipResult:
    """Put the chip's pixels in their slot; its verdict."""
    schema = task.plan.schema
    state = "quarantined" if made.quarantined else "rejected" if made.rejected else "committed"
    digest = ""
    stats = dict(made.stats)
    if state == "committed":
        for name, values in pixels.items():
            np.copyto(values[slot], made.arrays[name], casting="no")
        digest = chip_digest({name: values[slot] for name, values in pixels.items()})
        stats["values"] = {column.name: made.values[column.name] for column in schema.columns}
    return ChipResult(
        slot=task.shard.index * schema.slots_per_shard + slot,
        state=state,  # type: ignore[arg-type]  # one of the three outcomes
        reason=made.quarantined or made.rejected,
        digest=digest,
        stats=stats,
    )


def _failures(results: list[ChipResult]) -> list[str]:
    return sorted({result.reason for result in results if result.state == "quarantined"})
