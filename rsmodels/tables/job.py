"""The whole of it: train, evaluate, make synthetic chips, compare downstream, and tell. The same call goes on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rsmodels.downstream.compare import compare
from rsmodels.errors import ModelError
from rsmodels.records import as_json
from rsmodels.synth.job import synth_augment
from rsmodels.tables.judge import judge_run, judge_segmenter
from rsmodels.tables.page import write_report
from rsmodels.tables.plan import PAGE, RECIPE, RECORD, Plan, Run, plan
from rsmodels.tables.record import failed_before, record_of
from rsmodels.tables.resume import check_goes_on
from rsmodels.tables.settings import STAGES, ReproduceSettings
from rsmodels.training.device import device_of
from rsmodels.training.named import Named
from rsmodels.training.run import train
from rsprep.errors import RsprepError
from rsprep.files import write_text
from rsprep.job.progress import Progress, Silent
from rsprep.settings import dump_config, make_settings
from rsprep.store.read import store_path
from rsprep.store.seal import is_sealed


@dataclass(frozen=True, kw_only=True)
class Table:
    """What came out, and where it lies."""

    out: Path
    record: dict[str, Any]
    """As in ``table.json``."""

    @property
    def page(self) -> Path:
        """The report."""
        return self.out / PAGE

    @property
    def failures(self) -> list[dict[str, Any]]:
        """What failed in this call: system, seed, stage and error."""
        return list(self.record["failures"])


def reproduce(
    settings: ReproduceSettings | Mapping[str, Any],
    *,
    only: Sequence[str] = (),
    stages: Sequence[str] = STAGES,
    progress: Progress | None = None,
) -> Table:
    """Make a table by its recipe, or go on with it: what is done is not done again.

    A system that fails is told in the record, and the others go on.

    Parameters
    ----------
    settings : the recipe, with ``data`` and ``out``.
    only : systems to work on; all by default. The table tells of all that there is.
    stages : of train, evaluate, synthetic and downstream; all by default.
    progress : who watches; nobody by default.

    Raises
    ------
    ModelError, StoreError, ConfigError : something that was given cannot be used; nothing is written then.
    TrainError : the segmenter that is to judge had to stop.
    """
    checked = make_settings(ReproduceSettings, settings)
    _check_names(only, [system.name for system in checked.systems], "no-such-system", "the recipe has no such system")
    _check_names(stages, STAGES, "no-such-stage", "there is no such stage")
    device_of(checked.device)
    chosen = plan(checked)
    check_goes_on(chosen)
    chosen.home.mkdir(parents=True, exist_ok=True)
    write_text(chosen.home / RECIPE, dump_config(checked))
    work = _Work(chosen, set(only or [system.name for system in checked.systems]), progress or Silent())
    for stage in STAGES:
        if stage in stages:
            getattr(work, stage)()
    return work.told()


class _Work:
    """The stages of one call, and what failed in them."""

    def __init__(self, chosen: Plan, systems: Collection[str], watcher: Progress) -> None:
        self.plan = chosen
        self.watcher = watcher
        self.systems = [system.name for system in chosen.settings.systems if system.name in systems]
        self.runs = [run for run in chosen.runs if run.system in systems]
        known = {None, *(system.name for system in chosen.settings.systems)}
        self.failures = [one for one in failed_before(chosen.home) if one["system"] in known]

    def train(self) -> None:
        """The segmenter that judges, and the frozen one, if there are any, and every run."""
        jobs: list[tuple[str, Mapping[str, Any]]] = []
        if self.plan.segmenter is not None:
            jobs.append(("segmenter", self.plan.segmenter))
        if self.plan.helper is not None:
            jobs.append(("helper", self.plan.helper))
        count = len(jobs) + len(self.runs)
        for number, (name, values) in enumerate(jobs, 1):
            train(values, progress=Named(self.watcher, _place(name, number, count)))
        for number, run in enumerate(self.runs, len(jobs) + 1):
            with self._surviving(run.system, run.seed, "train"):
                train(run.values, progress=Named(self.watcher, _place(run.title, number, count)))

    def evaluate(self) -> None:
        """Figures of every run, and of the segmenter on the real chips that these are measured on."""
        if self.plan.segmenter is not None:
            judge_segmenter(self.plan, Named(self.watcher, "segmenter"))
        self._each("evaluate", lambda run, watcher: judge_run(self.plan, run, watcher))

    def synthetic(self) -> None:
        """A synthetic data set of every system, by its first run."""
        if self.plan.settings.synthetic is None:
            return
        for number, name in enumerate(self.systems, 1):
            if self._failed(name, 0, "train"):
                continue
            with self._surviving(name, None, "synthetic"):
                place = _place(f"synthetic chips of {name}", number, len(self.systems))
                made = synth_augment(self.plan.synthetic(name), progress=Named(self.watcher, place))
                if made.failures:
                    raise ModelError(
                        "chips-failed",
                        f"{made.failures:,} synthetic chip(s) could not be made",
                        value=name,
                        remedy="the report in their folder tells which, and why",
                    )

    def downstream(self) -> None:
        """True against all synthetic data sets that there are."""
        if self.plan.settings.downstream is None:
            return
        made = tuple(system.name for system in self.plan.settings.systems if is_sealed_at(self.plan.made(system.name)))
        with self._surviving(None, None, "downstream"):
            compare(self.plan.downstream(made), progress=Named(self.watcher, "downstream"))

    def told(self) -> Table:
        """Record and page of all that is there."""
        self.watcher.stage("table")
        record = record_of(self.plan, self.failures)
        write_text(self.plan.home / RECORD, as_json(record))
        write_report(self.plan, record)
        return Table(out=self.plan.home, record=record)

    def _each(self, stage: str, do: Callable[[Run, Progress], None]) -> None:
        for number, run in enumerate(self.runs, 1):
            if not self._failed(run.system, run.seed, "train"):
                with self._surviving(run.system, run.seed, stage):
                    do(run, Named(self.watcher, _place(run.title, number, len(self.runs))))

    def _failed(self, system: str, seed: int | None, stage: str) -> bool:
        return any((one["system"], one["seed"], one["stage"]) == (system, seed, stage) for one in self.failures)

    @contextmanager
    def _surviving(self, system: str | None, seed: int | None, stage: str) -> Iterator[None]:
        """Write a failure down and go on; a new try takes the old one's place."""
        mine = {"system": system, "seed": seed, "stage": stage}
        self.failures = [one for one in self.failures if {key: one[key] for key in mine} != mine]
        try:
            yield
        except Exception as error:  # whatever it is, the other systems go on
            told = _told(error)
            self.failures.append({**mine, **told})
            self.watcher.note(
                f"{system or 'all'} failed in {stage}, what can goes on: {told['error']}: {told['cause']}"
            )


def _told(error: Exception) -> dict[str, str]:
    if isinstance(error, RsprepError):
        return {"error": f"{error.family}/{error.slug}", "cause": error.cause, "remedy": error.remedy}
    return {"error": type(error).__name__, "cause": str(error), "remedy": ""}


def is_sealed_at(folder: Path) -> bool:
    """True where a finished data set lies in `folder`."""
    store = store_path(folder)
    return store != folder and is_sealed(store)


def _place(name: str, number: int, count: int) -> str:
    return f"{name} ({number} of {count})"


def _check_names(given: Sequence[str], known: Sequence[str], slug: str, cause: str) -> None:
    for name in given:
        if name not in known:
            raise ModelError(slug, cause, value=name, remedy=f"one of {', '.join(known)}")
