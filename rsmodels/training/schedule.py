"""Learning rates and seeds as functions of the step: nothing to remember, so nothing to lose."""

from __future__ import annotations

import hashlib
import math

import torch
from torch.optim import Optimizer

from rsmodels.tasks.settings import Schedule


def factor(schedule: Schedule, step: int, steps: int) -> float:
    """What the learning rates are multiplied by at a step of `steps`, 0-based."""
    rise = min(1.0, (step + 1) / schedule.warmup) if schedule.warmup else 1.0
    if schedule.shape == "constant":
        return rise
    begin = schedule.hold * steps
    done = min(1.0, max(0.0, (step - begin) / max(1.0, steps - begin)))
    return rise * (1 - done if schedule.shape == "linear" else 0.5 * (1 + math.cos(math.pi * done)))


def set_rate(optimiser: Optimizer, rate: float) -> None:
    """Give all of an optimiser's weights this learning rate."""
    for group in optimiser.param_groups:
        group["lr"] = rate


def seed_step(seed: int, step: int) -> None:
    """Seed torch for one step, the same on every device that shares it: dropout then depends on nothing before."""
    mixed = hashlib.blake2b(f"step {seed} {step}".encode(), digest_size=8).digest()
    torch.manual_seed(int.from_bytes(mixed, "little") >> 1)
