"""How evenly colours are met: box plots over the images that are judged (Wang et al., Fig. 8)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from rsmodels.evaluation.evaluate import CHIPS
from rsmodels.report.page import BoxesSection, Section
from rsmodels.report.sections import Numbers

SHOWN = (("acc@2", "Colours within 2 levels", 100.0, 1), ("acc@5", "Colours within 5 levels", 100.0, 1))
"""Score of an image, title, factor and digits."""


def colour_boxes(home: Path, record: Mapping[str, Any]) -> Iterator[Section]:
    """A box a system, with every image of every run of it; nothing where no system was evaluated."""
    rows = [row for row in record["systems"] if row["runs"]]
    if not rows:
        return
    several = max(len(row["runs"]) for row in rows) > 1
    note = f"Over the {record['judged_on']} images{', those of all seeds together' if several else ''} (as in Fig. 8)."
    for key, title, factor, decimals in SHOWN:
        yield BoxesSection(
            title=title,
            groups=[row["name"] for row in rows],
            values=[_scores(home, row, key, factor) for row in rows],
            x_label="share of the pixels of an image, %",
            decimals=decimals,
            note=note,
            half=True,
        )


def _scores(home: Path, row: Mapping[str, Any], key: str, factor: float) -> Numbers:
    found: list[float] = []
    for run in row["runs"]:
        scores = pq.read_table(home / run["evaluation"] / CHIPS, columns=[key])[key]
        found += [factor * score for score in scores.to_pylist() if score is not None]
    return found
