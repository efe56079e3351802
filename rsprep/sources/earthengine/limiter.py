"""How many requests run at a time, and how many begin in a second: one limit for all workers of a build.

Earth Engine counts the requests of a project, wherever they come from. Threads, processes and hosts that share a
folder therefore share the limit through locked files in it. The operating system lets a lock go when its holder
dies, so that nothing has to be tidied up after a worker that was killed.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import random
import shutil
import struct
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rsprep.errors import ConfigError

PACE_FILE = "pace"
POLL_S = (0.005, 0.03)
"""Pause between two looks for a free slot, drawn anew each time so that waiting processes do not march in step."""
_STAMP = struct.Struct("<d")


class _Process:
    """What the threads of this process share."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.turns: dict[str, threading.Lock] = {}
        self.folder: Path | None = None


_process = _Process()


def _after_fork() -> None:
    """A process that was forked off has limits, and locks between threads, of its own."""
    global _process
    _process = _Process()


os.register_at_fork(after_in_child=_after_fork)


@dataclass(frozen=True, kw_only=True)
class Limiter:
    """Slots for requests that run, and a pace for requests that begin. Pickles as its settings."""

    folder: Path | None
    """Seen by every worker that the limit holds for; None: it holds within this process."""
    concurrent: int
    """Requests that may run at a time."""
    per_second: float
    """Requests that may begin in a second; they begin no closer than its inverse to one another."""

    def __post_init__(self) -> None:
        if self.concurrent < 1 or not self.per_second > 0:
            raise ValueError(f"a limiter needs positive limits, got {self.concurrent} and {self.per_second}")

    @contextmanager
    def slot(self) -> Iterator[float]:
        """Wait for a slot and for the pace, and hold the slot within the block; yields the moment it may begin.

        Raises
        ------
        ConfigError : ``no-file-locks`` where the folder lies on a file system without locks.
        """
        folder = self._place()
        held = self._free_slot(folder)
        try:
            begins = self._begin(folder)
            time.sleep(max(0.0, begins - time.time()))
            yield begins
        finally:
            os.close(held)

    def check(self) -> None:
        """See that the folder can be locked in, before a build begins; raises as :meth:`slot` does."""
        probe = _open(self._place() / "probe")
        try:
            _lock(probe, fcntl.LOCK_SH)
        finally:
            os.close(probe)

    def _place(self) -> Path:
        folder = self.folder or _own_folder()
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _free_slot(self, folder: Path) -> int:
        """An open file that holds the lock of one slot."""
        # One thread of a process looks at a time; the others sleep until it has found.
        with _turn(folder):
            while True:
                for number in random.sample(range(self.concurrent), self.concurrent):
                    # A lock belongs to one opening of a file: threads exclude one another as processes do.
                    slot = _open(folder / f"slot-{number:02d}")
                    had = False
                    try:
                        had = _lock(slot, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    finally:
                        if not had:
                            os.close(slot)
                    if had:
                        return slot
                time.sleep(random.uniform(*POLL_S))  # noqa: S311 - no secret

    def _begin(self, folder: Path) -> float:
        """The moment at which the next request may begin, now or later; nobody else is told the same one."""
        pace = _open(folder / PACE_FILE)
        try:
            _lock(pace, fcntl.LOCK_EX)
            now, free = time.time(), 0.0
            stored = os.pread(pace, _STAMP.size, 0)
            if len(stored) == _STAMP.size:
                free = float(_STAMP.unpack(stored)[0])
            # Whoever waits holds a slot, so no honest entry is further ahead than this: a clock was set back.
            if not free <= now + (self.concurrent + 1) / self.per_second:
                free = now
            begins = max(now, free)
            os.pwrite(pace, _STAMP.pack(begins + 1.0 / self.per_second), 0)
        finally:
            os.close(pace)
        return begins


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _lock(file: int, how: int) -> bool:
    """Whether the lock was had; waits for it unless `how` says otherwise."""
    try:
        fcntl.flock(file, how)
    except BlockingIOError:
        return False
    except OSError as error:
        raise ConfigError(
            "no-file-locks",
            f"the limit on requests is shared through locked files, and this folder has no locks: {error.strerror}",
            remedy="put the data set (--out) on a file system with locks; NFS has them from version 4 on",
        ) from None
    return True


def _turn(folder: Path) -> threading.Lock:
    with _process.lock:
        return _process.turns.setdefault(str(folder), threading.Lock())


def _own_folder() -> Path:
    """A folder of this process alone, gone when it ends."""
    with _process.lock:
        if _process.folder is None:
            _process.folder = Path(tempfile.mkdtemp(prefix="rsprep-limiter-"))
            atexit.register(shutil.rmtree, _process.folder, ignore_errors=True)
        return _process.folder
