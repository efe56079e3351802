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

from rsprep.cloud import objects
from rsprep.cloud.address import Address, Place, place
from rsprep.errors import BuildError
from rsprep.files import write_text

FILE_NAME = ".writers"


def admit_writers(store: str | Place) -> str:
    """Admit the tasks of a new build, and none of earlier ones; returns the token that they carry."""
    token = uuid.uuid4().hex
    file = _file(store)
    if isinstance(file, Address):
        objects.write(file, token.encode())
    else:
        write_text(file, token)
    return token


def dismiss_writers(store: str | Place) -> None:
    """Let no task write any more."""
    file = _file(store)
    if isinstance(file, Address):
        objects.delete(file)
    else:
        file.unlink(missing_ok=True)


def require_writer(store: str | Place, token: str) -> None:
    """Return if tasks with `token` may write to `store`.

    Raises
    ------
    BuildError : ``store-unreachable`` where this process does not see the store, ``superseded`` where
        another build has taken over, or this one has gone on to seal.
    """
    here = place(store)
    if not isinstance(here, Address) and not here.is_dir():
        raise BuildError(
            "store-unreachable",
            "a worker does not see the store",
            value=str(store),
            remedy="put --out on a file system that all workers share, under the same path",
        )
    if _admitted(here) != token:
        raise BuildError(
            "superseded",
            "the build that gave out this task is over",
            value=str(store),
            remedy="nothing; the build that took over makes its shard",
        )


def _admitted(store: Place) -> str | None:
    file = _file(store)
    if isinstance(file, Address):
        found = objects.read(file)
        return None if found is None else found[0].decode()
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def _file(store: str | Place) -> Place:
    return place(store).parent / FILE_NAME
