"""Drive a journal to the end of its plan: every pending shard is made, and recorded once it is on the disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Protocol, TypeVar

from rsprep.cloud.address import Place, resolved
from rsprep.config import Engine
from rsprep.job.engine import Done, describe_failure, run_all
from rsprep.job.halt import heeding_interrupts, reason_to_stop
from rsprep.job.journal import Journal
from rsprep.job.progress import Progress
from rsprep.job.records import ShardResult
from rsprep.store.fence import admit_writers, dismiss_writers
from rsprep.store.schema import Schema
from rsprep.store.seal import unseal_store
from rsprep.store.write import clear_partials, create_store


class WorkedShard(Protocol):
    """What the driver has to know of the shard in a task."""

    @property
    def index(self) -> int: ...
    @property
    def shard_id(self) -> str: ...
    @property
    def pending(self) -> int:
        """Chips of it that are still to be made."""
        ...


class ShardTask(Protocol):
    """A task that makes one shard."""

    @property
    def shard(self) -> WorkedShard: ...


Task = TypeVar("Task", bound=ShardTask)


def make_pending(
    journal: Journal,
    store: Place,
    schema: Schema,
    work: Callable[[Task], ShardResult],
    tasks: Callable[[str, str], Iterable[Task]],
    engine: Engine,
    watcher: Progress,
) -> None:
    """Make every shard that is pending; afterwards nobody can write any more.

    Parameters
    ----------
    store : where the chips go; made if absent.
    work : makes one shard, in a worker.
    tasks : from the store's address and a writer's token to the tasks of what is pending.
    """
    clear_partials(store)
    create_store(store, schema, journal.meta("n_shards"))
    unseal_store(store)
    waiting = tasks(str(resolved(store)), admit_writers(store))
    watcher.stage("build", total=journal.counts().pending, unit="chips")
    # Closed here and now when anything is raised: the workers must be gone before the lock is.
    with heeding_interrupts() as check, closing(run_all(work, waiting, engine, name=_task_name)) as finished:
        for done in finished:
            _settle(done, journal, watcher)
            check()
    dismiss_writers(store)
    clear_partials(store)  # of workers that died, or were given up, while they wrote


def _settle(done: Done[Task, ShardResult], journal: Journal, watcher: Progress) -> None:
    """Record what became of one shard; raises what would meet every other shard as well."""
    shard = done.task.shard
    if done.result is not None:
        journal.commit(done.result)
        for reason in done.result.stats.get("failures", ()):
            watcher.note(f"{shard.shard_id}: {reason}")
    else:
        stop = reason_to_stop(done.error)
        if stop is not None:
            raise stop from done.error
        reason = describe_failure(done.error) if done.error is not None else "no result"
        journal.fail(shard.index, reason)
        watcher.note(f"{shard.shard_id}: {reason}")
    watcher.advance(shard.pending)


def _task_name(task: ShardTask) -> str:
    return f"shard-{task.shard.shard_id}"
