"""What makes a build stop instead of quarantining chip after chip: a full disk, a store out of reach."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

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
