"""Several functions that each want to pull batches, fed from one loop that makes them."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from queue import Full, Queue
from threading import Thread
from typing import Any, Generic, TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")
AHEAD = 2
"""Items that wait at most: what is fed is large."""
PATIENCE = 0.1
"""Seconds between looks whether the function still takes anything."""
_END = object()


class Fed(Generic[T, R]):
    """Runs `pull(items)` in a thread of its own, without gradients, on the items that are put in.

    What it raises is raised where the next item is put in, or where its result is asked for.
    """

    def __init__(self, pull: Callable[[Iterator[T]], R]) -> None:
        self._queue: Queue[Any] = Queue(AHEAD)
        self._found: Future[R] = Future()
        Thread(target=_run, args=(pull, self._queue, self._found), daemon=True).start()
        # the thread ends also where the loop never comes to the end
        weakref.finalize(self, _dismiss, self._queue)

    def put(self, item: T) -> None:
        """Hand over one more item; waits while others are waiting."""
        self._put(item)

    def result(self) -> R:
        """What the function returns, now that there is nothing more."""
        self._put(_END)
        return self._found.result()

    def _put(self, item: object) -> None:
        while not self._found.done():
            with contextlib.suppress(Full):
                self._queue.put(item, timeout=PATIENCE)
                return
        self._found.result()


def _run(pull: Callable[[Iterator[T]], R], queue: Queue[Any], found: Future[R]) -> None:
    try:
        with torch.no_grad():
            found.set_result(pull(iter(queue.get, _END)))
    except BaseException as error:  # it is raised again in the thread that feeds
        found.set_exception(error)


def _dismiss(queue: Queue[Any]) -> None:
    with contextlib.suppress(Full):
        queue.put_nowait(_END)
