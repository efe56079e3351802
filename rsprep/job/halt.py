"""What makes a build stop instead of quarantining chip after chip: a full disk, a store out of reach."""

from __future__ import annotations

import errno
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from rsprep.errors import BuildError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_UNWRITABLE = {errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE}
_GOES_ON = "the same command then goes on from here"


def reason_to_stop(error: BaseException | None) -> BuildError | None:
    """The error to end a build with, if `error` would meet every other shard as well; None if it would not."""
    if isinstance(error, BuildError):
        return error
    if isinstance(error, OSError) and error.errno in _FULL:
        return BuildError("disk-full", "the disk is full", value=str(error), remedy=f"make room; {_GOES_ON}")
    if isinstance(error, OSError) and error.errno in _UNWRITABLE:
        return BuildError(
            "unwritable", "the data set cannot be written", value=str(error), remedy=f"mend the place; {_GOES_ON}"
        )
    if isinstance(error, sqlite3.OperationalError) and error.sqlite_errorname.startswith("SQLITE_FULL"):
        return BuildError("disk-full", "the disk is full", value=f"journal: {error}", remedy=f"make room; {_GOES_ON}")
    if isinstance(error, sqlite3.OperationalError) and error.sqlite_errorname.startswith(
        ("SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN")
    ):
        return BuildError(
            "unwritable", "the journal cannot be written", value=str(error), remedy=f"mend the place; {_GOES_ON}"
        )
    return None


@contextmanager
def stopping_loudly() -> Iterator[None]:
    """Give errors that end the whole build their name."""
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        stop = reason_to_stop(error)
        if stop is None:
            raise
        raise stop from error


@contextmanager
def heeding_interrupts() -> Iterator[Callable[[], None]]:
    """Make sure that Ctrl-C is not lost: yields a function that raises KeyboardInterrupt if one has come.

    Python raises the interrupt wherever the main thread happens to be, and forgets it with a warning where
    that is a destructor or a callback of the garbage collector.
    """
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield lambda: None  # another thread, or a program that deals with interrupts itself
        return
    come = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal come
        come = True
        raise KeyboardInterrupt

    def check() -> None:
        if come:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, note)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, before)
