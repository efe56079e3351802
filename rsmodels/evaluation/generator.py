"""A generator's images against the real ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rsmodels.data.batch import ChipBatch
from rsmodels.data.fields import IGNORE, Field
from rsmodels.evaluation.compared import by_bands, by_segmenter
from rsmodels.evaluation.generator_page import generator_sections
from rsmodels.evaluation.judges import IMAGE, Colours, Legend, named, sentence
from rsmodels.evaluation.page import number
from rsmodels.evaluation.sight import Sight
from rsmodels.metrics.image import ImageScores
from rsmodels.metrics.nearest import Gallery, compared, recited
from rsmodels.metrics.segmentation import Confusion
from rsmodels.report.page import Ramp, Section
from rsmodels.report.pictures import ERROR_STOPS, ERROR_TOP, class_colours, error_map, key_of, paint
from rsmodels.training.load import Trained
from rsprep.report.data import Rgb

SUSPECTS = 5
"""Generated chips that are nearest to a train chip, in the record with its name."""


class GeneratorJudge:
    """Images against the real ones: PSNR, SSIM, spectral angle, squared error, and distances between the two sets.

    Parameters
    ----------
    sight : a segmenter: then also its classes of the images against the maps that these were made from.
    gallery : train chips: then also how near to one of them each image is.
    """

    rank_by = "psnr"

    def __init__(self, trained: Trained, colours: Colours, sight: Sight | None, gallery: Gallery | None) -> None:
        self.trained = trained
        self.normaliser = trained.normaliser
        self.colours = colours
        self.conditions = [field for field in trained.fields if field.name != IMAGE]
        self.columns = (*(field.name for field in self.conditions), "real", "generated", "difference")
        self.scores = ImageScores()
        self.compared = [by_bands(self.normaliser.channels(IMAGE))]
        if sight is not None:
            self.compared.append(by_segmenter(sight))
        self.classes = None if sight is None else _Classes(sight, class_condition(trained))
        self.nearest = None if gallery is None else _Nearest(gallery)

    @property
    def legend(self) -> Legend:
        classes = [
            pair
            for field in self.conditions
            if field.kind == "classes"
            for pair in named(field.classes, self.colours.get(field.name))
        ]
        top = f"{ERROR_TOP:g} and above"
        ramp = Ramp(name="difference", stops=ERROR_STOPS, low="0", high=top)
        keys = [key_of(field, self.normaliser) for field in self.trained.fields]
        keys.append("difference: mean over the bands, on the scale of 0 to 1 on which the images are compared")
        note = sentence(keys)
        return Legend(classes=tuple(dict.fromkeys(classes)), ramps=(ramp,), note=note)

    def update(self, batch: ChipBatch) -> dict[str, NDArray[np.float64]]:
        made, real, valid = self.trained.generate(batch), batch.values[IMAGE], batch.valid[IMAGE]
        to_unit, to_physical = self.normaliser.unit, self.normaliser.physical
        units = to_unit(IMAGE, made), to_unit(IMAGE, real)
        found = self.scores.update(*units, valid, to_physical(IMAGE, made), to_physical(IMAGE, real))
        for one in self.compared:
            one.update(real, made, valid)
        scores = {name: values.numpy() for name, values in found.items()}
        if self.classes is not None and not self.classes.why:
            scores["accuracy"] = self.classes.update(batch, made, real)
        if self.nearest is not None:
            scores["nearest"] = self.nearest.update(batch, *units)
        return scores

    def figures(self, *, allow_few: bool) -> dict[str, Any]:
        found = {
            "figures": self.scores.compute(),
            "statistics": getattr(self.trained.settings, "statistics", "running"),
            "range": self._range(),
            "distances": [one.record(allow_few=allow_few) for one in self.compared],
        }
        if self.classes is not None:
            found["segmentation"] = self.classes.record(self.colours)
        if self.nearest is not None:
            found["nearest"] = self.nearest.record()
        return found

    def _range(self) -> dict[str, Any]:
        """What 0 and 1 of the scale stand for on which images are compared: physical units, one number a band."""
        scaling = self.normaliser[IMAGE]
        return {
            "curve": scaling.curve,
            "low": [value * scaling.scale for value in scaling.low],
            "high": [value * scaling.scale for value in scaling.high],
        }

    def headline(self, record: Mapping[str, Any]) -> Sequence[str]:
        figures = record["figures"]
        parts = [f"PSNR {number(figures['psnr'], 2)} dB", f"SSIM {number(figures['ssim'], 3)}"]
        return parts + ([f"SAM {number(figures['sam'], 3)} rad"] if math.isfinite(figures["sam"]) else [])

    def sections(
        self, record: Mapping[str, Any], scores: Mapping[str, NDArray[np.float64]], names: Mapping[int, str]
    ) -> list[Section]:
        return generator_sections(record, scores, names)

    def words(self, scores: Mapping[str, NDArray[np.float64]], place: int) -> str:
        parts = [f"PSNR {scores['psnr'][place]:.2f} dB", f"SSIM {scores['ssim'][place]:.3f}"]
        if "sam" in scores:
            parts.append(f"SAM {scores['sam'][place]:.3f} rad")
        return "\n".join(parts)

    def pictures(self, batch: ChipBatch, rows: Sequence[int]) -> dict[int, list[Rgb]]:
        made, real, valid = self.trained.generate(batch), batch.values[IMAGE], batch.valid[IMAGE]
        columns = [
            paint(field, batch.values[field.name], self.normaliser, valid=batch.valid[field.name], colours=self.colours)
            for field in self.conditions
        ]
        image = self.normaliser.field(IMAGE)
        columns += [paint(image, values, self.normaliser, valid=valid) for values in (real, made)]
        unit = [self.normaliser.unit(IMAGE, values) for values in (made, real)]
        return {
            row: [*(column[row] for column in columns), error_map(unit[0][row], unit[1][row], valid[row])]
            for row in rows
        }


def class_condition(trained: Trained) -> Field | None:
    """The map of classes that a generator's images are made from; None where there is none."""
    return next((field for field in trained.fields if field.name != IMAGE and field.kind == "classes"), None)


class _Classes:
    """A segmenter's classes of generated and of real images, against the maps that the former were made from."""

    def __init__(self, sight: Sight, condition: Field | None) -> None:
        self.sight, self.condition = sight, condition
        self.why = sight.judges(condition)
        count = len(condition.classes) if condition else 1
        self.made, self.real = (Confusion(count, ignore=IGNORE) for _ in range(2))

    def update(self, batch: ChipBatch, made: Tensor, real: Tensor) -> NDArray[np.float64]:
        """(B,) share of the pixels of each generated image that are given the class they were made from."""
        assert self.condition is not None  # else there is a reason why not  # noqa: S101
        valid = batch.valid[IMAGE]
        # the same pixels of both: where there is no real image, the ceiling cannot be told
        truth = torch.where(valid[:, 0], batch.values[self.condition.name], IGNORE).cpu()
        found = self.sight.classes(batch, made, valid)
        self.made.update(found, truth)
        self.real.update(self.sight.classes(batch, real, valid), truth)
        known = truth != IGNORE
        right = ((found == truth) & known).sum(dim=(1, 2)).double()
        return np.asarray((right / known.sum(dim=(1, 2)).double()).numpy())

    def record(self, colours: Colours) -> dict[str, Any]:
        by = {"segmenter": self.sight.name}
        if self.why or self.condition is None:
            return {**by, "why": self.why}
        made, real = self.made.compute(), self.real.compute()
        tints = colours.get(self.condition.name, class_colours(len(self.condition.classes)))
        each = zip(self.condition.classes, tints, made["iou"], real["iou"], made["support"], strict=True)
        names = ("miou", "fwiou", "accuracy")
        return {
            **by,
            "made": {name: made[name] for name in names},
            "real": {name: real[name] for name in names},
            "pixels": made["pixels"],
            "ignored": made["ignored"],
            "classes": [
                {"name": name, "colour": colour, "made": iou, "real": ceiling, "support": pixels}
                for name, colour, iou, ceiling, pixels in each
            ],
        }


class _Nearest:
    """Distances of generated and of real images to the train chip that is nearest to each."""

    def __init__(self, gallery: Gallery) -> None:
        self.gallery = gallery
        self.made: list[float] = []
        self.real: list[float] = []
        self.pairs: list[tuple[int, str]] = []
        self.ratios: list[list[float]] = [[], []]
        """Of generated and of real images."""

    def update(self, batch: ChipBatch, made: Tensor, real: Tensor) -> NDArray[np.float64]:
        """(B,) distances of the generated images, on 0 to 1."""
        valid, slots = batch.valid[IMAGE], [key.slot for key in batch.chips]
        found = self.gallery.nearest(made, valid)
        self.made += found.distances.tolist()
        self.pairs += list(zip(slots, found.ids, strict=True))
        # where the chips that are judged are train chips, each is nearest to itself
        held_out = self.gallery.nearest(real, valid, without=slots)
        self.real += held_out.distances.tolist()
        self.ratios = [[*before, *one.ratios] for before, one in zip(self.ratios, (found, held_out), strict=True)]
        return np.where(np.isfinite(found.distances), found.distances, np.nan)

    def record(self) -> dict[str, Any]:
        found = compared(np.array(self.made), np.array(self.real))
        order = [k for k in np.argsort(self.made, kind="stable").tolist() if np.isfinite(self.made[k])]
        return {
            "gallery": {"chips": len(self.gallery), "of_chips": self.gallery.of_chips},
            **found,
            "recited": dict(zip(("made", "real"), map(recited, self.ratios), strict=True)),
            "nearest": [
                {"slot": self.pairs[k][0], "train_chip": self.pairs[k][1], "distance": self.made[k]}
                for k in order[:SUSPECTS]
            ],
        }
