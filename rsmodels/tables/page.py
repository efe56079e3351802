"""The report of a table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from rsmodels.downstream import words as compared
from rsmodels.report.page import BarsSection, Section, TableSection, write_page
from rsmodels.tables import words
from rsmodels.tables.boxes import colour_boxes
from rsmodels.tables.pictures import panels
from rsmodels.tables.plan import PAGE, Plan


def write_report(plan: Plan, record: Mapping[str, Any]) -> None:
    """Write the page: what failed, the table, costs, gains, pictures, and where each run lies."""
    sections = [*_failures(record), *_tables(plan, record), *_downstream(record), *panels(plan, record), *_runs(record)]
    write_page(plan.home / PAGE, words.headline(record), words.subtitle(record), sections, over="Systems side by side")


def _failures(record: Mapping[str, Any]) -> Iterator[Section]:
    if record["failures"]:
        header, rows = words.failures(record)
        yield TableSection(
            title="What failed", header=header, rows=rows, note="The same command tries it again; the others are done."
        )


def _tables(plan: Plan, record: Mapping[str, Any]) -> Iterator[Section]:
    titles = ("Colours",) if plan.colours else ("Fidelity", "Diversity, and what the synthetic chips gain downstream")
    for number, (title, keys) in enumerate(zip(titles, words.parts(record), strict=True)):
        header, rows = words.figures(record, keys)
        yield TableSection(title=title, header=header, rows=rows, note="" if number else words.explained(record))
    if plan.colours:
        yield from colour_boxes(plan.home, record)
    header, rows = words.costs(record)
    devices = sorted({row["costs"]["device"] for row in record["systems"] if row["costs"]})
    yield TableSection(
        title="Costs",
        header=header,
        rows=rows,
        note="Weights of the generator, and of all networks that learn with it. Seconds a step: median over the run's "
        f"log. Images/s: generation alone, as evaluated, on {' and '.join(devices) or 'nothing yet'}.",
    )


def _downstream(record: Mapping[str, Any]) -> Iterator[Section]:
    """What the synthetic chips gained, with intervals, and class by class for the best."""
    found = record["downstream"]
    if found is None:
        return
    header, rows = compared.score_table(found)
    yield TableSection(
        title="True against Mix",
        header=header,
        rows=rows,
        note=f"{compared.explained(found)} See downstream/report.html.",
    )
    if not found["gains"]:
        return
    header, rows = compared.gain_table(found)
    yield TableSection(
        title="Gains",
        header=header,
        rows=rows,
        note="d-X = 100 (Mix - True) / True of the means. An interval that holds 0 shows no gain.",
    )
    ranked = compared.by_score(found)
    gains = {
        arm["title"]: found["gains"][arm["key"]]["classes"] for arm in found["arms"] if arm["key"] in found["gains"]
    }
    steps = {title: some for title, some in gains.items() if title.endswith("steps")} or gains
    yield BarsSection(
        title="What the classes gain",
        groups=[f"{one['name']} ({compared.share(one['share'])})" for one in ranked],
        series={title: [some[one["name"]]["mean"] for one in ranked] for title, some in steps.items()},
        colours=[one["colour"] for one in ranked],
        x_label="gain in IoU over True",
        first=1,
        note="Classes in decreasing order of True's IoU, with their share of the real train pixels.",
    )


def _runs(record: Mapping[str, Any]) -> Iterator[Section]:
    nearer = () if record["kind"] == "colorization" else ("nearer to a train chip",)
    header = ("system", "seed", "checkpoint", "PSNR", "SSIM", *nearer, "run", "evaluation")
    rows = []
    for row in record["systems"]:
        for run in row["runs"]:
            closer = (run["nearest"] or {}).get("closer")
            rows.append(
                (
                    row["name"],
                    str(run["seed"]),
                    f"{run['checkpoint']['name']} {run['checkpoint']['hash'][:12]}",
                    _number(run["figures"]["psnr"], 2),
                    _number(run["figures"]["ssim"], 3),
                    *(("–" if closer is None else f"{100 * closer:.0f} %",) if nearer else ()),
                    run["folder"],
                    f"{run['evaluation']}/report.html",
                )
            )
    if rows:
        yield TableSection(title="Runs", header=header, rows=rows)


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"
