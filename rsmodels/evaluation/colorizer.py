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
CHIP_FIGURES = {name: (title, digits) for name, title, digits, _ in COLOUR_FIGURES}


class ColorizerJudge:
    """Colours against the real ones: accuracy within levels, likeness, and how colourful both are."""

    rank_by = "psnr"
    columns = ("grey", "coloured", "real", "difference")

    def __init__(self, trained: Trained) -> None:
        self.trained = trained
        self.normaliser = trained.normaliser
        self.scores = ImageScores()
        self.met: dict[str, list[Tensor]] = {}

    @property
    def legend(self) -> Legend:
        ramp = Ramp(name="difference", stops=ERROR_STOPS, low="0", high=f"{ERROR_TOP:g} and above")
        keys = [key_of(self.normaliser.field(IMAGE), self.normaliser), "hatched: no data"]
        return Legend(classes=(), ramps=(ramp,), note=sentence(keys))

    def update(self, batch: ChipBatch) -> dict[str, NDArray[np.float64]]:
        valid = batch.valid[IMAGE]
        made, real = self._units(batch)
        found = self.scores.update(made, real, valid)
        found |= colour_scores(made, real, valid)
        found["colourfulness_real"] = colourfulness(real, valid)
        for name in set(CHIP_FIGURES) - {"psnr", "ssim", "mse"}:
            self.met.setdefault(name, []).append(found[name])
        return {name: values.numpy() for name, values in found.items()}

    def figures(self, *, allow_few: bool) -> dict[str, Any]:
        del allow_few  # of distances between sets only
        likeness = self.scores.compute()
        colours = {name: float(torch.cat(parts).nanmean()) for name, parts in self.met.items()}
        counts = {name: likeness[name] for name in ("images", "skipped", "equal")}
        found = {name: (likeness | colours)[name] for name in CHIP_FIGURES}
        return {"figures": found | counts}

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
        return [figures_table(record, COLOUR_FIGURES, [note]), over_chips(scores, CHIP_FIGURES)]

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

    def _units(self, batch: ChipBatch, made: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Coloured and real images of 0 to 1."""
        made = self.trained.colorize(batch) if made is None else made
        return self.normaliser.unit(IMAGE, made), self.normaliser.unit(IMAGE, batch.values[IMAGE])
