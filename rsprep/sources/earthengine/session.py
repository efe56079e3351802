"""One login a process: the client keeps its state globally, so that it is entered and left under one lock."""

from __future__ import annotations

import os
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from rsprep.errors import RsprepError
from rsprep.reading.access import ReadPolicy
from rsprep.sources.earthengine.faults import diagnose
from rsprep.sources.earthengine.limiter import Limiter
from rsprep.sources.earthengine.login import Login, earthengine, read_credentials

Found = TypeVar("Found")


class _Process:
    """The client's state in this process."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.login: Login | None = None
        self.users = 0
        self.transport: Any = None


_process = _Process()


def _after_fork() -> None:
    """A process that was forked off shares no connection, lock or count of users with its parent."""
    global _process
    _process = _Process()


os.register_at_fork(after_in_child=_after_fork)


def ask(login: Login, work: Callable[[Any], Found], *, limiter: Limiter, policy: ReadPolicy) -> Found:
    """What `work` makes of the client, tried again with growing pauses while the fault may pass.

    Parameters
    ----------
    work : is given the module ``ee``, logged in; makes one request.

    Raises
    ------
    Fault : the request failed for good. ConfigError : there is no login, project or client.
    """
    met: Counter[str] = Counter()
    while True:
        try:
            with limiter.slot(), _entered(login) as ee:
                return work(ee)
        except RsprepError:
            raise
        except Exception as error:
            fault = diagnose(error)
            if fault is None:
                raise
        met[fault.kind] += 1
        fault.attempts, fault.waited_long = met.total(), policy.patience > 0
        # Being told to wait is no failure: with the pauses in between this is some minutes.
        allowed = {"throttled": policy.attempts + policy.patience, "passing": policy.attempts}
        if met[fault.kind] >= allowed.get(fault.kind, 1):
            raise fault from None
        pause = min(policy.backoff_s * 2 ** (met[fault.kind] - 1), policy.longest_wait_s)
        told = min(fault.retry_after or 0.0, policy.longest_wait_s)
        # Spread out: workers that were refused together would otherwise come back together.
        policy.sleep(max(told, pause * random.uniform(0.5, 1.0)) + random.uniform(0, 0.1))  # noqa: S311 - no secret


@contextmanager
def _entered(login: Login) -> Iterator[Any]:
    """The client, logged in by `login`; another login waits until nobody uses this one."""
    ee = earthengine()
    with _process.changed:
        _process.changed.wait_for(lambda: _process.login == login or _process.users == 0)
        if _process.login != login:
            _initialise(ee, login)
            _process.login = login
        _process.users += 1
    try:
        yield ee
    finally:
        with _process.changed:
            _process.users -= 1
            _process.changed.notify_all()


def _initialise(ee: Any, login: Login) -> None:
    from rsprep.sources.earthengine.transport import Transport

    _close(ee)
    credentials, project = read_credentials(login)
    _process.transport = Transport(login.deadline_s)
    try:
        ee.data.setMaxRetries(0)  # its own retries know neither deadlines nor the limit that workers share
        ee.Initialize(credentials, url=login.url, project=project, http_transport=_process.transport)
    except BaseException:
        _close(ee)
        raise


def _close(ee: Any) -> None:
    _process.login = None
    if _process.transport is not None:
        _process.transport.close()
        _process.transport = None
    ee.Reset()


def leave() -> None:
    """Log out and let the connections go, once nobody uses them; the next request logs in again."""
    with _process.changed:
        _process.changed.wait_for(lambda: _process.users == 0)
        if _process.login is not None:
            _close(earthengine())
