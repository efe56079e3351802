"""Rates and seeds are functions of the step."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rsmodels.tasks.settings import Schedule
from rsmodels.training.schedule import factor, seed_step
from rsmodels.training.state import Average


def test_shapes() -> None:
    linear = Schedule(shape="linear", hold=0.5)
    assert [factor(linear, step, 100) for step in (0, 50, 75, 100, 130)] == [1, 1, 0.5, 0, 0]
    cosine = Schedule(shape="cosine", hold=0)
    assert factor(cosine, 50, 100) == pytest.approx(0.5)
    assert factor(Schedule(warmup=4), 0, 100) == 0.25
    assert factor(Schedule(warmup=4), 9, 100) == 1


def test_seeds_of_steps_differ_and_repeat() -> None:
    def drawn(seed: int, step: int) -> float:
        seed_step(seed, step)
        return float(torch.rand(()))

    assert drawn(3, 5) == drawn(3, 5)
    assert len({drawn(seed, step) for seed in range(4) for step in range(50)}) == 200


def test_the_average_follows() -> None:
    """Early on it forgets quickly; what batch norm keeps is averaged alike, and its counts are copied."""
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    average = Average(network, 0.9)
    linear = network[0]
    assert isinstance(linear, nn.Linear)
    start = linear.weight.detach().clone()
    with torch.no_grad():
        linear.weight += 1.0
    network(torch.randn(8, 2))
    average.update(network, step=1)
    kept = average.network.state_dict()
    torch.testing.assert_close(kept["0.weight"], start + 1 - 2 / 11)  # (1 + 1) / (10 + 1) of the old stays
    now = network.state_dict()
    torch.testing.assert_close(kept["1.running_mean"], now["1.running_mean"] * (1 - 2 / 11))  # 0 at the start
    torch.testing.assert_close(kept["1.running_var"], now["1.running_var"] * (1 - 2 / 11) + 2 / 11)
    assert kept["1.num_batches_tracked"] == 1
    average.update(network, step=10_000)
    torch.testing.assert_close(average.network.state_dict()["0.weight"], start + 1 - 2 / 11 * 0.9)
    assert not any(weight.requires_grad for weight in average.network.parameters())
