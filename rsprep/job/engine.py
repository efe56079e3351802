"""Where shards run: threads, local processes, or a running Dask cluster.

One shard is one Dask task. Tasks are handed out a few at a time, so neither the graph nor the
memory of the scheduler grows with the job; results come back in the order they finish.
"""

from __future__ import annotations

import itertools
import logging
import os
import signal
import traceback
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any, Generic, TypeVar

from rsprep.config import Engine
from rsprep.errors import BuildError, ConfigError, RsprepError
from rsprep.reading.outage import left_at_once

TASKS_PER_WORKER = 2
ALLOWED_FAILURES = 3
CONNECT_TIMEOUT = "15s"
LOG_LENGTH = 20

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class Done(Generic[Task, Result]):
    """A task that came back: with its result, or with the error that ended it for good."""

    task: Task
    result: Result | None
    error: BaseException | None


def run_all(
    work: Callable[[Task], Result], tasks: Iterable[Task], engine: Engine, *, name: Callable[[Task], str]
) -> Generator[Done[Task, Result], None, None]:
    """Run `work` over `tasks` and yield each as it ends; errors are yielded, not raised.

    A worker that dies or freezes loses its task to another worker; a task that took
    several workers down with it is given up and yielded with its error. Close the iterator
    when it is left early: the workers go with it.

    Raises
    ------
    ConfigError : ``no-scheduler``, ``no-workers`` or ``version-mismatch``.
    BuildError : ``scheduler-lost``.
    """
    with _client(engine) as client, left_at_once():
        yield from _stream(client, work, tasks, name)


def _stream(
    client: Any, work: Callable[[Task], Result], tasks: Iterable[Task], name: Callable[[Task], str]
) -> Iterator[Done[Task, Result]]:
    from distributed import as_completed

    waiting = iter(tasks)
    running: dict[str, Task] = {}
    # A cluster takes tasks of one key for one task, whoever sends them.
    session = uuid.uuid4().hex

    def submit(task: Task) -> Any:
        key = f"{name(task)}-{session}"
        running[key] = task
        return client.submit(work, task, key=key, pure=False)

    in_flight = max(1, sum(client.nthreads().values())) * TASKS_PER_WORKER
    futures = as_completed([submit(task) for task in itertools.islice(waiting, in_flight)])
    for future in futures:
        task = running.pop(future.key)
        done: Done[Task, Result] = _ended(client, future, task)
        for task_next in itertools.islice(waiting, 1):
            futures.add(submit(task_next))
        yield done


def _ended(client: Any, future: Any, task: Task) -> Done[Task, Result]:
    """Fetch what a future holds; a scheduler that is gone shows as a cancelled future or as a broken connection."""
    from distributed import CancelledError

    lost = BuildError(
        "scheduler-lost",
        "the Dask scheduler is gone",
        value=client.scheduler.address if client.scheduler else None,
        remedy="start it again; the same command then goes on from here",
    )
    if future.status == "cancelled":
        raise lost
    try:
        error = future.exception() if future.status != "finished" else None
        result = future.result() if error is None else None
    except (OSError, CancelledError) as broken:  # of the connection: a task's own error is returned, not raised
        raise lost from broken
    future.release()
    return Done(task=task, result=result, error=error)


@contextmanager
def _client(engine: Engine) -> Iterator[Any]:
    """Connect to the workers that `engine` asks for, and let them go afterwards."""
    import dask
    from distributed import Client, LocalCluster

    settings = {
        "distributed.scheduler.allowed-failures": ALLOWED_FAILURES,
        "distributed.scheduler.worker-ttl": f"{engine.worker_ttl:g}s",
        "distributed.worker.daemon": True,
        "distributed.admin.large-graph-warning-threshold": "100MB",
        "distributed.comm.timeouts.connect": CONNECT_TIMEOUT,
        # Dask keeps the last messages, tasks and stack samples to debug itself: memory that grows with the job.
        "distributed.admin.low-level-log-length": LOG_LENGTH,
        "distributed.admin.log-length": LOG_LENGTH,
        "distributed.worker.profile.enabled": False,
    }
    workers = engine.workers or os.cpu_count() or 1
    # A task that fails is told by the journal, in one line; Dask would print its payload as well.
    logging.getLogger("distributed.worker").setLevel(logging.CRITICAL)
    with dask.config.set(settings):
        if engine.scheduler in ("threads", "processes"):
            processes = engine.scheduler == "processes"
            with _interrupts_held():
                cluster = LocalCluster(
                    n_workers=workers if processes else 1,
                    threads_per_worker=1 if processes else workers,
                    processes=processes,
                    # Any free port, seen from this machine only: two builds may run side by side.
                    dashboard_address="127.0.0.1:0",
                    worker_dashboard_address="127.0.0.1:0",
                    host=None if not processes else "127.0.0.1",
                    memory_limit=0,
                    # What matters comes back with the tasks; a worker that is stopped complains of closed streams.
                    silence_logs=logging.CRITICAL,
                )
            with cluster, Client(cluster) as client:
                yield client
        else:
            with _remote(Client, engine.scheduler) as client:
                yield client


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Start workers that no Ctrl-C reaches: a terminal sends it to the whole process group.

    Threads and processes inherit the signal mask of the thread that starts them, so the workers,
    and those that replace them later, leave an interrupt to the coordinator, which stops them.
    """
    # Whichever thread starts the tracker of multiprocessing comes out of it with interrupts let through.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def check_scheduler(engine: Engine) -> None:
    """See that the cluster that `engine` names answers, before anything is written.

    Raises
    ------
    ConfigError : ``no-scheduler``, ``no-workers`` or ``version-mismatch``.
    """
    if engine.scheduler not in ("threads", "processes"):
        with _client(engine):
            pass


def _remote(client_class: Any, address: str) -> Any:
    """Client of a running cluster; a clear error if there is none, or if its versions differ from ours."""
    try:
        client = client_class(address, timeout=CONNECT_TIMEOUT)
    except (OSError, TimeoutError) as error:
        raise ConfigError(
            "no-scheduler",
            f"no Dask scheduler answers ({type(error).__name__})",
            value=address,
            remedy="start one with `dask scheduler`, or use --scheduler threads",
        ) from None
    if not client.nthreads():
        client.close()
        raise ConfigError(
            "no-workers",
            "the Dask scheduler has no workers",
            value=address,
            remedy=f"start some with `dask worker {address}`",
        )
    mismatch = _version_mismatch(client)
    if mismatch:
        client.close()
        raise ConfigError(
            "version-mismatch",
            f"the cluster's workers run other versions: {mismatch}",
            value=address,
            remedy="install the same environment on every worker",
        )
    return client


def _worker_version() -> str:
    """The rsprep version where this runs; raises ImportError where rsprep is absent."""
    import rsprep

    return rsprep.__version__


def _version_mismatch(client: Any) -> str:
    import rsprep

    answers = client.run(_worker_version, on_error="return")
    odd = {worker: answer for worker, answer in answers.items() if answer != rsprep.__version__}
    return ", ".join(f"{worker}: rsprep {answer}" for worker, answer in sorted(odd.items()))


def describe_failure(error: BaseException) -> str:
    """One line for the journal on why a task was given up."""
    if isinstance(error, RsprepError):
        return f"{error.name}: {error.cause}"
    message = str(error).splitlines()[0] if str(error) else "no message"
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {message}{place}"
