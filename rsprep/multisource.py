"""The main job: `build` takes a configuration to a sealed, catalogued and reported data set."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from rsprep.config import BuildConfig, dump_config, make_config, read_config
from rsprep.granule import Granule
from rsprep.ground.aoi import read_aoi
from rsprep.job import seal as sealing
from rsprep.job.embedded import with_embedded_source
from rsprep.job.engine import check_scheduler, describe_failure, run_all
from rsprep.job.estimate import Estimate, estimate
from rsprep.job.journal import Journal
from rsprep.job.journal_view import FILE_NAME, JournalView
from rsprep.job.places import check_out
from rsprep.job.plan import BuildPlan, make_plan
from rsprep.job.planning import planned_shards, shard_of
from rsprep.job.preflight import preflight
from rsprep.job.progress import Progress, Silent
from rsprep.job.shard import ShardTask, run_shard
from rsprep.overview import LOCK_NAME, SAID, overview, report
from rsprep.report.data import ReportData
from rsprep.report.summary import print_summary
from rsprep.report.words import bytes_text, count_text, seconds_text
from rsprep.sources.definition import SourceDefinition
from rsprep.stac import catalog
from rsprep.store.seal import unseal_store
from rsprep.store.write import clear_partials, create_store


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came out of a build."""

    dataset: Path
    data: ReportData

    @property
    def failures(self) -> int:
        """Chips that could not be made."""
        return self.data.counts.quarantined + self.data.counts.pending

    def show(self) -> None:
        """Print the summary."""
        print_summary(self.data, Console())


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
        print("granules  " + ", ".join(f"{count_text(n)} {name}" for name, n in figures.granules.items()))
        print(f"to read   at most {bytes_text(figures.read_bytes)}, decoded")
        print(f"to write  at most {bytes_text(figures.store_bytes)}, before compression")
        print(f"memory    about {bytes_text(figures.task_bytes)} a worker")
        print(f"time      roughly {seconds_text(figures.seconds)} from local files")


def dry_run(config: BuildConfig | Mapping[str, Any] | str | Path) -> DryRun:
    """Plan a build and say what it would cost; nothing is written.

    Raises
    ------
    InputError : as for :func:`build`.
    """
    settings = _settings(config)
    _check_places(settings)
    plan = make_plan(settings)
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
    dataset = Path(settings.out)
    watcher.stage("plan")
    frozen = _frozen(dataset)
    plan = make_plan(settings, frozen)
    grid = plan.cut() if frozen is None else None
    if grid is not None:
        preflight(plan, grid)
    with Journal.resume(dataset, plan.identity) as journal:
        if grid is not None:
            journal.plan(
                planned_shards(grid.shards), (granule for found in plan.granules.values() for granule in found)
            )
            journal.set_meta(SAID, _said(plan.definition))
        (dataset / LOCK_NAME).write_text(dump_config(settings), encoding="utf-8")
        if retry_failed and journal.retry_failed():
            unseal_store(dataset / sealing.STORE_NAME)
        if journal.meta("sealed", default=False) and not journal.counts().shards_pending:
            return Outcome(dataset=dataset, data=overview(dataset))
        journal.set_meta("sealed", False)
        _run(plan, journal, dataset / sealing.STORE_NAME, watcher)
        _finish(plan, journal, dataset, watcher, began)
    return Outcome(dataset=dataset, data=overview(dataset))


def _run(plan: BuildPlan, journal: Journal, store: Path, watcher: Progress) -> None:
    """Make every shard that is pending; each is recorded as soon as it is on the disk."""
    create_store(store, plan.schema, journal.meta("n_shards"))
    clear_partials(store)
    counts = journal.counts()
    watcher.stage("build", total=counts.pending, unit="chips")
    pending = (shard_of(journal, row) for row in journal.pending())
    for done in run_all(run_shard, plan.tasks(pending, str(store.resolve())), plan.config.engine, name=_task_name):
        if done.result is not None:
            journal.commit(done.result)
            for reason in done.result.stats["failures"]:
                watcher.note(f"{done.task.shard.shard_id}: {reason}")
        else:
            reason = describe_failure(done.error) if done.error is not None else "no result"
            journal.fail(done.task.shard.index, reason)
            watcher.note(f"{done.task.shard.shard_id}: {reason}")
        watcher.advance(sum(1 for _ in done.task.shard.to_build))


def _finish(plan: BuildPlan, journal: Journal, dataset: Path, watcher: Progress, began: float) -> None:
    """Select, seal, catalogue and report."""
    store = dataset / sealing.STORE_NAME
    watcher.stage("seal")
    sealing.apply_selection(journal, plan.config, plan.schema, store)
    sealing.seal(journal, plan.schema, store)
    journal.set_meta("seconds", journal.meta("seconds", 0.0) + time.monotonic() - began)
    if journal.counts().committed:
        watcher.stage("catalog")
        catalog.write_catalog(dataset, licence="other", title=plan.definition.title)
        catalog.register(dataset, plan.config.catalog)
    watcher.stage("report")
    report(dataset)
    journal.set_meta("sealed", True)


def _check_places(settings: BuildConfig) -> None:
    check_out(Path(settings.out))
    catalog.check_home(settings.catalog)


def _said(definition: SourceDefinition) -> dict[str, Any]:
    """What the catalog and the report tell of a source whose definition may be gone by then."""
    names = definition.products.names()
    return {"licence": definition.licence, "collections": {name: definition.product(name).collection for name in names}}


def _task_name(task: ShardTask) -> str:
    return f"shard-{task.shard.shard_id}"


def _settings(config: BuildConfig | Mapping[str, Any] | str | Path) -> BuildConfig:
    if isinstance(config, BuildConfig):
        return config
    return make_config(dict(config) if isinstance(config, Mapping) else read_config(config))


def _frozen(dataset: Path) -> list[Granule] | None:
    """Granules of a build that was planned before; None for a new one."""
    if not (dataset / FILE_NAME).is_file():
        return None
    with JournalView.open(dataset) as journal:
        return list(journal.granules()) if journal.is_planned else None
