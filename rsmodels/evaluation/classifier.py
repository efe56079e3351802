"""A classifier of scenes against their classes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rsmodels.data.batch import ChipBatch
from rsmodels.data.fields import IGNORE
from rsmodels.data.scenes import SCENE
from rsmodels.evaluation.classifier_page import classifier_sections
from rsmodels.evaluation.judges import IMAGE, Legend, sentence
from rsmodels.evaluation.page import number
from rsmodels.metrics.scenes import scene_figures
from rsmodels.metrics.segmentation import Confusion
from rsmodels.report.page import Section
from rsmodels.report.pictures import class_colours, key_of, paint
from rsmodels.report.verdicts import TRUE, verdict
from rsmodels.tasks.classification import seen_scenes
from rsmodels.training.load import Trained
from rsprep.report.data import Rgb

TINY = 1e-12


class ClassifierJudge:
    """One class a chip, all chips in one confusion matrix."""

    rank_by = "probability"
    columns = ("image", "prediction")

    def __init__(self, trained: Trained) -> None:
        self.trained = trained
        self.normaliser = trained.normaliser
        self.classes = trained.normaliser.field(SCENE).classes
        self.confusion = Confusion(len(self.classes), ignore=IGNORE)
        self.entropy: list[float] = []

    @property
    def legend(self) -> Legend:
        keys = [key_of(self.normaliser.field(IMAGE), self.normaliser), "hatched: no data"]
        return Legend(classes=(("true class", TRUE),), ramps=(), note=sentence(keys))

    def update(self, batch: ChipBatch) -> dict[str, NDArray[np.float64]]:
        """``probability`` of the true class; indices of the ``true`` and the ``predicted`` one."""
        shares, truth = self._shares(batch), seen_scenes(batch).cpu()
        said = shares.argmax(dim=1)
        self.confusion.update(said, truth)
        known = truth != IGNORE
        index = torch.where(known, truth, 0)[:, None]
        probability = torch.where(known, shares.gather(1, index)[:, 0], math.nan).numpy()
        self.entropy += (-np.log(np.maximum(probability[known.numpy()], TINY))).tolist()
        true = torch.where(known, truth.double(), math.nan).numpy()
        return {"probability": probability, "true": true, "predicted": said.double().numpy()}

    def figures(self, *, allow_few: bool) -> dict[str, Any]:
        del allow_few  # of images only
        found = scene_figures(self.confusion.matrix)
        each = zip(
            self.classes,
            class_colours(len(self.classes)),
            *(found.pop(name) for name in ("recall", "precision", "support")),
            strict=True,
        )
        mean = float(np.mean(self.entropy)) if self.entropy else math.nan
        return {
            "figures": {**found, "cross_entropy": mean, "ignored": self.confusion.ignored},
            "classes": [
                {"name": name, "colour": colour, "recall": recall, "precision": precision, "support": chips}
                for name, colour, recall, precision, chips in each
            ],
            "confusion": self.confusion.matrix.tolist(),
        }

    def headline(self, record: Mapping[str, Any]) -> Sequence[str]:
        return [f"accuracy {number(record['figures']['accuracy'], 3)}"]

    def sections(
        self, record: Mapping[str, Any], scores: Mapping[str, NDArray[np.float64]], names: Mapping[int, str]
    ) -> list[Section]:
        del scores, names
        return classifier_sections(record)

    def words(self, scores: Mapping[str, NDArray[np.float64]], place: int) -> str:
        true, said = (float(scores[name][place]) for name in ("true", "predicted"))
        if math.isnan(true):
            return f"taken for {self._called(said)}"
        right = (
            f"{self._called(true)}, right" if true == said else f"{self._called(true)}, taken for {self._called(said)}"
        )
        return f"{right}\n{100 * float(scores['probability'][place]):.0f} % for the true class"

    def pictures(self, batch: ChipBatch, rows: Sequence[int]) -> dict[int, list[Rgb]]:
        image = paint(self.normaliser.field(IMAGE), batch.values[IMAGE], self.normaliser, valid=batch.valid[IMAGE])
        shares, truth = self._shares(batch), seen_scenes(batch).tolist()
        return {row: [image[row], verdict(shares[row], self.classes, truth[row])] for row in rows}

    def _shares(self, batch: ChipBatch) -> Tensor:
        """(B, K) float64."""
        return self.trained.classify(batch).double().softmax(dim=1)

    def _called(self, index: float) -> str:
        return self.classes[int(index)].replace("_", " ")
