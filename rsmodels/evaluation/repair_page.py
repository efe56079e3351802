"""What the page and the terminal tell of repaired images."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsmodels.evaluation.page import number, over_chips
from rsmodels.report.page import LinesSection, Section, Series, TableSection
from rsmodels.training.log import curves

SCORE_NAMES = {
    "accuracy": "accuracy",
    "mean_accuracy": "mean accuracy",
    "miou": "mIoU",
    "fwiou": "FWIoU",
    "recall@1": "R@1",
    "recall@5": "R@5",
    "recall@10": "R@10",
    "ap": "AP",
}
LIKENESS = (("psnr", "PSNR ↑", 2), ("ssim", "SSIM ↑", 3), ("mse", "MSE ↓", 1))
CHIPS = {
    "hidden": ("share that is hidden", 3),
    "psnr": ("PSNR (dB)", 2),
    "ssim": ("SSIM", 3),
    "mse": ("mean squared error (0–255 scale)", 1),
    "hole_psnr": ("PSNR in the hole (dB)", 2),
    "hole_ssim": ("SSIM in the hole", 3),
    "hole_mse": ("mean squared error in the hole", 1),
}
CURVES = (("psnr", "PSNR (dB)"), ("ssim", "SSIM"))
Table = tuple[tuple[str, ...], list[tuple[str, ...]]]


def repair_table(record: Mapping[str, Any]) -> Table:
    """Header and rows: how like the clean images the others are, and what the task makes of each."""
    task = record["task"]
    names = [] if task is None else list(record["rows"][0]["task"])
    header = ["images", *(title for _, title, _ in LIKENESS), *(f"hole {title}" for _, title, _ in LIKENESS)]
    header += [] if record["naturalness"] is None else ["NIQE ↓"]
    header += [f"{SCORE_NAMES.get(name, name)} ↑" for name in names]
    header += [] if task is None else ["won back"]
    rows = []
    for row in record["rows"]:
        cells = [row["title"]]
        cells += [_cell(row[part].get(name), digits) for part in ("whole", "hole") for name, _, digits in LIKENESS]
        cells += [] if record["naturalness"] is None else [_cell(row["naturalness"], 2)]
        cells += [_cell(row["task"][name], 4) for name in names]
        if task is not None:
            cells.append(_share(row["won_back"].get(task["headline"])))
        rows.append(tuple(cells))
    return tuple(header), rows


def explained(record: Mapping[str, Any]) -> list[str]:
    """How the table is to be read, sentence by sentence."""
    figures, task = record["figures"], record["task"]
    notes = [
        f"Means over {figures['images']:,} images, of which {100 * record['hidden']:.1f} % is hidden; hole: what is "
        "hidden alone, and the windows of SSIM whose centre is. MSE is on the 0–255 scale."
    ]
    if task is None:
        notes.append("No task was asked: give a trained run of one (task).")
    else:
        name = SCORE_NAMES.get(task["headline"], task["headline"])
        notes.append(
            f"Task: {task['model']} {task['hash'][:12]}, trained on clean images and unchanged. Won back: the share of "
            f"the {name} that occlusion cost."
        )
    if record["naturalness"] is None:
        notes.append(f"No naturalness: {record['no_naturalness']}.")
    else:
        notes.append(f"NIQE: {record['naturalness']}; the less, the more natural. Other fits do not compare.")
    if figures["skipped"]:
        notes.append(f"{figures['skipped']:,} images without a valid pixel were left out.")
    if figures["equal"]:
        notes.append(f"{figures['equal']:,} equal the clean image; they are left out of the mean PSNR.")
    return notes


def repair_sections(
    record: Mapping[str, Any], scores: Mapping[str, NDArray[np.float64]], scale: str, path: Path
) -> list[Section]:
    """Sections from a record; scores chip by chip; `path` of the checkpoint, beside which its run's log lies."""
    header, rows = repair_table(record)
    warnings = [f"Warning: {warning}." for warning in record["warnings"]]
    table = TableSection(
        title="Repaired images", header=header, rows=rows, note=" ".join([*warnings, *explained(record), scale])
    )
    return [table, *_over_time(record, path), over_chips(scores, CHIPS)]


def _over_time(record: Mapping[str, Any], path: Path) -> list[Section]:
    """What validations of the run told while it was trained."""
    home = path.parent.parent if path.parent.name == "checkpoints" else path.parent
    told = curves(home, "validation")
    wanted = list(CURVES)
    if record["task"] is not None:
        headline = record["task"]["headline"]
        wanted.append((f"task_{headline}", SCORE_NAMES.get(headline, headline)))
    return [
        LinesSection(
            title=f"While it was trained: {title}",
            series=(Series(name=title, x=told[name][0], y=told[name][1]),),
            y_label=title,
            half=True,
            note="On the chips of its validations, by the scale that it was trained on.",
        )
        for name, title in wanted
        if name in told
    ]


def _cell(value: float | None, digits: int) -> str:
    return "–" if value is None else number(value, digits)


def _share(value: float | None) -> str:
    return "–" if value is None or math.isnan(value) else f"{100 * value:.1f} %".replace("-", "−")
