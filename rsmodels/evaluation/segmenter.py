"""A segmenter against the labels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from rsmodels.data.batch import ChipBatch
from rsmodels.data.fields import IGNORE
from rsmodels.evaluation.judges import IMAGE, LABEL, Colours, Legend, named, sentence
from rsmodels.evaluation.page import number
from rsmodels.evaluation.segmenter_page import segmenter_sections
from rsmodels.metrics.segmentation import Confusion
from rsmodels.report.page import Section
from rsmodels.report.pictures import RIGHT, WRONG, class_colours, key_of, mistakes, paint
from rsmodels.tasks.segmentation import seen_labels
from rsmodels.training.load import Trained
from rsprep.report.data import Rgb


class SegmenterJudge:
    """Classes against the labels, all pixels in one confusion matrix."""

    rank_by = "accuracy"
    columns = ("image", "label", "prediction", "wrong")

    def __init__(self, trained: Trained, colours: Colours) -> None:
        self.trained = trained
        self.normaliser = trained.normaliser
        self.field = trained.normaliser.field(LABEL)
        self.colours = {LABEL: tuple(colours.get(LABEL, class_colours(len(self.field.classes))))}
        self.confusion = Confusion(len(self.field.classes), ignore=IGNORE)

    @property
    def legend(self) -> Legend:
        signs = (("wrong class", WRONG), ("right class", RIGHT))
        classes = (*named(self.field.classes, self.colours[LABEL]), *signs)
        keys = [key_of(self.normaliser.field(IMAGE), self.normaliser), "hatched: no data, or a class that is not known"]
        return Legend(classes=classes, ramps=(), note=sentence(keys))

    def update(self, batch: ChipBatch) -> dict[str, NDArray[np.float64]]:
        found, truth = self._classes(batch), seen_labels(batch).cpu()
        self.confusion.update(found, truth)
        known = truth != IGNORE
        right = ((found == truth) & known).sum(dim=(1, 2)).double()
        pixels = known.sum(dim=(1, 2)).double()
        return {"accuracy": (right / pixels).numpy(), "pixels": pixels.numpy()}

    def figures(self, *, allow_few: bool) -> dict[str, Any]:
        del allow_few  # of images only
        found = self.confusion.compute()
        each = zip(self.field.classes, self.colours[LABEL], found.pop("iou"), found.pop("support"), strict=True)
        return {
            "figures": found,
            "classes": [
                {"name": name, "colour": colour, "iou": iou, "support": pixels} for name, colour, iou, pixels in each
            ],
            "confusion": self.confusion.matrix.tolist(),
        }

    def headline(self, record: Mapping[str, Any]) -> Sequence[str]:
        return [
            f"{title} {number(record['figures'][name], 3)}"
            for name, title in (("miou", "mIoU"), ("accuracy", "accuracy"))
        ]

    def sections(
        self, record: Mapping[str, Any], scores: Mapping[str, NDArray[np.float64]], names: Mapping[int, str]
    ) -> list[Section]:
        del names
        return segmenter_sections(record, scores)

    def words(self, scores: Mapping[str, NDArray[np.float64]], place: int) -> str:
        accuracy = float(scores["accuracy"][place])
        return "" if math.isnan(accuracy) else f"accuracy {accuracy:.3f}"

    def pictures(self, batch: ChipBatch, rows: Sequence[int]) -> dict[int, list[Rgb]]:
        found, truth = self._classes(batch), seen_labels(batch).cpu()
        image = paint(self.normaliser.field(IMAGE), batch.values[IMAGE], self.normaliser, valid=batch.valid[IMAGE])
        label, said = (paint(self.field, one, self.normaliser, colours=self.colours) for one in (truth, found))
        return {row: [image[row], label[row], said[row], mistakes(found[row], truth[row])] for row in rows}

    def _classes(self, batch: ChipBatch) -> Tensor:
        return self.trained.segment(batch).argmax(dim=1)
