"""Servers that give no answer for a while: since when, and waiting that can be ended."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_leaving = threading.Event()


class Outages:
    """Since when servers have answered nobody in this process.

    A night's build has thousands of requests. Each waits for a server that is away, but all of them together only as
    long as one is allowed to: from the server's last answer on, not from each request's own beginning.
    """

    def __init__(self) -> None:
        self._since: dict[str, float] = {}
        self._lock = threading.Lock()

    def lasts(self, server: str, began: float, now: float) -> float:
        """Seconds that a server has been away: since it was first missed, or since `began`, whichever is longer ago.

        Parameters
        ----------
        began : when the request that asks met its first silence. One that is never answered, while others are, does
            not wait for ever either.
        """
        with self._lock:
            return now - min(self._since.setdefault(server, now), began)

    def over(self, server: str) -> None:
        """It has answered."""
        with self._lock:
            self._since.pop(server, None)


def pause(seconds: float) -> None:
    """Sleep, unless a build is being left."""
    _leaving.wait(seconds)


def leaving() -> bool:
    """True while a build is being left: nothing is waited for any more."""
    return _leaving.is_set()


@contextmanager
def left_at_once() -> Iterator[None]:
    """A block whose readers stop waiting for servers as soon as it ends early: Ctrl-C must not last an outage long."""
    _leaving.clear()
    try:
        yield
    except BaseException:
        _leaving.set()
        raise
