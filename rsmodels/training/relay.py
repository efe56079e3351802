"""Progress told from a process of its own to whoever watches in this one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch.multiprocessing as processes

from rsprep.job.progress import Progress


class Relay:
    """A watcher that can be handed to other processes: it puts what it is told into a queue."""

    def __init__(self, queue: Any) -> None:
        self._queue = queue

    def stage(self, name: str, total: int | None = None, unit: str = "") -> None:
        """A stage begins."""
        self._queue.put(("stage", (name, total, unit)))

    def advance(self, amount: int = 1) -> None:
        """So many units are done."""
        self._queue.put(("advance", (amount,)))

    def note(self, text: str) -> None:
        """Something worth a line of its own."""
        self._queue.put(("note", (text,)))


@contextmanager
def relayed(watcher: Progress) -> Iterator[Relay]:
    """A relay to `watcher`, for as long as the block lasts."""
    queue = processes.get_context("spawn").SimpleQueue()

    def pass_on() -> None:
        while (told := queue.get()) is not None:
            name, arguments = told
            getattr(watcher, name)(*arguments)

    thread = threading.Thread(target=pass_on, name="relay", daemon=True)
    thread.start()
    try:
        yield Relay(queue)
    finally:
        queue.put(None)
        thread.join()
        queue.close()
