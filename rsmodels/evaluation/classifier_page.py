"""What the page of an evaluation tells of a classifier of scenes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from rsmodels.evaluation.page import Figures, figures_table, number
from rsmodels.report.page import BarsSection, Section, TableSection

SCENE_FIGURES: Figures = (
    ("accuracy", "accuracy", 4, "higher"),
    ("mean_accuracy", "mean of the classes' accuracies", 4, "higher"),
    ("cross_entropy", "cross-entropy (nats)", 4, "lower"),
)


def classifier_sections(record: Mapping[str, Any]) -> list[Section]:
    """Sections from a record, the figures first."""
    figures = record["figures"]
    notes = [f"Of {figures['chips']:,} chips."]
    if figures["ignored"]:
        notes.append(
            f"{figures['ignored']:,} without an image, or of a class that the model does not know, do not count."
        )
    absent = [one["name"].replace("_", " ") for one in record["classes"] if math.isnan(one["recall"])]
    if absent:
        notes.append(f"No chip is of {', '.join(absent)}.")
    return [figures_table(record, SCENE_FIGURES, notes), _bars(record), _confusion(record)]


def _bars(record: Mapping[str, Any]) -> BarsSection:
    classes = record["classes"]
    return BarsSection(
        title="Classes",
        groups=[one["name"] for one in classes],
        series={"found": [one["recall"] for one in classes], "right": [one["precision"] for one in classes]},
        note="Found: share of a class's chips that were called so. Right: share of the chips called so that are of it.",
        x_label="share of chips",
        top=1.0,
    )


def _confusion(record: Mapping[str, Any]) -> TableSection:
    names = [one["name"].replace("_", " ") for one in record["classes"]]
    rows = [
        (name, *(f"{count:,}" if count else "·" for count in counts), number(one["recall"], 3))
        for name, counts, one in zip(names, record["confusion"], record["classes"], strict=True)
    ]
    return TableSection(
        title="What was taken for what",
        header=("true class", *names, "found"),
        rows=rows,
        note="Chips of each true class (rows) that were given each class (columns).",
    )
