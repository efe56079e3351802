"""The page of an evaluation, from its record."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsmodels.evaluation.judges import Legend
from rsmodels.report.page import BarsSection, PanelsSection, Section, TableSection
from rsmodels.tasks.models import MODELS
from rsprep.report.data import Rgb

IMAGE_FIGURES = (
    ("psnr", "PSNR (dB)", 2, "higher"),
    ("ssim", "SSIM", 4, "higher"),
    ("sam", "spectral angle (rad)", 4, "lower"),
    ("mse", "mean squared error (0–255 scale)", 1, "lower"),
)
LABEL_FIGURES = (
    ("miou", "mean IoU", 4, "higher"),
    ("fwiou", "frequency-weighted IoU", 4, "higher"),
    ("accuracy", "accuracy", 4, "higher"),
)
CHIP_FIGURES = {**{name: (title, digits) for name, title, digits, _ in IMAGE_FIGURES}, "accuracy": ("accuracy", 3)}
QUANTILES = ((0.0, "least"), (0.25, "25 %"), (0.5, "median"), (0.75, "75 %"), (1.0, "largest"))


@dataclass(frozen=True, kw_only=True, eq=False)
class Panel:
    """A row of pictures."""

    caption: str
    images: Sequence[Rgb]


def page_title(record: Mapping[str, Any]) -> tuple[str, str]:
    """Headline and the line below it."""
    figures, data = record["figures"], record["data"]
    name = MODELS[record["model"]].title if record["model"] in MODELS else record["model"]
    if record["kind"] == "generator":
        parts = [f"PSNR {_number(figures['psnr'], 2)} dB", f"SSIM {_number(figures['ssim'], 3)}"]
        parts += [f"SAM {_number(figures['sam'], 3)} rad"] if math.isfinite(figures["sam"]) else []
    else:
        parts = [f"mIoU {_number(figures['miou'], 3)}", f"accuracy {_number(figures['accuracy'], 3)}"]
    seen = " on chips that it was trained on" if record["seen"] else ""
    title = f"{name}{seen}: {', '.join(parts)}"
    chips = f"{data['chips']:,} {data['split']} chip{'' if data['chips'] == 1 else 's'} of {data['name']}"
    return title, f"{chips} · checkpoint {record['checkpoint']['name']} · {record['checkpoint']['hash'][:12]}"


def page_sections(
    record: Mapping[str, Any],
    scores: Mapping[str, NDArray[np.float64]],
    columns: Sequence[str],
    panels: Sequence[Panel],
    legend: Legend,
) -> list[Section]:
    """All sections, the figures first."""
    sections: list[Section] = [_figures(record)]
    if record["kind"] == "generator":
        sections += [_over_chips(scores), _distances(record["distances"])]
    else:
        sections += [_bars(record["classes"]), _confusion(record), _over_chips(scores)]
    if panels:
        sections.append(
            PanelsSection(
                title="Chips",
                columns=columns,
                rows=[(panel.caption, panel.images) for panel in panels],
                note=f"The best, the median and the worst, and others drawn at random. {legend.note}",
                classes=legend.classes,
                ramps=legend.ramps,
            )
        )
    return sections


def _figures(record: Mapping[str, Any]) -> TableSection:
    figures = record["figures"]
    wanted = IMAGE_FIGURES if record["kind"] == "generator" else LABEL_FIGURES
    rows = [(title, _number(figures[name], digits), better) for name, title, digits, better in wanted]
    notes = [f"Warning: {warning}." for warning in record["warnings"]]
    if record["kind"] == "generator":
        notes.append(f"Means over {figures['images']:,} images, valid pixels only. {_scale(record['range'])}")
        if figures["skipped"]:
            notes.append(f"{figures['skipped']:,} without a valid pixel were left out.")
        if figures["equal"]:
            notes.append(f"{figures['equal']:,} equal the real image; they are left out of the mean PSNR.")
        if record["statistics"] == "batch":
            notes.append(f"Batch norm used the statistics of each batch of {record['batch']}, as in the settings.")
    else:
        notes.append(f"From one confusion matrix of {figures['pixels']:,} pixels.")
        if figures["ignored"]:
            notes.append(f"{figures['ignored']:,} of unknown class or without data do not count.")
        absent = [one["name"].replace("_", " ") for one in record["classes"] if math.isnan(one["iou"])]
        if absent:
            notes.append(f"Neither in the labels nor predicted, and not in the mean: {', '.join(absent)}.")
    return TableSection(title="Figures", header=("", "value", "better"), rows=rows, note=" ".join(notes))


def _scale(limits: Mapping[str, Any]) -> str:
    ends = ", ".join(f"{low:.3g} to {high:.3g}" for low, high in zip(limits["low"], limits["high"], strict=True))
    root = "root of reflectance" if limits["curve"] == "root" else "reflectance"
    return f"PSNR, SSIM and squared error compare the {root}, each band over the range of its training ({ends})."


def _over_chips(scores: Mapping[str, NDArray[np.float64]]) -> TableSection:
    rows = []
    for name, (title, digits) in CHIP_FIGURES.items():
        values = scores.get(name, np.empty(0))
        values = values[~np.isnan(values)]
        if len(values):
            # Of the sorted values themselves: between two chips nothing is interpolated.
            found = np.quantile(values, [share for share, _ in QUANTILES], method="nearest")
            rows.append((title, *(_number(float(value), digits) for value in found)))
    return TableSection(title="Over the chips", header=("", *(name for _, name in QUANTILES)), rows=rows)


def _distances(distances: Sequence[Mapping[str, Any]]) -> TableSection:
    rows = [
        (
            one["extractor"],
            f"{one['dim']:,}",
            f"{one['real']:,} / {one['made']:,}",
            "–" if one["frechet"] is None else f"{one['frechet']:.4g}",
            "–" if one["kernel"] is None else f"{one['kernel']:.3g}",
        )
        for one in distances
    ]
    notes = [
        "Smaller is closer. Figures of two extractors cannot be compared, nor Fréchet distances of different "
        "numbers of images: fewer make it larger. None of them is the usual FID."
    ]
    notes += sorted(
        {f"No distance: {one[key]}." for one in distances for key in ("no_frechet", "no_kernel") if key in one}
    )
    return TableSection(
        title="Distances between the real and the generated images",
        header=("features", "dimensions", "images, real / generated", "Fréchet", "kernel"),
        rows=rows,
        note=" ".join(notes),
    )


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


def _number(value: float, digits: int) -> str:
    if math.isinf(value):
        return "∞"
    return "–" if math.isnan(value) else f"{value:.{digits}f}".replace("-", "−")
