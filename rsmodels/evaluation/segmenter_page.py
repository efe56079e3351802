"""What the page of an evaluation tells of a segmenter."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsmodels.evaluation.page import Figures, figures_table, over_chips
from rsmodels.report.page import BarsSection, Section, TableSection

LABEL_FIGURES: Figures = (
    ("miou", "mean IoU", 4, "higher"),
    ("fwiou", "frequency-weighted IoU", 4, "higher"),
    ("accuracy", "accuracy", 4, "higher"),
)


def segmenter_sections(record: Mapping[str, Any], scores: Mapping[str, NDArray[np.float64]]) -> list[Section]:
    """Sections from a record, the figures first."""
    figures = record["figures"]
    notes = [f"From one confusion matrix of {figures['pixels']:,} pixels."]
    if figures["ignored"]:
        notes.append(f"{figures['ignored']:,} of unknown class or without data do not count.")
    absent = [one["name"].replace("_", " ") for one in record["classes"] if math.isnan(one["iou"])]
    if absent:
        notes.append(f"Neither in the labels nor predicted, and not in the mean: {', '.join(absent)}.")
    table = figures_table(record, LABEL_FIGURES, notes)
    return [table, _bars(record["classes"]), _confusion(record), over_chips(scores)]


def _bars(classes: Sequence[Mapping[str, Any]]) -> BarsSection:
    return BarsSection(
        title="Classes",
        groups=[one["name"] for one in classes],
        series={"IoU": [one["iou"] for one in classes]},
        colours=[one["colour"] for one in classes],
        x_label="intersection over union",
        top=1.0,
    )


def _confusion(record: Mapping[str, Any]) -> TableSection:
    """Rows are true classes; each is divided by its pixels."""
    names = [one["name"].replace("_", " ") for one in record["classes"]]
    rows = []
    for name, counts in zip(names, record["confusion"], strict=True):
        total = sum(counts)
        shares = [f"{100 * count / total:.1f}" if total else "–" for count in counts]
        rows.append((name, f"{total:,}", *shares))
    return TableSection(
        title="What was taken for what",
        header=("true class", "pixels", *names),
        rows=rows,
        note="Percent of the pixels of each true class (rows) that were given each class (columns).",
        colours=[one["colour"] for one in record["classes"]],
    )
