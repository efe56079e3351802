"""One build at a time in one data set."""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path
from typing import Protocol

from rsprep.errors import StoreError

FILE_NAME = ".lock"


class Lock(Protocol):
    """Keeps other builds out of a data set."""

    def recorded(self, *, may_wait: bool) -> None:
        """Told after each change of the journal; one that `may_wait` only adds what was done."""
        ...

    def release(self) -> None:
        """Let others in."""
        ...


class DatasetLock:
    """An exclusive lock on a data set folder; the operating system lets it go when the process dies.

    Raises
    ------
    StoreError : ``locked``, naming the process that holds it.
    """

    def __init__(self, folder: Path) -> None:
        self._file = (folder / FILE_NAME).open("a+", encoding="ascii")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.seek(0)
            holder = self._file.read().strip() or "unknown"
            self._file.close()
            raise StoreError(
                "locked",
                f"another build is writing this data set (process {holder})",
                value=str(folder),
                remedy="wait for it to end, or stop it",
            ) from None
        self._file.truncate(0)
        self._file.write(f"{os.getpid()} on {socket.gethostname()}")
        self._file.flush()

    def recorded(self, *, may_wait: bool) -> None:
        """Nothing is left to be done: the folder is the data set."""

    def release(self) -> None:
        """Let the lock go; the file stays, so that two builds never lock two different files."""
        if not self._file.closed:
            self._file.truncate(0)
            self._file.close()
