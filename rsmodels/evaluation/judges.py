"""What is measured of each kind of model, batch by batch, and how its chips are shown."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rsmodels.data.batch import ChipBatch
from rsmodels.data.fields import IGNORE
from rsmodels.errors import ModelError
from rsmodels.metrics.extractors import BandStatistics, Extractor, SegmenterFeatures
from rsmodels.metrics.frechet import Moments, frechet_distance, kernel_distance
from rsmodels.metrics.image import ImageScores
from rsmodels.metrics.segmentation import Confusion
from rsmodels.report.page import Ramp
from rsmodels.report.pictures import (
    ERROR_STOPS,
    ERROR_TOP,
    RIGHT,
    WRONG,
    class_colours,
    error_map,
    key_of,
    mistakes,
    paint,
)
from rsmodels.tasks.segmentation import seen_labels
from rsmodels.training.load import Trained
from rsprep.report.data import Rgb

IMAGE, LABEL = "image", "label"
Colours = Mapping[str, Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Legend:
    """How to read the pictures."""

    classes: tuple[tuple[str, str], ...]
    ramps: tuple[Ramp, ...]
    note: str


class Judge(Protocol):
    """Measures one kind of model."""

    @property
    def rank_by(self) -> str:
        """The score by which chips are ranked; more is better."""
        ...

    @property
    def columns(self) -> tuple[str, ...]: ...
    @property
    def legend(self) -> Legend: ...
    def update(self, batch: ChipBatch) -> dict[str, NDArray[np.float64]]:
        """Take a batch in; its scores chip by chip, NaN where there is nothing to score."""
        ...

    def figures(self, *, allow_few: bool) -> dict[str, Any]:
        """What goes into the record."""
        ...

    def words(self, scores: Mapping[str, NDArray[np.float64]], place: int) -> str:
        """The scores of one chip for a caption."""
        ...

    def pictures(self, batch: ChipBatch, rows: Sequence[int]) -> dict[int, list[Rgb]]:
        """Pictures, one a column, of some chips of a batch."""
        ...


class GeneratorJudge:
    """Images against the real ones: PSNR, SSIM, spectral angle, squared error, and distances between the two sets."""

    rank_by = "psnr"

    def __init__(self, trained: Trained, colours: Colours, extractor: Trained | None) -> None:
        self.trained = trained
        self.normaliser = trained.normaliser
        self.colours = colours
        self.conditions = [field for field in trained.fields if field.name != IMAGE]
        self.columns = (*(field.name for field in self.conditions), "real", "generated", "difference")
        self.scores = ImageScores()
        self.compared: list[_Compared] = [_Compared(BandStatistics(self.normaliser.channels(IMAGE)))]
        if extractor is not None:
            self.compared.append(_ComparedBySegmenter(trained, extractor))

    @property
    def legend(self) -> Legend:
        classes = [
            pair
            for field in self.conditions
            if field.kind == "classes"
            for pair in _named(field.classes, self.colours.get(field.name))
        ]
        top = f"{ERROR_TOP:g} and above"
        ramp = Ramp(name="difference", stops=ERROR_STOPS, low="0", high=top)
        keys = [key_of(field, self.normaliser) for field in self.trained.fields]
        keys.append("difference: mean over the bands, on the scale of 0 to 1 on which the images are compared")
        note = _sentence(keys)
        return Legend(classes=tuple(dict.fromkeys(classes)), ramps=(ramp,), note=note)

    def update(self, batch: ChipBatch) -> dict[str, NDArray[np.float64]]:
        made, real, valid = self.trained.generate(batch), batch.values[IMAGE], batch.valid[IMAGE]
        to_unit, to_physical = self.normaliser.unit, self.normaliser.physical
        found = self.scores.update(
            to_unit(IMAGE, made),
            to_unit(IMAGE, real),
            valid,
            to_physical(IMAGE, made),
            to_physical(IMAGE, real),
        )
        for one in self.compared:
            one.update(real, made, valid)
        return {name: values.numpy() for name, values in found.items()}

    def figures(self, *, allow_few: bool) -> dict[str, Any]:
        return {
            "figures": self.scores.compute(),
            "statistics": getattr(self.trained.settings, "statistics", "running"),
            "range": self._range(),
            "distances": [one.record(allow_few=allow_few) for one in self.compared],
        }

    def _range(self) -> dict[str, Any]:
        """What 0 and 1 of the scale stand for on which images are compared: physical units, one number a band."""
        scaling = self.normaliser[IMAGE]
        return {
            "curve": scaling.curve,
            "low": [value * scaling.scale for value in scaling.low],
            "high": [value * scaling.scale for value in scaling.high],
        }

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


class _Compared:
    """Features of real and of generated images, by one extractor. Pixels without data are 0 in both."""

    def __init__(self, extractor: Extractor) -> None:
        self.extractor = extractor
        self.real, self.made = (Moments(dim=extractor.dim) for _ in range(2))

    def seen_by(self, images: Tensor, valid: Tensor) -> Tensor:
        """The images as the extractor takes them."""
        return images.float().clamp(-1.0, 1.0) * valid

    def update(self, real: Tensor, made: Tensor, valid: Tensor) -> None:
        there = valid.flatten(1).any(dim=1)
        if bool(there.any()):
            for moments, images in ((self.real, real), (self.made, made)):
                moments.update(self.extractor(self.seen_by(images[there], valid[there])))

    def record(self, *, allow_few: bool) -> dict[str, Any]:
        """Both distances, or why there is none."""
        found: dict[str, Any] = {
            "extractor": self.extractor.name,
            "dim": self.extractor.dim,
            "real": self.real.count,
            "made": self.made.count,
            "kernel_images": len(self.real.sample),
        }
        figures: dict[str, Callable[[Moments, Moments], float]] = {
            "frechet": partial(frechet_distance, allow_few=allow_few),
            "kernel": kernel_distance,
        }
        for name, distance in figures.items():
            try:
                found[name] = distance(self.real, self.made)
            except ModelError as error:
                if error.slug != "too-few-images":
                    raise
                found[name], found[f"no_{name}"] = None, error.cause
        return found


class _ComparedBySegmenter(_Compared):
    """Features of a segmentation network, which has a normaliser of its own: images go through the store's numbers."""

    def __init__(self, trained: Trained, segmenter: Trained) -> None:
        if segmenter.kind != "segmentation":
            raise ModelError(
                "not-a-segmenter",
                "the extractor's checkpoint holds no segmenter",
                value=str(segmenter.path),
                remedy="give the checkpoint of a segmentation run",
            )
        mine, theirs = trained.normaliser[IMAGE], segmenter.normaliser[IMAGE]
        have, want = mine.field.bands, theirs.field.bands
        if (mine.dtype, mine.scale, have is None) != (theirs.dtype, theirs.scale, want is None) or not set(
            want or ()
        ) <= set(have or ()):
            raise ModelError(
                "unlike-bands",
                "the extractor was trained on other bands or numbers than the generator makes",
                value=f"generated: {have} {mine.dtype}; extractor: {want} {theirs.dtype}",
                remedy="give a segmenter of the generator's bands",
            )
        self.positions = None if have is None else [have.index(band) for band in want or ()]
        self.trained, self.segmenter = trained, segmenter
        probe = torch.zeros(1, segmenter.normaliser.channels(IMAGE), trained.chip_px, trained.chip_px)
        name = f"{segmenter.settings.model} {segmenter.manifest_hash[:12]}"
        super().__init__(SegmenterFeatures(segmenter.network, name, probe.to(segmenter.device)))

    def seen_by(self, images: Tensor, valid: Tensor) -> Tensor:
        raw = self.trained.normaliser.to_store(IMAGE, images, valid)
        if self.positions is not None:
            raw = raw[:, self.positions]
        encoded, _ = self.segmenter.normaliser.encode(IMAGE, raw)
        return (torch.from_numpy(encoded) * valid).to(self.segmenter.device)


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
        classes = (*_named(self.field.classes, self.colours[LABEL]), *signs)
        keys = [key_of(self.normaliser.field(IMAGE), self.normaliser), "hatched: no data, or a class that is not known"]
        return Legend(classes=classes, ramps=(), note=_sentence(keys))

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


def _named(classes: Sequence[str], colours: Sequence[str] | None) -> list[tuple[str, str]]:
    return list(zip(classes, colours or class_colours(len(classes)), strict=True))


def _sentence(parts: Sequence[str]) -> str:
    text = "; ".join(part for part in parts if part)
    return f"{text[:1].upper()}{text[1:]}."
