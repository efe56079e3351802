"""A run from settings to its last checkpoint; the same call goes on where it stopped."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch.multiprocessing.spawn import ProcessException

from rsmodels.data.loader import sweep
from rsmodels.data.normalise import Normaliser
from rsmodels.errors import TrainError
from rsmodels.report.pictures import colours_of
from rsmodels.tasks.base import Rows
from rsmodels.tasks.models import model, resolve
from rsmodels.tasks.settings import RunSettings
from rsmodels.training import checkpoint
from rsmodels.training.device import device_of
from rsmodels.training.guard import CONFIG, alone, check_resumes, heeding_stops, leaving_nothing_wrong
from rsmodels.training.log import SHOWN, Log, write_run_page, write_samples
from rsmodels.training.loop import Trainer, make_fabric, make_loader
from rsmodels.training.relay import relayed
from rsmodels.training.save import restore, save, saved_normaliser, saved_scores
from rsmodels.training.setup import Material, fit_normaliser, gather, held_out, make_task
from rsprep.cloud.address import Place, place
from rsprep.cloud.workplace import worked_in
from rsprep.files import write_text
from rsprep.job.progress import Progress, Silent
from rsprep.settings import dump_config


@dataclass(frozen=True, kw_only=True)
class TrainOutcome:
    """How a call ended."""

    run: Place
    step: int
    steps: int
    scores: Mapping[str, float]
    """Of the last validation; empty without one."""

    @property
    def finished(self) -> bool:
        """False where it stopped as it was told to, before its end."""
        return self.step >= self.steps


def train(settings: RunSettings | Mapping[str, Any], *, progress: Progress | None = None) -> TrainOutcome:
    """Train a model, or go on with it.

    Parameters
    ----------
    settings : checked settings, or a mapping as :func:`rsmodels.tasks.models.resolve` takes it.
    progress : who watches; nobody by default.

    Raises
    ------
    ModelError, StoreError, ConfigError : something that was given cannot be used; nothing is written then.
    TrainError : the run had to stop; what it saved is kept.
    KeyboardInterrupt : after an interrupt, once the step is done and a checkpoint is written.
    """
    checked = settings if isinstance(settings, RunSettings) else resolve(settings)
    watcher = progress or Silent()
    with worked_in(checked.out) as run:
        check_resumes(run, checked)
        device_of(checked.device)
        material = gather(checked)
        with alone(run), leaving_nothing_wrong(run):
            write_text(run / CONFIG, dump_config(checked))
            if checked.devices > 1:
                found = _train_apart(checked, run, watcher)
            else:
                found = _train(make_fabric(checked), checked, material, run, watcher)
    return TrainOutcome(run=place(checked.out), **found)


def _train_apart(settings: RunSettings, run: Path, watcher: Progress) -> dict[str, Any]:
    """The run in several processes, each of which opens the data for itself."""
    with relayed(watcher) as relay:
        try:
            found: dict[str, Any] = make_fabric(settings).launch(_train, settings, None, run, relay)  # type: ignore[arg-type]  # its stub knows no arguments
        except ProcessException as error:
            raise TrainError(
                "process-failed",
                "one of the processes failed, and the others were stopped",
                value=_last_line(str(error)),
                remedy="the same command goes on from the last checkpoint; with --devices 1 the error is told in full",
            ) from error
    return found


def _last_line(trace: str) -> str:
    return next((line for line in reversed(trace.splitlines()) if line.strip()), "")


def _train(
    fabric: Fabric, settings: RunSettings, material: Material | None, run: Path, watcher: Progress
) -> dict[str, Any]:
    """The run in one process; under several devices there are as many of it."""
    material = material or gather(settings)
    chief = fabric.is_global_zero
    watcher = watcher if chief else Silent()
    found = checkpoint.newest(run)
    watcher.stage("prepare")
    normaliser = saved_normaliser(found) if found else fit_normaliser(settings, material)
    torch.manual_seed(settings.seed)  # the first weights, the same in every process
    task = make_task(settings, normaliser, material)
    trainer = Trainer(fabric, task, settings, material.steps, run)
    if found:
        restore(trainer, found, material)
        watcher.note(f"goes on at step {trainer.step:,} of {material.steps:,}")
    keeper = _Keeper(trainer, material, normaliser, Log(run, trainer.step) if chief else None, watcher)
    keeper.scores = saved_scores(found) if found else {}
    limit = min(material.steps, settings.max_steps or material.steps)
    if trainer.step < limit:
        _loop(trainer, keeper, limit, watcher)
    return {"step": trainer.step, "steps": material.steps, "scores": keeper.scores}


def _loop(trainer: Trainer, keeper: _Keeper, limit: int, watcher: Progress) -> None:
    """Steps up to `limit`, with logs and checkpoints between them."""
    settings, fabric = trainer.settings, trainer.fabric
    began = time.monotonic()
    loader = make_loader(settings, keeper.material, keeper.normaliser, fabric)
    watcher.stage("train", total=limit, unit="steps")
    watcher.advance(trainer.step)
    with heeding_stops() as stopped, closing(loader.batches(trainer.step)) as batches:
        trainer.restart_clock()
        for batch in batches:
            trainer.train_step(batch)
            watcher.advance()
            late = bool(settings.max_time) and time.monotonic() - began >= settings.max_time
            halt = _agreed(fabric, stopped() or late)
            last = halt or trainer.step >= limit
            if trainer.step % settings.log_every == 0 or last:
                keeper.log()
            if trainer.step % settings.save_every == 0 or trainer.step >= limit:
                keeper.validate_and_save()
                trainer.restart_clock()
            elif halt:
                keeper.save(None)
            if last:
                break
        if stopped():
            raise KeyboardInterrupt


class _Keeper:
    """Logs, validates and saves a run; only the first process writes."""

    def __init__(
        self, trainer: Trainer, material: Material, normaliser: Normaliser, log: Log | None, watcher: Progress
    ) -> None:
        self.trainer = trainer
        self.material = material
        self.normaliser = normaliser
        self.scores: dict[str, float] = {}
        self._log = log
        self._watcher = watcher

    def log(self) -> None:
        """One line of losses, rates and speed."""
        means = self.trainer.take_means()
        if self._log is not None:
            rates = {f"rate/{name}": float(one.param_groups[0]["lr"]) for name, one in self.trainer.optimisers.items()}
            values = {**means.values, **rates, "chips_per_second": means.chips_per_second}
            self._log.write(self.trainer.step, "train", values)

    def validate_and_save(self) -> None:
        """Score held-out chips, show some, and write a checkpoint."""
        if self._log is not None:
            columns, rows = self._validate()
            if self.scores:
                self._log.write(self.trainer.step, "validation", self.scores)
            self.save(self.scores.get(self.trainer.task.headline[0]))
            self._show(columns, rows)
        self.trainer.fabric.barrier()

    def save(self, score: float | None) -> None:
        """Write a checkpoint, and remove those that are not kept."""
        if self._log is not None:
            save(self.trainer, self.material, self.normaliser, self.scores, score)
            checkpoint.prune(self.trainer.run, self.trainer.settings.keep, self.trainer.task.headline[1])

    @torch.no_grad()
    def _validate(self) -> tuple[tuple[str, ...], Rows]:
        trainer, settings = self.trainer, self.trainer.settings
        found = held_out(settings, self.material.sources)
        if found is None:
            return (), []
        source, slots = found
        device, network, task = trainer.fabric.device, trainer.best_network, trainer.task
        with trainer.fabric.autocast():
            batches = (
                batch.to(device, channels_last=settings.channels_last)
                for batch in sweep(source, slots, self.material.fields, self.normaliser, batch=settings.batch)
            )
            self.scores = task.score(network, batches)
            few = next(iter(sweep(source, slots[:: max(1, len(slots) // SHOWN)][:SHOWN], self.material.fields,
                                  self.normaliser, batch=SHOWN)))  # fmt: skip
            colours = colours_of(source, self.material.fields)
            columns, rows = task.panels(network, few.to(device, channels_last=settings.channels_last), colours)
        names = dict(zip(source.chips.slot.tolist(), source.chips.chip_id.tolist(), strict=True))
        return columns, [(names[key.slot], images) for key, (_, images) in zip(few.chips, rows, strict=True)]

    def _show(self, columns: tuple[str, ...], rows: Rows) -> None:
        trainer, settings = self.trainer, self.trainer.settings
        if rows:
            write_samples(trainer.run, trainer.step, columns, rows)
        shown = ", ".join(f"{name} {value:.3f}" for name, value in self.scores.items() if "/" not in name)
        self._watcher.note(f"step {trainer.step:,}: {shown}" if shown else f"step {trainer.step:,}")
        title = model(settings.model).title
        facts = [
            ("model", title),
            (
                "data",
                ", ".join(f"{one['name']} ({one['chips']:,} {one['split']} chips)" for one in self.material.parents),
            ),
            ("step", f"{trainer.step:,} of {trainer.steps:,}, {settings.batch} chips each"),
            ("seed", str(settings.seed)),
            ("precision", settings.precision),
            *((name, f"{value:.4f}") for name, value in self.scores.items()),
        ]
        write_run_page(trainer.run, f"{title}: {trainer.run.resolve().name}", "A training run", facts, columns, rows)


def _agreed(fabric: Fabric, halt: bool) -> bool:
    """True in every process as soon as one wants to stop."""
    if fabric.world_size == 1:
        return halt
    wanted = torch.tensor(float(halt), device=fabric.device)
    return bool(torch.as_tensor(fabric.all_reduce(wanted, reduce_op="sum")).item())
