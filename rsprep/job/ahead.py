"""Work that is begun before its turn: over a network most of it is waiting."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def begun_ahead(work: Callable[[Item], Result], items: Iterable[Item], at_a_time: int) -> Iterator[Result]:
    """`work` of each item, in order, while that of the next ones is under way.

    No more than `at_a_time` results are in the making or wait to be taken, so memory stays in bounds. With one at
    a time everything happens in the caller's own thread.

    Examples
    --------
    >>> list(begun_ahead(lambda number: number**2, range(5), 2))
    [0, 1, 4, 9, 16]
    """
    if at_a_time <= 1:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(at_a_time, thread_name_prefix="rsprep-ahead") as pool:
        coming: deque[Future[Result]] = deque()
        try:
            for item in items:
                coming.append(pool.submit(work, item))
                if len(coming) == at_a_time:
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()
        finally:
            for future in coming:
                future.cancel()
