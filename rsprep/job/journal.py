"""The journal of a data set: what was planned, and what became of every chip.

One SQLite file beside the store; of a data set in a bucket it is mirrored there (:mod:`rsprep.job.desk`).
Only the coordinator writes, one transaction a shard, after the shard is on the disk; so a chip that the
journal calls committed is there, whenever the process died. SQLite keeps its rollback journal (not a
write-ahead log), because a finished data set should be one file that opens from a read-only place, too.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from rsprep.granule import Granule
from rsprep.job.desk import Desk
from rsprep.job.journal_view import FILE_NAME, JOURNAL_VERSION, JournalView, connect, dump
from rsprep.job.lock import Lock
from rsprep.job.records import PlannedShard, ShardResult

_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE granules (
    product TEXT, source TEXT, id TEXT, record TEXT NOT NULL, PRIMARY KEY (product, source, id)
) WITHOUT ROWID;
CREATE TABLE shards (
    shard_index INTEGER PRIMARY KEY, shard_id TEXT NOT NULL UNIQUE, record TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'planned' CHECK (state IN ('planned', 'done', 'failed')),
    attempts INTEGER NOT NULL DEFAULT 0, seconds REAL NOT NULL DEFAULT 0, bytes_read INTEGER NOT NULL DEFAULT 0,
    peak_rss INTEGER NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT '', stats TEXT NOT NULL DEFAULT '{}');
CREATE TABLE chips (
    slot INTEGER PRIMARY KEY, chip_id TEXT NOT NULL UNIQUE, shard_index INTEGER NOT NULL REFERENCES shards,
    state TEXT NOT NULL CHECK (state IN ('planned', 'committed', 'rejected', 'quarantined')),
    excluded INTEGER NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT '', digest TEXT NOT NULL DEFAULT '',
    record TEXT NOT NULL, stats TEXT NOT NULL DEFAULT '{}');
CREATE INDEX chips_of_shard ON chips (shard_index);
CREATE INDEX shards_by_state ON shards (state, shard_index);
"""


class Journal(JournalView):
    """The journal of one data set, open for writing by the one process that holds its lock."""

    def __init__(self, connection: sqlite3.Connection, lock: Lock) -> None:
        super().__init__(connection)
        self._lock = lock

    @classmethod
    def resume(cls, dataset: str | Path | Desk, identity: Mapping[str, Any]) -> Self:
        """Open the journal of `dataset` for writing; begin one where there is none.

        Parameters
        ----------
        dataset : folder of the data set, made if absent; or a desk, for one that may lie in a bucket.
        identity : flat mapping of everything that decides the pixels (see
            :func:`rsprep.job.records.identity_of`). A resumed build must have the same.

        Raises
        ------
        StoreError : ``locked`` while another build runs, ``other-config`` if the data set was begun
            with another configuration, ``not-a-journal``.
        """
        desk = dataset if isinstance(dataset, Desk) else Desk(folder=Path(dataset), home=Path(dataset))
        desk.folder.mkdir(parents=True, exist_ok=True)
        lock = desk.lock()
        try:
            connection = connect(desk.folder / FILE_NAME)
            journal = cls(connection, lock)
            journal._begin(dict(identity))
            if desk.mirror is not None:  # what an earlier build still has to push is refused from here on
                journal.set_meta("resumed", uuid.uuid4().hex)
        except BaseException:
            lock.release()
            raise
        return journal

    def close(self) -> None:
        """Close the file and let the lock go."""
        super().close()
        self._lock.release()

    def _begin(self, identity: dict[str, Any]) -> None:
        if not self._has_tables():
            with self._transaction():
                for statement in _TABLES.split(";\n"):
                    self._db.execute(statement)
                self._put("version", JOURNAL_VERSION)
                self._put("identity", identity)
            return
        self._require_version("journal")
        self.require_identity(identity)

    def plan(self, shards: Iterable[PlannedShard], granules: Iterable[Granule] = ()) -> None:
        """Record the whole plan in one transaction; a plan is recorded once.

        `shards` may be a generator: nothing is gathered in memory.
        """
        if self.is_planned:
            raise ValueError("the plan is recorded already")
        with self._transaction():
            self._db.executemany(
                "INSERT INTO granules VALUES (?, ?, ?, ?)",
                ((g.product, g.source, g.id, dump(g.to_json())) for g in granules),
            )
            n_shards = n_chips = 0
            for shard in shards:
                self._db.execute(
                    "INSERT INTO shards (shard_index, shard_id, record, state) VALUES (?, ?, ?, ?)",
                    (shard.index, shard.shard_id, dump(shard.record), "planned" if shard.has_work else "done"),
                )
                self._db.executemany(
                    "INSERT INTO chips (slot, chip_id, shard_index, state, excluded, reason, record)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        (
                            chip.slot,
                            chip.chip_id,
                            shard.index,
                            "rejected" if chip.reject else "planned",
                            bool(chip.reject),
                            chip.reject or "",
                            dump(chip.record),
                        )
                        for chip in shard.chips
                    ),
                )
                n_shards += 1
                n_chips += len(shard.chips)
            self._put("n_shards", n_shards)
            self._put("n_chips", n_chips)

    def commit(self, result: ShardResult) -> None:
        """Record a shard that is on the disk, with what became of each of its chips, in one transaction.

        Raises
        ------
        ValueError : if the shard is not pending, or a planned chip of it has no outcome.
        """
        with self._transaction(may_wait=True):
            self._finish_shard(result, "done", "")
            for chip in result.chips:
                changed = self._db.execute(
                    "UPDATE chips SET state = ?, reason = ?, digest = ?, stats = ?"
                    " WHERE slot = ? AND shard_index = ? AND state = 'planned'",
                    (chip.state, chip.reason, chip.digest, dump(chip.stats), chip.slot, result.index),
                )
                if changed.rowcount != 1:
                    raise ValueError(f"slot {chip.slot} is no pending chip of shard {result.index}")
            left = self._db.execute(
                "SELECT count(*) FROM chips WHERE shard_index = ? AND state = 'planned'", (result.index,)
            ).fetchone()[0]
            if left:
                raise ValueError(f"{left} chips of shard {result.index} have no outcome")

    def fail(self, index: int, reason: str) -> None:
        """Give shard `index` up: its pending chips are quarantined for `reason`."""
        with self._transaction(may_wait=True):
            self._finish_shard(ShardResult(index=index, chips=()), "failed", reason)
            self._db.execute(
                "UPDATE chips SET state = 'quarantined', reason = ? WHERE shard_index = ? AND state = 'planned'",
                (reason, index),
            )

    def _finish_shard(self, result: ShardResult, state: str, reason: str) -> None:
        changed = self._db.execute(
            "UPDATE shards SET state = ?, reason = ?, attempts = attempts + 1, seconds = ?, bytes_read = ?,"
            " peak_rss = ?, stats = ? WHERE shard_index = ? AND state = 'planned'",
            (
                state,
                reason,
                result.seconds,
                result.bytes_read,
                result.peak_rss,
                dump(result.stats),
                result.index,
            ),
        )
        if changed.rowcount != 1:
            raise ValueError(f"shard {result.index} is not pending")

    def retry_failed(self) -> int:
        """Plan again every shard that holds a quarantined chip; returns the number of shards.

        The whole shard is done anew, since a shard is written as a whole.
        """
        with self._transaction():
            self._db.execute(
                "UPDATE shards SET state = 'planned', reason = ''"
                " WHERE shard_index IN (SELECT shard_index FROM chips WHERE state = 'quarantined')"
            )
            changed = self._db.execute("SELECT changes()").fetchone()[0]
            self._db.execute(
                "UPDATE chips SET state = 'planned', reason = '', digest = '', stats = '{}' WHERE excluded = 0"
                " AND shard_index IN (SELECT shard_index FROM chips WHERE state = 'quarantined')"
            )
        return int(changed)

    def reject(self, reasons: Iterable[tuple[int, str]]) -> None:
        """Reject committed chips by slot, each with its reason; blank their slots in the store afterwards."""
        with self._transaction(may_wait=True):
            for slot, reason in reasons:
                changed = self._db.execute(
                    "UPDATE chips SET state = 'rejected', reason = ?, digest = ''"
                    " WHERE slot = ? AND state = 'committed'",
                    (reason, slot),
                )
                if changed.rowcount != 1:
                    raise ValueError(f"slot {slot} holds no committed chip")

    def set_meta(self, key: str, value: Any) -> None:
        """Keep a value (anything JSON can hold) under `key`."""
        with self._transaction():
            self._put(key, value)

    def _put(self, key: str, value: Any) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, dump(value)))

    @contextmanager
    def _transaction(self, *, may_wait: bool = False) -> Iterator[None]:
        """One change. What takes something back is kept in the bucket at once: the journal there must never call done
        what is about to be made again. What only adds `may_wait`: it can be made, or found, once more.
        """
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # on a full disk, SQLite may have rolled back by itself
                self._db.execute("ROLLBACK")
            raise
        self._lock.recorded(may_wait=may_wait)
