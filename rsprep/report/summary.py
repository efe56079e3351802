"""The end of a build on the terminal: what came out, where it lies, what went wrong."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rsprep.report.data import ReportData
from rsprep.report.data import Table as Figures
from rsprep.report.words import bytes_text, count_text, seconds_text, verdict

TOP_PROBLEMS = 5
MOST_ROWS = 12
"""Tables with more rows are left to the report."""


def print_summary(data: ReportData, console: Console) -> None:
    """Print counts, places, speed and the most frequent problems.

    Parameters
    ----------
    data : the same record that the HTML report is made from; absent parts are left out.
    console : where to print; names and reasons are printed as they are, not as markup.
    """
    counts = data.counts
    style = (
        "bold red" if counts.committed == 0 else "bold yellow" if counts.quarantined or counts.pending else "bold green"
    )
    console.print(Text(verdict(counts), style=style))
    speed = _speed(data)
    if speed:
        console.print(Text(speed))
    for line in _mixtures(data):
        console.print(Text(line))
    problems = data.grouped_problems()
    if problems:
        table = Table("chips", "state", "reason", box=None, pad_edge=False, header_style="dim")
        table.columns[0].justify = "right"
        for problem in problems[:TOP_PROBLEMS]:
            reason = problem.reason + (f" ({problem.remedy})" if problem.remedy else "")
            table.add_row(count_text(problem.count), problem.state, Text(reason))
        console.print(table)
        if len(problems) > TOP_PROBLEMS:
            console.print(Text(f"… and {len(problems) - TOP_PROBLEMS} more reasons in the report", style="dim"))
    for figures in data.tables:
        if len(figures.rows) <= MOST_ROWS:
            console.print(_figures(figures))
    width = max((len(name) for name in data.places), default=0)
    for name, place in data.places.items():
        # Paths stay on one line, however long, so that they can be copied.
        console.print(Text(f"{name:<{width}}  {place}"), soft_wrap=True)


def _figures(figures: Figures) -> Table:
    """A table of the report, as it looks on a terminal."""
    shown = Table(
        *figures.header, title=figures.title, title_justify="left", box=None, pad_edge=False, header_style="dim"
    )
    for column in shown.columns[1:]:
        column.justify = "right"
    for row in figures.rows:
        shown.add_row(*(Text(cell) for cell in row))
    return shown


def _mixtures(data: ReportData) -> Iterator[str]:
    """One line for each product that several sources gave, so that nobody learns of a fallback afterwards."""
    for product in dict.fromkeys(row.product for row in data.sources):
        rows = [row for row in data.sources if row.product == product]
        if len(rows) > 1 and all(row.source for row in rows):
            yield f"{product} from " + ", ".join(f"{row.source} ({count_text(row.chips)} chips)" for row in rows)


def _speed(data: ReportData) -> str:
    timings = data.timings
    if timings is None:
        return ""
    parts = []
    if timings.wall_seconds is not None:
        parts.append(seconds_text(timings.wall_seconds))
    if timings.chips_per_second is not None:
        parts.append(f"{timings.chips_per_second:.2f} chips/s")
    if timings.bytes_read is not None:
        requests = f" in {count_text(timings.requests)} requests" if timings.requests else ""
        parts.append(f"{bytes_text(timings.bytes_read)} read{requests}")
    if timings.peak_memory_bytes is not None:
        parts.append(f"peak memory {bytes_text(timings.peak_memory_bytes)}")
    return ", ".join(parts)
