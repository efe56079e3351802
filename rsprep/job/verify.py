"""Is every chip still what the journal says it is?

Reads every committed chip again and compares its digest, and compares journal, store and index
with one another. Nothing is repaired.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zarr
from numpy.typing import NDArray

from rsprep.cloud.address import Place
from rsprep.cloud.zarrs import zarr_at
from rsprep.job.columns import chip_columns
from rsprep.job.desk import at_desk
from rsprep.job.journal_view import JournalView
from rsprep.job.progress import Progress, Silent
from rsprep.job.records import CORPUS, ChipRow, Counts
from rsprep.store.digest import chip_digest
from rsprep.store.schema import NOWHERE, Schema
from rsprep.store.seal import is_sealed
from rsprep.store.strict import open_strict, read_slots
from rsprep.store.write import read_schema

_COMPARED = ("chip_id", "epsg", "x_origin", "y_origin", "split", "committed")
_ON_LATTICE = 1e-3
"""Metres by which a chip's corner may be off the lattice of its zone."""


@dataclass(frozen=True, kw_only=True)
class VerifyReport:
    """What verify found. A problem is (chip id, or what it concerns; what is wrong)."""

    counts: Counts
    checked: int
    """Committed chips whose pixels were read again."""
    lost: tuple[tuple[str, str], ...] = ()
    """Chips that the journal has and that cannot be read, or that the index lacks."""
    altered: tuple[tuple[str, str], ...] = ()
    """Chips whose pixels, coordinates or entries differ from what was recorded."""
    duplicated: tuple[tuple[str, str], ...] = ()
    """Chips that are there twice, by name or on the ground."""
    other: tuple[tuple[str, str], ...] = ()
    """Defects of the data set as a whole."""

    @property
    def ok(self) -> bool:
        """True where nothing is wrong."""
        return not (self.lost or self.altered or self.duplicated or self.other)


@dataclass
class _Findings:
    lost: list[tuple[str, str]] = field(default_factory=list)
    altered: list[tuple[str, str]] = field(default_factory=list)
    duplicated: list[tuple[str, str]] = field(default_factory=list)
    other: list[tuple[str, str]] = field(default_factory=list)


def verify(dataset: str | Place, progress: Progress | None = None, *, workers: int = 0) -> VerifyReport:
    """Check a data set from end to end.

    Parameters
    ----------
    dataset : folder of the data set, or its address in a bucket.
    workers : threads that read and hash, 0 for one a core; memory is about two shards a thread.

    Raises
    ------
    StoreError : ``not-found``, ``not-a-store``, ``not-a-journal`` where there is nothing to check;
        what is damaged is reported, not raised.
    """
    progress = progress or Silent()
    found = _Findings()
    with at_desk(dataset) as desk, JournalView.open(desk.folder) as journal:
        counts = journal.counts()
        schema, n_shards = read_schema(desk.store)
        _check_sums(journal, counts, found)
        if counts.finished:
            _check_seal(desk.store, journal, schema, n_shards, found)
            index = desk.folder / "items.parquet"
            if counts.committed or index.exists():  # a build that keeps no chip has no index
                _check_index(index, journal, found)
        checked = _check_pixels(desk.store, journal, schema, found, progress, workers or os.cpu_count() or 1)
    lists = {name: tuple(sorted(set(problems))) for name, problems in vars(found).items()}
    return VerifyReport(counts=counts, checked=checked, **lists)


def _check_sums(journal: JournalView, counts: Counts, found: _Findings) -> None:
    if not counts.balanced:
        there = counts.committed + counts.rejected + counts.quarantined + counts.pending
        found.other.append(("journal", f"{counts.planned} chips were planned, {there} are accounted for"))
    if not counts.finished:
        found.other.append(("journal", f"the build is not finished: {counts.pending} chips are pending"))
    for state, reason, number in journal.reasons():
        if not reason:
            found.other.append(("journal", f"{number} chips are {state} without a reason"))


def _check_seal(path: Place, journal: JournalView, schema: Schema, n_shards: int, found: _Findings) -> None:
    """Store coordinates against the journal; names and places of chips; freshness of the metadata."""
    if not is_sealed(path):
        found.other.append(("store", "the store is not sealed"))
        return
    plain = zarr.open_group(zarr_at(path), mode="r", use_consolidated=False)
    gathered = zarr.open_group(zarr_at(path), mode="r", use_consolidated=True)
    arrays = {name: array.metadata.to_dict() for name, array in plain.arrays()}
    if arrays != {name: array.metadata.to_dict() for name, array in gathered.arrays()}:
        found.other.append(("store", "the consolidated metadata is stale"))
    n_slots = n_shards * schema.slots_per_shard
    expected = chip_columns(journal, schema, n_slots)
    group = open_strict(path)
    stored: dict[str, NDArray[Any]] = {}
    for name in (*_COMPARED, *(column.name for column in schema.columns)):
        try:
            stored[name] = read_slots(group, name, 0, n_slots)
        except Exception as error:  # whatever a damaged file raises is the finding
            found.other.append(("store", f"coordinate {name} cannot be read: {_say(error)}"))
            continue
        differs = _differs(stored[name], expected[name])
        found.altered += [(str(expected["chip_id"][slot]), f"{name} differs from the journal") for slot in differs]
    if set(_COMPARED) <= set(stored):
        _check_names(stored, found)
        # Chips of a corpus are cut where their scenes are, and may share ground.
        if journal.meta(CORPUS) is None:
            _check_places(stored, schema.chip_px * schema.resolution, found)


def _differs(stored: NDArray[Any], expected: NDArray[Any]) -> NDArray[np.intp]:
    if stored.dtype.kind == "T":
        return np.flatnonzero(np.array(stored.tolist(), object) != expected)
    both_unknown = np.isnan(stored) & np.isnan(expected) if stored.dtype.kind == "f" else False
    return np.flatnonzero((stored != expected) & ~np.asarray(both_unknown))


def _check_names(stored: dict[str, NDArray[Any]], found: _Findings) -> None:
    names = Counter(str(name) for name in stored["chip_id"][stored["committed"]].tolist())
    found.duplicated += [(name, f"{n} slots have this name") for name, n in names.items() if n > 1]


def _check_places(stored: dict[str, NDArray[Any]], side: float, found: _Findings) -> None:
    """Committed chips have their own cell of their zone's lattice."""
    kept = np.flatnonzero(stored["committed"])
    for epsg in np.unique(stored["epsg"][kept][stored["epsg"][kept] != NOWHERE]):
        here = kept[stored["epsg"][kept] == epsg]
        corners = np.stack([stored["x_origin"][here], stored["y_origin"][here]], axis=-1)
        cells = (corners - corners[0]) / side
        off = np.abs(cells - np.round(cells)).max(axis=-1) * side > _ON_LATTICE
        found.altered += [(str(stored["chip_id"][slot]), "it is off the lattice of its zone") for slot in here[off]]
        _, first, number = np.unique(np.round(cells), axis=0, return_index=True, return_counts=True)
        found.duplicated += [
            (str(stored["chip_id"][here[at]]), f"{n} chips cover the same ground")
            for at, n in zip(first, number, strict=True)
            if n > 1
        ]


def _check_index(path: Path, journal: JournalView, found: _Findings) -> None:
    """The index has one row for each committed chip, with its digest and split."""
    try:
        table = pq.read_table(path, columns=["id", "rsprep:digest", "split"])
    except (OSError, pa.ArrowException, KeyError) as error:
        found.other.append(("items.parquet", f"the index cannot be read: {_say(error)}"))
        return
    rows = zip(*(table.column(at).to_pylist() for at in range(3)), strict=True)
    index: dict[str, tuple[str, str]] = {}
    for name, digest, split in rows:
        if name in index:
            found.duplicated.append((name, "the index has it twice"))
        index[name] = (digest, split)
    for chip in journal.chips("committed"):
        entry = index.pop(chip.chip_id, None)
        if entry is None:
            found.lost.append((chip.chip_id, "the index lacks it"))
        elif entry != (chip.digest, chip.record["split"]):
            found.altered.append((chip.chip_id, "the index has another digest or split"))
    found.altered += [(name, "the index has it, but it is not committed") for name in index]


def _check_pixels(
    path: Place, journal: JournalView, schema: Schema, found: _Findings, progress: Progress, workers: int
) -> int:
    """Read and hash every committed chip, a shard a task, a few tasks at a time."""
    progress.stage("verify", journal.counts().committed, "chips")
    group = open_strict(path)
    checked = 0
    running: deque[Future[tuple[int, _Findings]]] = deque()

    def finish() -> None:
        nonlocal checked
        number, mine = running.popleft().result()
        found.lost += mine.lost
        found.altered += mine.altered
        checked += number
        progress.advance(number)

    with ThreadPoolExecutor(workers) as pool:
        for index, chips in _work(journal):
            running.append(pool.submit(_check_shard, group, schema, index, chips))
            if len(running) > workers:
                finish()
        while running:
            finish()
    return checked


def _work(journal: JournalView) -> Iterator[tuple[int, list[ChipRow]]]:
    """Shards that hold committed chips."""
    for shard in journal.shards():
        chips = journal.chips_of(shard.index)
        if any(chip.state == "committed" for chip in chips):
            yield shard.index, chips


def _check_shard(group: zarr.Group, schema: Schema, index: int, chips: Sequence[ChipRow]) -> tuple[int, _Findings]:
    """Digests of one shard's committed chips; blankness of its other slots."""
    mine = _Findings()
    slots = schema.slots_per_shard
    try:
        whole = {name: read_slots(group, name, index * slots, slots) for name in schema.names}
    except Exception:  # some chip is damaged: each is read by itself below, and named with its error
        whole = None
    committed = {chip.slot: chip for chip in chips if chip.state == "committed"}
    for slot, chip in committed.items():
        try:
            one = _one_chip(group, schema, whole, slot)
        except Exception as error:  # whatever a damaged file raises is the finding
            mine.lost.append((chip.chip_id, f"it cannot be read: {_say(error)}"))
            continue
        if chip_digest(one) != chip.digest:
            mine.altered.append((chip.chip_id, "its pixels differ from what was committed"))
    if whole is not None:
        names = {chip.slot: chip.chip_id for chip in chips}
        for slot in sorted(set(range(index * slots, (index + 1) * slots)) - set(committed)):
            if not _is_blank(schema, whole, slot % slots):
                mine.altered.append((names.get(slot, f"slot {slot}"), "it is not committed, but its slot holds pixels"))
    return len(committed), mine


def _one_chip(
    group: zarr.Group, schema: Schema, whole: dict[str, NDArray[Any]] | None, slot: int
) -> dict[str, NDArray[Any]]:
    if whole is not None:
        return {name: values[slot % schema.slots_per_shard] for name, values in whole.items()}
    return {name: read_slots(group, name, slot, 1)[0] for name in schema.names}


def _is_blank(schema: Schema, whole: dict[str, NDArray[Any]], position: int) -> bool:
    for variable in schema.variables:
        values = whole[variable.name][position]
        if not (np.isnan(values) if np.isnan(variable.fill) else values == variable.fill).all():
            return False
    return True


def _say(error: BaseException) -> str:
    first = str(error).splitlines()[0] if str(error) else "no message"
    return f"{type(error).__name__}: {first}"
