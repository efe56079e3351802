"""Who may write shards: the tasks of the build that runs now, and no others.

A build that was killed can leave tasks behind on a cluster that go on for a while; a frozen worker
can wake up after its shard was given to another. Each build therefore writes a token beside the
store, its tasks carry it, and a task whose token is no longer there does not write. Before chips are
selected and the store is sealed, the token is taken away.

Between a task's last look and its write there is a moment in which the token may change. What would
be written then is what has been written already, unless a selection has blanked a chip of that very
shard; ``rsprep verify`` would name it.
"""

from __future__ import annotations

import uuid
from pathlib import Path

from rsprep.errors import BuildError
from rsprep.files import write_text

FILE_NAME = ".writers"


def admit_writers(store: str | Path) -> str:
    """Admit the tasks of a new build, and none of earlier ones; returns the token that they carry."""
    token = uuid.uuid4().hex
    write_text(_file(store), token)
    return token


def dismiss_writers(store: str | Path) -> None:
    """Let no task write any more."""
    _file(store).unlink(missing_ok=True)


def require_writer(store: str | Path, token: str) -> None:
    """Return if tasks with `token` may write to `store`.

    Raises
    ------
    BuildError : ``store-unreachable`` where this process does not see the store, ``superseded`` where
        another build has taken over, or this one has gone on to seal.
    """
    if not Path(store).is_dir():
        raise BuildError(
            "store-unreachable",
            "a worker does not see the store",
            value=str(store),
            remedy="put --out on a file system that all workers share, under the same path",
        )
    try:
        admitted = _file(store).read_text(encoding="utf-8")
    except FileNotFoundError:
        admitted = None
    if admitted != token:
        raise BuildError(
            "superseded",
            "the build that gave out this task is over",
            value=str(store),
            remedy="nothing; the build that took over makes its shard",
        )


def _file(store: str | Path) -> Path:
    return Path(store).parent / FILE_NAME
