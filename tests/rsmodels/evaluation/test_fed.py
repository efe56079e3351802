from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator

import pytest
import torch

from rsmodels.evaluation.fed import Fed


def test_everything_arrives_in_order() -> None:
    fed: Fed[int, list[int]] = Fed(list)
    for number in range(20):
        fed.put(number)
    assert fed.result() == list(range(20))


def test_nothing_learns_in_there() -> None:
    fed: Fed[torch.Tensor, list[bool]] = Fed(lambda items: [(one * 2).requires_grad for one in items])
    fed.put(torch.ones(1, requires_grad=True))
    assert fed.result() == [False]


def test_what_goes_wrong_is_raised_where_it_is_fed() -> None:
    def fails(items: Iterator[int]) -> None:
        next(items)
        raise ValueError("odd")

    fed = Fed(fails)
    with pytest.raises(ValueError, match="odd"):  # noqa: PT012  # some items may wait before it is seen
        for number in range(100):
            fed.put(number)
    with pytest.raises(ValueError, match="odd"):
        fed.result()


def test_a_loop_that_breaks_off_leaves_no_thread() -> None:
    before = threading.active_count()
    fed: Fed[int, int] = Fed(sum)
    fed.put(1)
    del fed
    gc.collect()
    for _ in range(100):
        if threading.active_count() == before:
            return
        time.sleep(0.02)
    raise AssertionError("the thread still waits")
