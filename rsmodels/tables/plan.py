"""From a recipe to its runs: what each is told, and where everything lies. Nothing is written here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from rsmodels.data.source import ChipSource
from rsmodels.downstream.settings import DownstreamSettings
from rsmodels.errors import ModelError
from rsmodels.evaluation.columns import COLOUR_COLUMNS, COLUMNS
from rsmodels.evaluation.evaluate import EvaluateSettings
from rsmodels.generators.colorization_settings import ColorizationSettings
from rsmodels.synth.settings import SynthSettings
from rsmodels.tables.settings import ReproduceSettings, System
from rsmodels.tasks.models import resolve
from rsprep.cloud.address import folder_only
from rsprep.errors import InputError
from rsprep.settings import laid_over, make_settings

SEGMENTER, HELPER = "segmenter", "helper"
RECIPE, RECORD, PAGE = "recipe.yaml", "table.json", "report.html"
T = TypeVar("T")
FOLDERS = (SEGMENTER, HELPER, "runs", "evaluations", "synthetic", "downstream", "catalog")


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training of one system."""

    system: str
    seed: int
    values: Mapping[str, Any]
    """As `resolve` takes them."""
    folder: Path
    evaluation: Path
    """Folder of its figures."""

    @property
    def title(self) -> str:
        return f"{self.system}, seed {self.seed}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """All that a recipe asks for."""

    settings: ReproduceSettings
    home: Path
    source: ChipSource
    segmenter: Mapping[str, Any] | None
    """Settings of the run that judges, as `resolve` takes them; None of colorizers, which need none."""
    helper: Mapping[str, Any] | None
    runs: tuple[Run, ...]
    """System by system, in the order of the recipe."""

    @property
    def colours(self) -> bool:
        """Whether the systems are colorizers."""
        return self.segmenter is None

    @property
    def columns(self) -> Sequence[tuple[str, str, str, int]]:
        """Columns of the table: key, title, which way is better, digits."""
        return COLOUR_COLUMNS if self.colours else COLUMNS

    def of(self, system: str) -> tuple[Run, ...]:
        """The runs of one system."""
        return tuple(run for run in self.runs if run.system == system)

    def evaluate(self, run: Run) -> EvaluateSettings:
        """Settings of the evaluation of a run."""
        fixed = {"checkpoint": str(run.folder), "data": self.settings.data, "out": str(run.evaluation)}
        judge = {"segmenter": None if self.colours else str(self.home / SEGMENTER), "device": self.settings.device}
        return make_settings(EvaluateSettings, {**self.settings.evaluate, **fixed, **judge})

    def made(self, system: str) -> Path:
        """Folder of a system's synthetic data set."""
        return self.home / "synthetic" / system

    def synthetic(self, system: str) -> SynthSettings:
        """Settings of a system's synthetic data set, by its first run."""
        fixed = {
            "data": self.settings.data,
            "checkpoint": str(self.of(system)[0].folder),
            "out": str(self.made(system)),
            "catalog": str(self.home / "catalog"),
            "device": self.settings.device,
        }
        part = {"share": self.settings.share} if self.settings.share < 1 else {}
        return make_settings(SynthSettings, {**(self.settings.synthetic or {}), **fixed, **part})

    def downstream(self, systems: tuple[str, ...]) -> DownstreamSettings:
        """Settings of True against the synthetic data sets of these systems."""
        given = self.settings.downstream or {}
        fixed = {
            "real": self.settings.data,
            "synthetic": [str(self.made(system)) for system in systems],
            "out": str(self.home / "downstream"),
            "share": self.settings.share,
            "train": {**(given.get("train") or {}), "device": self.settings.device},
        }
        return make_settings(DownstreamSettings, {**given, **fixed})


def plan(settings: ReproduceSettings) -> Plan:
    """Check everything that the recipe says, open the data set, and say what there is to do.

    Raises
    ------
    ConfigError, ModelError, StoreError : a key or value of any section that is wrong, by name; ``no-helper`` where a
        system wants one and the recipe has none; ``mixed-table`` of colorizers and others; ``not-for-colours``.
    """
    home = folder_only(settings.out, "--out")
    source = ChipSource.open(settings.data)
    fixed: dict[str, Any] = {"data": [settings.data], "device": settings.device}
    judge: dict[str, Any] | None = {
        "model": "segmentation",
        **settings.segmenter,
        **fixed,
        "out": str(home / SEGMENTER),
    }
    helper = None
    if settings.helper is not None:
        helper = {"model": "segmentation", **settings.helper, **fixed, "out": str(home / HELPER)}
    runs = tuple(
        _run(settings, system, seed, home, fixed) for system in settings.systems for seed in range(system.seeds)
    )
    if _of_colours(settings, runs):
        judge = None
    found = Plan(settings=settings, home=home, source=source, segmenter=judge, helper=helper, runs=runs)
    _check(found)
    return found


def _of_colours(settings: ReproduceSettings, runs: Sequence[Run]) -> bool:
    """Whether the systems are colorizers, all or none of them."""
    resolved = {run.system: _placed(f"systems.{run.system}", partial(resolve, run.values)) for run in runs}
    colours = [name for name, one in resolved.items() if isinstance(one, ColorizationSettings)]
    if 0 < len(colours) < len(resolved):
        raise ModelError(
            "mixed-table",
            "colorizers and other models are measured by other figures",
            value=", ".join(name for name in resolved if name not in colours),
            remedy="make a table of each kind",
        )
    given = [name for name in ("helper", "synthetic", "downstream") if getattr(settings, name) is not None]
    if colours and given:
        raise ModelError(
            "not-for-colours",
            "a table of colorizers has no such section",
            value=", ".join(given),
            remedy="take it out",
        )
    return bool(colours)


def _check(found: Plan) -> None:
    """See that every section but the systems, which were looked at before, can be used."""
    settings, first = found.settings, found.runs[0]
    sections: list[tuple[str, Callable[[], object]]] = []
    if found.segmenter is not None:
        sections.append((SEGMENTER, partial(resolve, found.segmenter)))
    sections.append(("evaluate", lambda: found.evaluate(first)))
    if found.helper is not None:
        sections.append((HELPER, partial(resolve, found.helper)))
    if settings.synthetic is not None:
        sections.append(("synthetic", lambda: found.synthetic(first.system)))
    if settings.downstream is not None:
        sections.append(("downstream", lambda: found.downstream(())))
    for name, check in sections:
        _placed(name, check)


def _placed(name: str, check: Callable[[], T]) -> T:
    """What `check` gives; what it raises says where in the recipe the trouble is."""
    try:
        return check()
    except InputError as error:
        value = f"{name}: {error.value}"
        raise type(error)(error.slug, error.cause, value=value, remedy=error.remedy) from None


def _run(settings: ReproduceSettings, system: System, seed: int, home: Path, fixed: Mapping[str, Any]) -> Run:
    own = laid_over(settings.train, system.settings)
    values: dict[str, Any] = {"model": system.model, **own, **fixed, "seed": seed}
    if system.preset is not None:
        values["preset"] = system.preset
    if settings.share < 1:
        values["share"] = settings.share
    name = f"{system.name}-seed{seed}"
    values["out"] = str(home / "runs" / name)
    filled = _filled(values, str((home / HELPER).absolute()))  # however --out is written next time
    if filled != values and settings.helper is None:
        raise ModelError(
            "no-helper",
            "the settings of a system name a helper, and the recipe tells of none",
            value=system.name,
            remedy="add a section helper: with the settings of a segmentation run, such as preset: tiny and a seed",
        )
    return Run(
        system=system.name,
        seed=seed,
        values=filled,
        folder=home / "runs" / name,
        evaluation=home / "evaluations" / name,
    )


def _filled(value: Any, helper: str) -> Any:
    """The same with the helper's folder wherever ``{helper}`` is written."""
    if isinstance(value, Mapping):
        return {key: _filled(one, helper) for key, one in value.items()}
    return helper if value == "{helper}" else value
