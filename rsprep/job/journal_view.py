"""Look into a journal: counts, chips, shards and granules, page by page."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from rsprep.errors import StoreError
from rsprep.granule import Granule
from rsprep.job.records import ChipRow, Counts, ShardRow

FILE_NAME = "journal.sqlite"
JOURNAL_VERSION = 2
MOST_BYTES = 512 * 2**20
"""Longest value of a journal."""
_PAGE = 1000
_BUSY_SECONDS = 30


class JournalView:
    """The journal of one data set, open for reading; a context manager. Takes no lock."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    @classmethod
    def open(cls, dataset: str | Path) -> Self:
        """Open the journal of `dataset` to look at it; no lock is taken and nothing can be written.

        Raises
        ------
        StoreError : ``not-found`` or ``not-a-journal``.
        """
        path = Path(dataset) / FILE_NAME
        if not path.is_file():
            raise StoreError("not-found", "there is no data set here", value=str(dataset), remedy="check the path")
        view = cls(connect(path, query_only=True))
        view._require_version(str(path))
        return view

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @property
    def is_planned(self) -> bool:
        """True once :meth:`plan` has been recorded."""
        return self._db.execute("SELECT 1 FROM meta WHERE key = 'n_chips'").fetchone() is not None

    def pending(self) -> Iterator[ShardRow]:
        """Shards still to be done, by index, one at a time; safe while results are committed."""
        last = -1
        while True:
            row = self._db.execute(
                "SELECT * FROM shards WHERE state = 'planned' AND shard_index > ? ORDER BY shard_index LIMIT 1", (last,)
            ).fetchone()
            if row is None:
                return
            last = row["shard_index"]
            yield ShardRow.from_row(row)

    def counts(self) -> Counts:
        """How many chips and shards there are in each state, and how many were planned."""
        chips = dict(self._db.execute("SELECT state, count(*) FROM chips GROUP BY state").fetchall())
        shards = dict(self._db.execute("SELECT state, count(*) FROM shards GROUP BY state").fetchall())
        return Counts(
            planned=int(self.meta("n_chips", 0)),
            committed=chips.get("committed", 0),
            rejected=chips.get("rejected", 0),
            quarantined=chips.get("quarantined", 0),
            pending=chips.get("planned", 0),
            shards_done=shards.get("done", 0),
            shards_failed=shards.get("failed", 0),
            shards_pending=shards.get("planned", 0),
        )

    def chips(self, state: str | None = None) -> Iterator[ChipRow]:
        """Chips in slot order, page by page; only those in `state`, if given."""
        last = -1
        where = "slot > ?" if state is None else "slot > ? AND state = ?"
        while True:
            values: tuple[Any, ...] = (last,) if state is None else (last, state)
            page = self._db.execute(
                f"SELECT * FROM chips WHERE {where} ORDER BY slot LIMIT {_PAGE}",  # noqa: S608  # no text from outside
                values,
            ).fetchall()
            if not page:
                return
            last = page[-1]["slot"]
            yield from map(ChipRow.from_row, page)

    def chips_of(self, shard_index: int) -> list[ChipRow]:
        """The planned chips of one shard, in slot order."""
        rows = self._db.execute("SELECT * FROM chips WHERE shard_index = ? ORDER BY slot", (shard_index,))
        return [ChipRow.from_row(row) for row in rows.fetchall()]

    def shards(self) -> Iterator[ShardRow]:
        """All shards by index, page by page."""
        last = -1
        while page := self._db.execute(
            "SELECT * FROM shards WHERE shard_index > ? ORDER BY shard_index LIMIT ?", (last, _PAGE)
        ).fetchall():
            last = page[-1]["shard_index"]
            yield from map(ShardRow.from_row, page)

    def reasons(self) -> list[tuple[str, str, int]]:
        """(state, reason, number of chips) for all rejected and quarantined chips, the most frequent first."""
        rows = self._db.execute(
            "SELECT state, reason, count(*) AS n FROM chips WHERE state IN ('rejected', 'quarantined')"
            " GROUP BY state, reason ORDER BY n DESC, state, reason"
        ).fetchall()
        return [(row[0], row[1], row[2]) for row in rows]

    def granules(self, product: str | None = None) -> Iterator[Granule]:
        """The granules that the plan froze, by product, source and id."""
        rows = self._db.execute(
            "SELECT record FROM granules WHERE ?1 IS NULL OR product = ?1 ORDER BY product, source, id", (product,)
        )
        for row in rows.fetchall():
            yield Granule.from_json(json.loads(row["record"]))

    def meta(self, key: str, default: Any = None) -> Any:
        """A value kept under `key`, or `default`."""
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return default if row is None else json.loads(row[0])

    def require_identity(self, identity: Mapping[str, Any]) -> None:
        """Raise StoreError ``other-config``, naming what differs, unless the data set was begun with `identity`."""
        found = self.meta("identity")
        normal = json.loads(dump(identity))
        differing = sorted(key for key in {*found, *normal} if found.get(key) != normal.get(key))
        if differing:
            shown = ", ".join(f"{key}: {found.get(key)!r} then, {normal.get(key)!r} now" for key in differing)
            raise StoreError(
                "other-config",
                f"the data set was begun with another configuration ({', '.join(differing)})",
                value=shown,
                remedy="resume with the same settings, or choose another --out",
            )

    def _has_tables(self) -> bool:
        rows = self._db.execute("SELECT type, name FROM sqlite_master").fetchall()
        if any(kind not in ("table", "index") for kind, _ in rows):
            # A view or a trigger is a program of whoever made the file, and what rsprep writes has none.
            raise _not_a_journal("a file with views or triggers")
        return any(name == "chips" for _, name in rows)

    def _require_version(self, where: str) -> None:
        if not self._has_tables():
            raise _not_a_journal(where)
        version = self.meta("version")
        if version != JOURNAL_VERSION:
            raise StoreError(
                "journal-version",
                f"this release reads journal version {JOURNAL_VERSION}",
                value=version,
                remedy="use the release that began the data set",
            )


def is_begun(dataset: str | Path) -> bool:
    """True where a build has begun; a file without tables, left by a death in the first moment, does not count.

    Raises
    ------
    StoreError : ``not-a-journal``.
    """
    path = Path(dataset) / FILE_NAME
    if not path.is_file():
        return False
    with JournalView(connect(path, query_only=True)) as view:
        try:
            return view._has_tables()
        except sqlite3.DatabaseError as error:
            raise _not_a_journal(f"{path}: {error}") from None


def dump(value: Any) -> str:
    """`value` as the journal keeps it."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def connect(path: Path, *, query_only: bool = False) -> sqlite3.Connection:
    """Open the SQLite file at `path`; every commit waits for the disk."""
    uri = f"file:{quote(str(path.absolute()))}?mode={'rw' if query_only else 'rwc'}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_BUSY_SECONDS)
    connection.row_factory = sqlite3.Row
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_BYTES)
        if query_only:
            connection.execute("PRAGMA query_only = ON")
    except sqlite3.DatabaseError as error:
        connection.close()
        raise _not_a_journal(f"{path}: {error}") from None
    return connection


def _not_a_journal(where: str) -> StoreError:
    return StoreError("not-a-journal", "this is no journal of a data set", value=where, remedy="check the path")
