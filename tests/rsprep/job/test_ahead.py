"""Work begun before its turn keeps its order and its bounds."""

from __future__ import annotations

import threading

import pytest

from rsprep.job.ahead import begun_ahead


def test_results_come_in_order_and_no_more_than_allowed_are_in_the_making_or_waiting() -> None:
    lock, gate = threading.Lock(), threading.Semaphore(0)
    begun: list[int] = []
    taken = 0
    most = 0

    def work(number: int) -> int:
        nonlocal most
        with lock:
            begun.append(number)
            most = max(most, len(begun) - taken)
        if number == 0:
            assert gate.acquire(timeout=10)  # the first waits for the second: they do run side by side
        if number == 1:
            gate.release()
        return -number

    results = []
    for result in begun_ahead(work, range(20), 3):
        with lock:
            taken += 1
        results.append(result)
    assert results == [-number for number in range(20)]
    assert most <= 4  # three, and the one that the caller holds


def test_one_at_a_time_is_the_callers_own_thread() -> None:
    threads = list(begun_ahead(lambda _: threading.current_thread(), range(3), 1))
    assert threads == [threading.current_thread()] * 3


def test_what_goes_wrong_is_raised_in_its_turn() -> None:
    results = begun_ahead(lambda number: 1 / (2 - number), range(9), 4)
    assert [next(results), next(results)] == [0.5, 1.0]
    with pytest.raises(ZeroDivisionError):
        next(results)
