"""The kinds of run that are compared: what each trains on, and for how long."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rsmodels.data.source import ChipSource
from rsmodels.downstream.made import Made, made_of
from rsmodels.downstream.settings import SIZES, DownstreamSettings, name_of
from rsmodels.errors import ModelError
from rsmodels.tasks.models import resolve
from rsmodels.tasks.settings import RunSettings
from rsmodels.training.setup import Material, gather

POINTS = 10
"""Validations of a True run where its settings name no other number: points of its curve."""
TRUE = "true"


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One kind of run."""

    key: str
    """``true``, or ``mix-NAME-steps`` and ``mix-NAME-epochs``, where NAME is the synthetic data set's."""
    title: str
    steps: int
    passes: float
    """How often each real train chip is met."""
    values: Mapping[str, Any]
    """Settings of its runs but for seed and folder."""
    synthetic: str | None = None
    """The synthetic data set that is mixed in."""
    ratio: tuple[int, ...] = ()
    """Real and synthetic chips of the mix."""

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
    """With the share of its train chips that is trained on."""
    synthetic: tuple[Made, ...]
    settings: RunSettings
    """Those of True; what they have in common with Mix is the same there."""


def plan(settings: DownstreamSettings) -> Plan:
    """Open the data sets, check them, and say which runs there are; nothing is written.

    At equal steps Mix makes as many updates as True (CSEBGAN's comparison), and so at 1:1 half the passes. At equal
    epochs it makes as many passes over the real chips, and so at 1:1 twice the updates (RS-SPADE's).

    Raises
    ------
    ModelError, StoreError, ConfigError : as :func:`rsmodels.training.setup.gather`; ``saw-held-out`` where synthetic
        chips come from chips that the real data set holds out, ``no-chips`` where it holds none out, ``not-synthetic``.
    """
    base: dict[str, Any] = {"model": "segmentation", "keep": 1, **settings.train}
    if settings.preset is not None:
        base["preset"] = settings.preset
    if settings.share < 1:
        base["share"] = settings.share
    long = {key: value for key in ("steps", "epochs") if (value := getattr(settings, key))}
    checked = resolve({**base, **long, "data": [settings.real], "out": settings.out})
    true = gather(checked)
    _check_judge(true.sources[0], settings.split)
    base |= {"save_every": checked.save_every if "save_every" in settings.train else -(-true.steps // POINTS)}
    alone = base | {"data": [settings.real]}
    arms = [Arm(key=TRUE, title="True", steps=true.steps, passes=_passes(checked, true, true.steps), values=alone)]
    made: list[Made] = []
    for path in settings.synthetic:
        mixed = base | {"data": [settings.real, path], "ratio": _ratio(settings, true, path)}
        mix = gather(resolve({**mixed, **long, "out": settings.out}))
        _check_synthetic(mix.sources[1])
        made.append(made_of(mix.sources[1], settings, true.sources[0]))
        arms += _mixes(settings, checked, true, mix, mixed)
    return Plan(arms=tuple(arms), real=true.sources[0], synthetic=tuple(made), settings=checked)


def _mixes(
    settings: DownstreamSettings, checked: RunSettings, true: Material, mix: Material, values: Mapping[str, Any]
) -> Iterator[Arm]:
    """The one or two kinds of run that mix one synthetic data set in."""
    name = mix.sources[1].name
    called = "Mix" if len(settings.synthetic) == 1 else f"+{name}"
    longer = mix.steps if checked.epochs else -(-true.steps * mix.stream.epoch_length // true.stream.epoch_length)
    for way, steps in (("steps", true.steps), ("epochs", longer)):
        if settings.match in (way, "both"):
            yield Arm(
                key=f"mix-{name}-{way}",
                title=f"{called}, equal {way}",
                steps=steps,
                passes=_passes(checked, mix, steps),
                values=values,
                synthetic=name,
                ratio=values["ratio"],
            )


def _ratio(settings: DownstreamSettings, true: Material, path: str) -> tuple[int, int]:
    """Real and synthetic chips of the mix; by sizes, each chip of either is met equally often."""
    if settings.ratio != SIZES:
        return settings.ratio
    real, synthetic = len(true.sources[0].of_split("train")), len(ChipSource.open(path).of_split("train"))
    if not synthetic:
        raise ModelError(
            "no-chips", "the synthetic data set has no train chip", value=name_of(path), remedy="make it anew"
        )
    common = math.gcd(real, synthetic)
    return real // common, synthetic // common


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
