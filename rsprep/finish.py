"""The end of every job: seal, catalogue and report a data set whose shards are made."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rich.console import Console

from rsprep.cloud.address import Place
from rsprep.job import seal as sealing
from rsprep.job.desk import Desk
from rsprep.job.journal import Journal
from rsprep.job.progress import Progress
from rsprep.overview import report
from rsprep.report.data import ReportData
from rsprep.report.summary import print_summary
from rsprep.stac import catalog
from rsprep.store.schema import Schema


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came out of a job."""

    dataset: Place
    data: ReportData

    @property
    def failures(self) -> int:
        """Chips that could not be made."""
        return self.data.counts.quarantined + self.data.counts.pending

    def show(self) -> None:
        """Print the summary."""
        print_summary(self.data, Console())


def finish(
    journal: Journal,
    schema: Schema,
    desk: Desk,
    watcher: Progress,
    began: float,
    *,
    home: str,
    title: str,
    licence: str = "other",
    derived_from: Mapping[str, str] | None = None,
    extras: Callable[[], None] | None = None,
) -> ReportData:
    """Seal, catalogue and report; returns what the report shows. Interrupted, it is done again.

    Parameters
    ----------
    began : when the job began, on the monotonic clock.
    home : folder of the STAC catalog in which the data set is registered.
    derived_from : title of a data set that this one is made from to the address of its collection.
    extras : what a job writes besides, once the chips can be read.
    """
    watcher.stage("seal")
    sealing.seal(journal, schema, desk.store)
    if extras is not None:
        extras()
    journal.set_meta("seconds", journal.meta("seconds", 0.0) + time.monotonic() - began)
    if journal.counts().committed:
        watcher.stage("catalog")
        catalog.write_catalog(desk, licence=licence, title=title, derived_from=derived_from)
        catalog.register(desk, home)
    watcher.stage("report")
    data = report(desk)
    journal.set_meta("sealed", True)
    return data
