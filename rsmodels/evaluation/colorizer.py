"""A colorizer's images against the real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rsmodels.data.batch import ChipBatch
from rsmodels.evaluation.judges import IMAGE, Legend, sentence
from rsmodels.evaluation.page import Figures, figures_table, number, over_chips
from rsmodels.lab import to_rgb
from rsmodels.metrics.colour import colour_scores, colourfulness
from rsmodels.metrics.image import ImageScores
from rsmodels.report.page import Ramp, Section
from rsmodels.report.pictures import ERROR_STOPS, ERROR_TOP, error_map, key_of, paint
from rsmodels.training.load import Trained
from rsprep.report.data import Rgb

COLOUR_FIGURES: Figures = (
    ("acc@2", "colours within 2 levels", 4, "higher"),
    ("acc@5", "colours within 5 levels", 4, "higher"),
    ("psnr", "PSNR (dB)", 2, "higher"),
    ("ssim", "SSIM", 4, "higher"),
    ("mse", "mean squared error (0–255 scale)", 1, "lower"),
    ("colourfulness", "colourfulness", 1, "as real"),
    ("colourfulness_real", "colourfulness of the real images", 1, ""),
)
LEFT_GREY = ("acc@2", "acc@5", "psnr", "ssim", "colourfulness")
"""What is told of the images as they were given: the floor, which no colours at all reach."""
CHIP_FIGURES = {name: (title, digits) for name, title, digits, _ in COLOUR_FIGURES}


class _Scores:
    """Scores of images, batch by batch, and their means."""

    def __init__(self) -> None:
        self.likeness = ImageScores()
        self._colours: dict[str, list[Tensor]] = {}

    def update(self, made: Tensor, real: Tensor, valid: Tensor) -> dict[str, Tensor]:
        colours = colour_scores(made, real, valid)
        for name, values in colours.items():
            self._colours.setdefault(name, []).append(values)
        return self.likeness.update(made, real, valid) | colours

    def means(self) -> dict[str, Any]:
        colours = {name: float(torch.cat(parts).nanmean()) for name, parts in self._colours.items()}
        return {**self.likeness.compute(), **colours}


class ColorizerJudge:
    """Colours against the real ones: accuracy within levels, likeness, and how colourful both are."""

    rank_by = "psnr"
    columns = ("grey", "coloured", "real", "difference")

    def __init__(self, trained: Trained) -> None:
        self.trained = trained
        self.normaliser = trained.normaliser
        self.made, self.left_grey = _Scores(), _Scores()
        self.real: list[Tensor] = []

    @property
    def legend(self) -> Legend:
        ramp = Ramp(name="difference", stops=ERROR_STOPS, low="0", high=f"{ERROR_TOP:g} and above")
        keys = [key_of(self.normaliser.field(IMAGE), self.normaliser), "hatched: no data"]
        return Legend(classes=(), ramps=(ramp,), note=sentence(keys))

    def update(self, batch: ChipBatch) -> dict[str, NDArray[np.float64]]:
        valid = batch.valid[IMAGE]
        made, real = self._units(batch)
        found = self.made.update(made, real, valid)
        self.left_grey.update(self._greys(batch), real, valid)
        found["colourfulness_real"] = colourfulness(real, valid)
        self.real.append(found["colourfulness_real"])
        return {name: values.numpy() for name, values in found.items()}

    def figures(self, *, allow_few: bool) -> dict[str, Any]:
        del allow_few  # of distances between sets only
        means, grey = self.made.means(), self.left_grey.means()
        means["colourfulness_real"] = float(torch.cat(self.real).nanmean())
        kept = (*CHIP_FIGURES, "images", "skipped", "equal")
        return {"figures": {name: means[name] for name in kept}, "left_grey": {name: grey[name] for name in LEFT_GREY}}

    def headline(self, record: Mapping[str, Any]) -> Sequence[str]:
        figures = record["figures"]
        return [
            f"acc@2 {100 * figures['acc@2']:.1f} %",
            f"PSNR {number(figures['psnr'], 2)} dB",
            f"SSIM {number(figures['ssim'], 3)}",
        ]

    def sections(
        self, record: Mapping[str, Any], scores: Mapping[str, NDArray[np.float64]], names: Mapping[int, str]
    ) -> list[Section]:
        del names
        note = (
            f"Means over {record['figures']['images']:,} images, valid pixels only, red, green and blue as a screen "
            "shows them. A pixel is within some levels of 255 if every channel of it is."
        )
        grey = record["left_grey"]
        floor = (
            f"Left grey, the same images have acc@2 {100 * grey['acc@2']:.1f} %, acc@5 {100 * grey['acc@5']:.1f} %, "
            f"PSNR {number(grey['psnr'], 2)} dB and SSIM {number(grey['ssim'], 4)}."
        )
        return [figures_table(record, COLOUR_FIGURES, [note, floor]), over_chips(scores, CHIP_FIGURES)]

    def words(self, scores: Mapping[str, NDArray[np.float64]], place: int) -> str:
        return f"PSNR {scores['psnr'][place]:.2f} dB\nacc@5 {100 * scores['acc@5'][place]:.1f} %"

    def pictures(self, batch: ChipBatch, rows: Sequence[int]) -> dict[int, list[Rgb]]:
        image, valid = self.normaliser.field(IMAGE), batch.valid[IMAGE]
        grey = self.trained.grey(batch).expand(-1, len(image.bands or ()), -1, -1)
        made = self.trained.colorize(batch)
        shown = [paint(image, one, self.normaliser, valid=valid) for one in (grey, made, batch.values[IMAGE])]
        units = self._units(batch, made)
        return {
            row: [*(column[row] for column in shown), error_map(units[0][row], units[1][row], valid[row])]
            for row in rows
        }

    def _greys(self, batch: ChipBatch) -> Tensor:
        """What is coloured, as a screen shows it: whoever leaves it so is as good as that, and adds nothing."""
        lightness = self.trained.grey(batch)
        return to_rgb(torch.cat([lightness, torch.zeros_like(lightness).expand(-1, 2, -1, -1)], dim=1))

    def _units(self, batch: ChipBatch, made: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Coloured and real images of 0 to 1."""
        made = self.trained.colorize(batch) if made is None else made
        return self.normaliser.unit(IMAGE, made), self.normaliser.unit(IMAGE, batch.values[IMAGE])
