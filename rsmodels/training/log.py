"""What a run tells while it trains: lines of metrics, sample sheets, one page with curves."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rsmodels.records import as_json
from rsmodels.report.page import LinesSection, PanelsSection, Section, Series, TableSection, write_page
from rsmodels.report.pictures import grid_png
from rsmodels.tasks.base import Rows
from rsprep.files import write_text

METRICS = "metrics.jsonl"
SAMPLES = "samples"
PAGE = "report.html"
POINTS = 400
"""Most points of a curve: the page does not grow with the run."""
SHOWN = 4
CLASS = "iou/"
UNITS = {"psnr": "dB", "sam": "radians", "miou": "mean IoU", "fwiou": "weighted mean IoU"}


class Log:
    """Lines of ``metrics.jsonl``; lines after the step that a run resumes from are taken away first."""

    def __init__(self, run: Path, step: int) -> None:
        self.path = run / METRICS
        kept = [json.dumps(line) for line in read_lines(run) if line["step"] <= step]
        write_text(self.path, "".join(f"{line}\n" for line in kept))

    def write(self, step: int, kind: str, values: Mapping[str, float]) -> None:
        """Add one line; numbers that are none become null."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(as_json({"step": step, "kind": kind, **values}, indent=None))


def read_lines(run: Path) -> Iterator[dict[str, Any]]:
    """Lines of a run's log, one by one; a last line that was cut off by a death is left out."""
    path = run / METRICS
    if not path.is_file():
        return
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield json.loads(line)


def curves(run: Path, kind: str) -> dict[str, tuple[list[float], list[float]]]:
    """Name of a value to its steps and values, thinned to `POINTS`."""
    found: dict[str, tuple[list[float], list[float]]] = {}
    for line in read_lines(run):
        if line.pop("kind") != kind:
            continue
        step = line.pop("step")
        for name, value in line.items():
            if value is not None:
                steps, values = found.setdefault(name, ([], []))
                steps.append(step)
                values.append(value)
    return {name: _thinned(steps, values) for name, (steps, values) in found.items()}


def _thinned(steps: list[float], values: list[float]) -> tuple[list[float], list[float]]:
    """Means over equal stretches, so that a curve shows the run and not single batches."""
    stretch = -(-len(steps) // POINTS)
    if stretch <= 1:
        return steps, values
    cut = [slice(i, i + stretch) for i in range(0, len(steps), stretch)]
    return [steps[one][-1] for one in cut], [math.fsum(values[one]) / len(values[one]) for one in cut]


def write_samples(run: Path, step: int, columns: Sequence[str], rows: Rows) -> Path:
    """A sheet of pictures as PNG, ``samples/step-00000500.png``."""
    (run / SAMPLES).mkdir(exist_ok=True)
    path = run / SAMPLES / f"step-{step:08d}.png"
    grid_png(path, list(columns), rows)
    return path


def write_run_page(
    run: Path, title: str, subtitle: str, facts: Sequence[tuple[str, str]], columns: Sequence[str], rows: Rows
) -> None:
    """The run's page: what it is, what the network makes of some chips now, and its curves."""
    sections: list[Section] = [TableSection(title="Run", header=("", ""), rows=tuple(facts))]
    if rows:
        sections.append(PanelsSection(title="Samples", columns=tuple(columns), rows=tuple(rows), note="held-out chips"))
    for heading, unit, lines in _charts(run):
        series = tuple(Series(name=name, x=tuple(steps), y=tuple(values)) for name, (steps, values) in lines.items())
        sections.append(LinesSection(title=heading, series=series, x_label="step", y_label=unit, half=True))
    write_page(run / PAGE, title=title, subtitle=subtitle, sections=sections)


Lines = dict[str, tuple[list[float], list[float]]]


def _charts(run: Path) -> Iterator[tuple[str, str, Lines]]:
    """Heading, unit and lines of every chart."""
    scored, trained = curves(run, "validation"), curves(run, "train")
    for name, points in scored.items():
        if not name.startswith(CLASS):
            yield f"Validation: {name}", UNITS.get(name, name), {name: points}
    if classes := _named(scored, CLASS):
        yield "Validation: IoU of each class", "IoU", classes
    losses = _named(trained, "loss/")
    adversarial = {name: points for name, points in losses.items() if name.startswith(("d_", "g_"))}
    if adversarial:
        yield "Training: adversarial losses", "loss", adversarial
    for name, points in losses.items():
        if name not in adversarial:
            yield f"Training: {name.replace('_', ' ')}", "loss", {name: points}
    if rates := _named(trained, "rate/"):
        yield "Learning rates", "rate", rates


def _named(lines: Lines, prefix: str) -> Lines:
    """Those whose names begin so, without it."""
    return {name.removeprefix(prefix): points for name, points in lines.items() if name.startswith(prefix)}
