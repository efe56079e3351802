"""The page of an evaluation, from its record: what all kinds of models have in common."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsmodels.evaluation.judges import Judge
from rsmodels.report.page import PanelsSection, Section, TableSection
from rsmodels.tasks.models import MODELS
from rsprep.report.data import Rgb

Figures = Sequence[tuple[str, str, int, str]]
"""Key in the record, title, digits, and which way is better."""
IMAGE_FIGURES: Figures = (
    ("psnr", "PSNR (dB)", 2, "higher"),
    ("ssim", "SSIM", 4, "higher"),
    ("sam", "spectral angle (rad)", 4, "lower"),
    ("mse", "mean squared error (0–255 scale)", 1, "lower"),
)
CHIP_FIGURES = {**{name: (title, digits) for name, title, digits, _ in IMAGE_FIGURES}, "accuracy": ("accuracy", 3)}
QUANTILES = ((0.0, "least"), (0.25, "25 %"), (0.5, "median"), (0.75, "75 %"), (1.0, "largest"))


@dataclass(frozen=True, kw_only=True, eq=False)
class Panel:
    """A row of pictures."""

    caption: str
    images: Sequence[Rgb]


def page_title(record: Mapping[str, Any], figures: Sequence[str]) -> tuple[str, str]:
    """Headline, which names some `figures`, and the line below it."""
    data = record["data"]
    name = MODELS[record["model"]].title if record["model"] in MODELS else record["model"]
    seen = " on chips that it was trained on" if record["seen"] else ""
    title = f"{name}{seen}: {', '.join(figures)}"
    chips = f"{data['chips']:,} {data['split']} chip{'' if data['chips'] == 1 else 's'} of {data['name']}"
    return title, f"{chips} · checkpoint {record['checkpoint']['name']} · {record['checkpoint']['hash'][:12]}"


def page_sections(
    judge: Judge,
    record: Mapping[str, Any],
    scores: Mapping[str, NDArray[np.float64]],
    panels: Sequence[Panel],
    names: Mapping[int, str],
) -> list[Section]:
    """All sections: what the judge tells of the figures, then chips."""
    sections = judge.sections(record, scores, names)
    if panels:
        legend = judge.legend
        sections.append(
            PanelsSection(
                title="Chips",
                columns=judge.columns,
                rows=[(panel.caption, panel.images) for panel in panels],
                note=f"The best, the median and the worst, and others drawn at random. {legend.note}",
                classes=legend.classes,
                ramps=legend.ramps,
            )
        )
    return sections


def figures_table(record: Mapping[str, Any], wanted: Figures, notes: Sequence[str]) -> TableSection:
    """The figures of a record, its warnings before other notes."""
    rows = [(title, number(record["figures"][name], digits), better) for name, title, digits, better in wanted]
    warnings = [f"Warning: {warning}." for warning in record["warnings"]]
    return TableSection(title="Figures", header=("", "value", "better"), rows=rows, note=" ".join([*warnings, *notes]))


def scale_of(limits: Mapping[str, Any]) -> str:
    """Between which numbers of the store images are compared, in words."""
    ends = ", ".join(f"{low:.3g} to {high:.3g}" for low, high in zip(limits["low"], limits["high"], strict=True))
    root = "root of reflectance" if limits["curve"] == "root" else "reflectance"
    return f"PSNR, SSIM and squared error compare the {root}, each band over the range of its training ({ends})."


def over_chips(
    scores: Mapping[str, NDArray[np.float64]], told: Mapping[str, tuple[str, int]] = CHIP_FIGURES
) -> TableSection:
    """How the scores spread over the chips; `told`: score to its title and digits."""
    rows = []
    for name, (title, digits) in told.items():
        values = scores.get(name, np.empty(0))
        values = values[~np.isnan(values)]
        if len(values):
            # Of the sorted values themselves: between two chips nothing is interpolated.
            found = np.quantile(values, [share for share, _ in QUANTILES], method="nearest")
            rows.append((title, *(number(float(value), digits) for value in found)))
    return TableSection(title="Over the chips", header=("", *(name for _, name in QUANTILES)), rows=rows)


def number(value: float, digits: int) -> str:
    """A figure as it is read."""
    if math.isinf(value):
        return "∞"
    return "–" if math.isnan(value) else f"{value:.{digits}f}".replace("-", "−")
