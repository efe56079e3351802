"""The kinds of run that are compared: what each trains on, and for how long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rsmodels.data.source import ChipSource
from rsmodels.downstream.settings import DownstreamSettings
from rsmodels.errors import ModelError
from rsmodels.tasks.models import resolve
from rsmodels.tasks.settings import RunSettings
from rsmodels.training.setup import Material, gather

POINTS = 10
"""Validations of a True run where its settings name no other number: points of its curve."""


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One kind of run."""

    key: str
    """``true``, ``mix-steps`` or ``mix-epochs``."""
    title: str
    steps: int
    passes: float
    """How often each real train chip is met."""
    values: Mapping[str, Any]
    """Settings of its runs but for seed and folder."""

    def run(self, seed: int, home: Path) -> dict[str, Any]:
        """Settings of one run of it, as `resolve` takes them."""
        return {**self.values, "steps": self.steps, "seed": seed, "out": str(self.folder(seed, home))}

    def folder(self, seed: int, home: Path) -> Path:
        """Where that run is."""
        return home / "runs" / f"{self.key}-seed{seed}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """What is compared."""

    arms: tuple[Arm, ...]
    """True first."""
    real: ChipSource
    synthetic: ChipSource | None
    settings: RunSettings
    """Those of True; what they have in common with Mix is the same there."""


def plan(settings: DownstreamSettings) -> Plan:
    """Open the data sets, check them, and say which runs there are; nothing is written.

    At equal epochs Mix makes as many passes over the real chips as True, and so at 1:1 twice the updates: the paper's
    comparison. At equal steps it makes as many updates, and so half the passes.

    Raises
    ------
    ModelError, StoreError, ConfigError : as :func:`rsmodels.training.setup.gather`; ``saw-held-out`` where synthetic
        chips come from chips that the real data set holds out, ``no-chips`` where it holds none out, ``not-synthetic``.
    """
    base: dict[str, Any] = {"model": "segmentation", "keep": 1, **settings.train}
    if settings.preset is not None:
        base["preset"] = settings.preset
    long = {key: value for key in ("steps", "epochs") if (value := getattr(settings, key))}
    checked = resolve({**base, **long, "data": [settings.real], "out": settings.out})
    true = gather(checked)
    _check_judge(true.sources[0], settings.split)
    base |= {"save_every": checked.save_every if "save_every" in settings.train else -(-true.steps // POINTS)}
    alone = base | {"data": [settings.real]}
    arms = [Arm(key="true", title="True", steps=true.steps, passes=_passes(checked, true, true.steps), values=alone)]
    synthetic = None
    if settings.synthetic is not None:
        mixed = base | {"data": [settings.real, settings.synthetic], "ratio": settings.ratio}
        mix = gather(resolve({**mixed, **long, "out": settings.out}))
        synthetic = mix.sources[1]
        _check_synthetic(synthetic)
        longer = mix.steps if checked.epochs else -(-true.steps * mix.stream.epoch_length // true.stream.epoch_length)
        for way, title, steps in (("steps", "Mix, equal steps", true.steps), ("epochs", "Mix, equal epochs", longer)):
            if settings.match in (way, "both"):
                passes = _passes(checked, mix, steps)
                arms.append(Arm(key=f"mix-{way}", title=title, steps=steps, passes=passes, values=mixed))
    return Plan(arms=tuple(arms), real=true.sources[0], synthetic=synthetic, settings=checked)


def _passes(settings: RunSettings, material: Material, steps: int) -> float:
    return steps * settings.batch / material.stream.epoch_length


def _check_judge(real: ChipSource, split: str) -> None:
    """See that there is something to judge on before hours of training."""
    if not real.of_split(split).size:
        raise ModelError(
            "no-chips",
            f"the real data set has no {split} chip to judge on",
            value=str(real.folder),
            remedy="choose the other one with --split, or build it with a test split",
        )


def _check_synthetic(source: ChipSource) -> None:
    """See that what is called synthetic is: the report says so."""
    real = ~source.chips.synthetic
    if real.any():
        raise ModelError(
            "not-synthetic",
            f"{int(real.sum()):,} chip(s) of the synthetic data set are real ones",
            value=str(source.folder),
            remedy="give a data set of `rsmodels synth-augment`; the real one goes to --real",
        )
