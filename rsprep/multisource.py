"""The main job: `build` takes a configuration to a sealed, catalogued and reported data set."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rsprep.config import BuildConfig, make_config
from rsprep.errors import StoreError
from rsprep.files import write_text
from rsprep.finish import Outcome, finish
from rsprep.ground.aoi import read_aoi
from rsprep.ground.grid import Plan
from rsprep.job import seal as sealing
from rsprep.job.desk import Desk, at_desk
from rsprep.job.drive import make_pending
from rsprep.job.embedded import with_embedded_source, with_simulated_source
from rsprep.job.engine import check_scheduler
from rsprep.job.estimate import DECODE_BYTES_PER_SECOND, Estimate, estimate
from rsprep.job.halt import stopping_loudly
from rsprep.job.journal import Journal
from rsprep.job.journal_view import JournalView, is_begun
from rsprep.job.places import check_out
from rsprep.job.plan import BuildPlan, Frozen, build_identity, make_plan
from rsprep.job.planning import planned_shards, shard_of
from rsprep.job.preflight import preflight
from rsprep.job.progress import Progress, Silent
from rsprep.job.shard import ShardTask, run_shard
from rsprep.overview import LOCK_NAME, SAID, overview
from rsprep.report.data import ReportData
from rsprep.report.words import bytes_text, count_text, seconds_text
from rsprep.settings import dump_config, read_config
from rsprep.stac import catalog

SEA = "sea"
"""Key under which the journal keeps the cells without a DEM tile."""
SHARED_NAME = ".shared"
"""Folder beside the store in which the workers of a build keep what they share."""


@dataclass(frozen=True, kw_only=True)
class DryRun:
    """What a build would do."""

    plan: BuildPlan
    figures: Estimate

    def show(self) -> None:
        """Print the plan and its cost."""
        figures = self.figures
        print(self.plan.aoi.describe())
        print("chips     " + ", ".join(f"{count_text(n)} {name}" for name, n in sorted(figures.chips.items())))
        print(f"shards    {count_text(figures.shards)}")
        for note in self.plan.notes:
            print(f"note      {note}")
        print("granules  " + ", ".join(f"{count_text(n)} {name}" for name, n in figures.granules.items()))
        for name, cost in figures.costs.items():
            requests = f" in {count_text(cost.requests)} requests" if cost.requests else ""
            print(f"to read   at most {bytes_text(cost.bytes)}, decoded, from {name}{requests}")
        print(f"to write  at most {bytes_text(figures.store_bytes)}, before compression")
        print(f"memory    about {bytes_text(figures.task_bytes)} a worker")
        pace = f"{bytes_text(DECODE_BYTES_PER_SECOND)}/s a worker, {figures.workers} workers"
        print(f"time      roughly {seconds_text(figures.seconds)} from local files ({pace})")


def dry_run(config: BuildConfig | Mapping[str, Any] | str | Path) -> DryRun:
    """Plan a build and say what it would cost; nothing is written.

    Raises
    ------
    InputError : as for :func:`build`.
    """
    settings = _settings(config)
    _check_places(settings)
    plan = make_plan(with_simulated_source(settings))
    return DryRun(plan=plan, figures=estimate(plan, plan.cut()))


def build(
    config: BuildConfig | Mapping[str, Any] | str | Path,
    *,
    progress: Progress | None = None,
    retry_failed: bool = False,
) -> Outcome:
    """Build a data set, or go on with it: the same call resumes.

    Parameters
    ----------
    config : a checked configuration, a mapping with its keys, or the path of a YAML recipe.
    progress : who watches; nobody by default.
    retry_failed : try quarantined chips again.

    Raises
    ------
    InputError : something that was given cannot be used; nothing is written then.

    Examples
    --------
    >>> import rsprep
    >>> outcome = rsprep.build({"aoi": "region.geojson", "out": "chips"})  # doctest: +SKIP
    """
    settings = _settings(config)
    watcher = progress or Silent()
    began = time.monotonic()
    watcher.note(f"area: {read_aoi(settings.aoi).describe()}")
    _check_places(settings)
    check_scheduler(settings.engine)
    settings = with_embedded_source(settings, watcher)
    with at_desk(settings.out) as desk:
        return _build(settings, desk, watcher, began, retry_failed=retry_failed)


def _build(settings: BuildConfig, desk: Desk, watcher: Progress, began: float, *, retry_failed: bool) -> Outcome:
    watcher.stage("plan")
    identity = build_identity(settings)
    frozen = _frozen(desk.folder, identity)
    plan = make_plan(settings, frozen)
    for note in plan.notes:
        watcher.note(note)
    grid = plan.cut() if frozen is None else None
    if grid is not None:
        preflight(plan, grid)
    with stopping_loudly(), Journal.resume(desk, identity) as journal:
        if grid is not None:
            _record(plan, grid, journal)
        write_text(desk.folder / LOCK_NAME, dump_config(settings))
        if retry_failed:
            journal.retry_failed()
        if journal.meta("sealed", default=False) and not journal.counts().shards_pending:
            return Outcome(dataset=desk.home, data=overview(desk))
        journal.set_meta("sealed", False)
        _make(plan, journal, desk, watcher)
        return Outcome(dataset=desk.home, data=_finish(plan, journal, desk, watcher, began))


def _record(plan: BuildPlan, grid: Plan, journal: Journal) -> None:
    """Record a new plan; what is told of its source goes first, so that no plan lacks it."""
    if journal.is_planned:
        raise StoreError(
            "locked",
            "another build began this data set at the same moment",
            value=plan.config.out,
            remedy="run the same command again: it goes on from there",
        )
    journal.set_meta(SEA, plan.sea)
    journal.set_meta(SAID, {name: definition.licence for name, definition in plan.definitions.items()})
    journal.plan(planned_shards(grid.shards), (granule for found in plan.granules.values() for granule in found))


def _make(plan: BuildPlan, journal: Journal, desk: Desk, watcher: Progress) -> None:
    """Make every shard that is pending."""
    shared = desk.folder / SHARED_NAME

    def tasks(address: str, token: str) -> Iterator[ShardTask]:
        return plan.tasks((shard_of(journal, row) for row in journal.pending()), address, token, shared.resolve())

    try:
        make_pending(journal, desk.store, plan.schema, run_shard, tasks, plan.config.engine, watcher)
    finally:
        shutil.rmtree(shared, ignore_errors=True)


def _finish(plan: BuildPlan, journal: Journal, desk: Desk, watcher: Progress, began: float) -> ReportData:
    """Select, seal, catalogue and report."""
    watcher.stage("select")
    sealing.apply_selection(journal, plan.config, plan.schema, desk.store)
    return finish(journal, plan.schema, desk, watcher, began, home=plan.config.catalog, title=plan.title)


def _check_places(settings: BuildConfig) -> None:
    check_out(settings.out)
    catalog.check_home(settings.catalog)


def _settings(config: BuildConfig | Mapping[str, Any] | str | Path) -> BuildConfig:
    if isinstance(config, BuildConfig):
        return config
    return make_config(dict(config) if isinstance(config, Mapping) else read_config(config))


def _frozen(folder: Path, identity: Mapping[str, Any]) -> Frozen | None:
    """What a build that was planned before has found; None for a new one.

    Another configuration is refused here already, before the old granules meet new settings.
    """
    if not is_begun(folder):
        return None
    with JournalView.open(folder) as journal:
        journal.require_identity(identity)
        if not journal.is_planned:
            return None
        return Frozen(granules=list(journal.granules()), sea=tuple(tuple(box) for box in journal.meta(SEA)))
