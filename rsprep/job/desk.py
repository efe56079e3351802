"""Where a data set is worked on: the folder of its journal, index and pages, and the store with the pixels.

For a data set on a disk both are in its own folder. Of one in a bucket only the pixels are written there straight away;
all else is a temporary folder that mirrors the bucket: pulled at the beginning, pushed at milestones. What decides, the
journal, is pushed last, and only over the version that was last seen.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rsprep.cloud.address import Address, Place, place
from rsprep.cloud.lease import Lease
from rsprep.cloud.mirror import Mirror
from rsprep.errors import StoreError
from rsprep.job.journal_view import FILE_NAME
from rsprep.job.lock import DatasetLock, Lock
from rsprep.store.read import STORE_NAME

PUSH_SECONDS = 60.0
"""Finished shards that a build which dies loses sight of, and makes again, are at most of so long."""


@dataclass(frozen=True, kw_only=True)
class Desk:
    """One data set, ready to be looked at or worked on."""

    folder: Path
    """Holds the small files, now."""
    home: Place
    """Where the data set lies."""
    mirror: Mirror | None = None
    """Keeps the two alike where they differ."""

    @property
    def store(self) -> Place:
        """The chip store."""
        return self.home / STORE_NAME

    @property
    def name(self) -> str:
        """Name of the data set."""
        return self.home.name if isinstance(self.home, Address) else self.home.resolve().name

    def lock(self) -> Lock:
        """Keep other builds out, until it is released.

        Raises
        ------
        StoreError : ``locked``.
        """
        return DatasetLock(self.folder) if self.mirror is None else _BucketLock(self.mirror)


class _BucketLock:
    """Keeps other builds out of a bucket, and what is done in it."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._lease = Lease(mirror.home)
        self._pushed = time.monotonic()
        if not mirror.is_current():
            self._lease.release()
            raise StoreError(
                "locked",
                "another build has written this data set meanwhile",
                value=str(mirror.home),
                remedy="run the same command again: it goes on from there",
            )

    def recorded(self, *, may_wait: bool) -> None:
        self._lease.require()
        if not may_wait or time.monotonic() - self._pushed >= PUSH_SECONDS:
            self._mirror.push()
            self._pushed = time.monotonic()

    def release(self) -> None:
        try:
            self._lease.require()
            self._mirror.push()
        finally:
            self._lease.release()


@contextmanager
def at_desk(dataset: str | Place | Desk) -> Iterator[Desk]:
    """Go to a data set; one that is in a bucket is pulled first. Nothing is written in its place.

    Raises
    ------
    ConfigError : ``bad-address``, ``no-cloud-extra``.
    BuildError : ``bucket-denied`` or ``bucket-failed``.
    """
    if isinstance(dataset, Desk):
        yield dataset
        return
    home = place(dataset)
    if isinstance(home, Path):
        yield Desk(folder=home, home=home)
        return
    with tempfile.TemporaryDirectory(prefix="rsprep-") as folder:
        mirror = Mirror(Path(folder), home, apart=(STORE_NAME,), guarded=FILE_NAME, copied=_copied)
        mirror.pull()
        yield Desk(folder=Path(folder), home=home, mirror=mirror)


def _copied(journal: Path) -> bytes:
    """The journal between two transactions, whoever else has it open."""
    with closing(sqlite3.connect(journal)) as source, closing(sqlite3.connect(":memory:")) as target:
        source.backup(target)
        return target.serialize()
