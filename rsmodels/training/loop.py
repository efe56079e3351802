"""The loop that trains everything: phases in turn, one batch a step, and nothing that a stop could lose."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from rsmodels.data.batch import ChipBatch
from rsmodels.data.loader import Loader
from rsmodels.data.normalise import Normaliser
from rsmodels.tasks.base import Networks, Phase, Task
from rsmodels.tasks.settings import RunSettings
from rsmodels.training.device import device_of
from rsmodels.training.rescue import not_finite
from rsmodels.training.schedule import factor, seed_step, set_rate
from rsmodels.training.setup import Material
from rsmodels.training.state import Average


@dataclass(frozen=True, kw_only=True, eq=False)
class Means:
    """Means over the steps since the last line of the log."""

    values: Mapping[str, float]
    chips_per_second: float


class Trainer:
    """Networks, optimisers and running average of one run, and the step that moves them.

    Parameters
    ----------
    fabric : launched.
    task : its networks are put on the device and wrapped here.
    steps : of the whole run, for the schedule.
    """

    def __init__(self, fabric: Fabric, task: Task, settings: RunSettings, steps: int, run: Path) -> None:
        self.fabric = fabric
        self.task = task
        self.settings = settings
        self.steps = steps
        self.run = run
        self.step = 0
        self.optimisers: dict[str, Optimizer] = {}
        if settings.channels_last:
            task.networks.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
        task.networks.to(fabric.device)
        wrapped: dict[str, Callable[..., object]] = {
            name: fabric.setup_module(network) for name, network in task.networks.items()
        }
        self.networks = Networks(dict(task.networks.items()), wrapped, fabric.autocast)
        for phase in task.phases:
            self.optimisers[phase.name] = fabric.setup_optimizers(_optimiser(task, phase))  # type: ignore[assignment]
        main = task.networks[task.main]
        self.average = Average(main, settings.ema) if settings.ema else None
        self._sums: dict[str, Tensor] = defaultdict(lambda: torch.zeros((), device=fabric.device))
        self._steps, self._chips, self._since = 0, 0, time.monotonic()

    @property
    def best_network(self) -> nn.Module:
        """What is used afterwards: the running average where there is one."""
        return self.average.network if self.average else self.task.networks[self.task.main]

    def train_step(self, batch: ChipBatch) -> None:
        """One step: every phase once, on the same batch.

        Raises
        ------
        TrainError : ``not-finite``; the batch is saved, the weights are as they were before the phase.
        """
        batch = batch.to(self.fabric.device, channels_last=self.settings.channels_last)
        seed_step(self.settings.seed, self.step)
        self.task.networks.train()
        self.task.networks.requires_grad_(True)
        state = self.task.begin(self.networks, batch)
        rate = factor(self.settings.schedule, self.step, self.steps)
        for phase in self.task.phases:
            self._learn(phase, batch, state, rate)
        self.step += 1
        if self.average:
            self.average.update(self.task.networks[self.task.main], self.step)
        self._steps += 1
        self._chips += len(batch) * self.fabric.world_size

    def _learn(self, phase: Phase, batch: ChipBatch, state: object, rate: float) -> None:
        for name, network in self.task.networks.items():
            network.requires_grad_(name in phase.networks)
        optimiser = self.optimisers[phase.name]
        set_rate(optimiser, phase.optimiser.lr * rate)
        optimiser.zero_grad(set_to_none=True)
        total, parts = self.task.loss(phase.name, self.networks, batch, state)
        if not torch.isfinite(total):
            raise not_finite(self.run, self.step, phase.name, batch, parts)
        self.fabric.backward(total)
        if self.settings.clip:
            for name in phase.networks:
                parts = parts | {f"norm/{name}": self._clip(name, optimiser)}
        optimiser.step()
        for name, value in parts.items():
            self._sums[name] += value.detach().float()

    def _clip(self, name: str, optimiser: Optimizer) -> Tensor:
        weights = [weight for weight in self.task.networks[name].parameters() if weight.grad is not None]
        return nn.utils.clip_grad_norm_(weights, self.settings.clip)

    def take_means(self) -> Means:
        """Means of the losses since the last call, over all processes."""
        seconds = time.monotonic() - self._since
        values = {}
        for name in sorted(self._sums):
            mean = self.fabric.all_reduce(self._sums[name] / max(1, self._steps), reduce_op="mean")
            values[f"loss/{name}"] = float(torch.as_tensor(mean))
        means = Means(values=values, chips_per_second=self._chips / max(seconds, 1e-9))
        self._sums.clear()
        self._steps = 0
        self.restart_clock()
        return means

    def restart_clock(self) -> None:
        """Count rates from now: what came before was no training."""
        self._chips, self._since = 0, time.monotonic()


def make_loader(settings: RunSettings, material: Material, normaliser: Normaliser, fabric: Fabric) -> Loader:
    """Batches of this process."""
    return Loader(
        material.stream,
        material.sources,
        material.fields,
        normaliser,
        batch=settings.batch,
        seed=settings.seed,
        augment=settings.augment,
        threads=settings.loading.threads,
        rank=fabric.global_rank,
        world=fabric.world_size,
    )


def make_fabric(settings: RunSettings) -> Fabric:
    """Devices and precision as the settings have them."""
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # what it does is in the run's page
    return Fabric(
        accelerator=device_of(settings.device).type,
        devices=settings.devices,
        strategy="ddp_spawn" if settings.devices > 1 else "auto",
        precision="bf16-mixed" if settings.precision == "bf16" else "32-true",
    )


def _optimiser(task: Task, phase: Phase) -> Optimizer:
    weights = [weight for name in phase.networks for weight in task.networks[name].parameters()]
    how = phase.optimiser
    # AdamW without decay is Adam; fused, it takes a third of the time
    return AdamW(weights, lr=how.lr, betas=how.betas, weight_decay=how.weight_decay, fused=True)
