"""What a generator is asked besides its one image a chip: more images of some masks, and what they gained elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsmodels.data.batch import ChipBatch
from rsmodels.data.fields import Field
from rsmodels.evaluation.diversity import Diversity, Draws, evenly, one_image, one_of, unmeasured
from rsmodels.evaluation.generator import class_condition
from rsmodels.evaluation.judges import IMAGE, Colours, named, sentence
from rsmodels.evaluation.sheets import ANEW_COLUMNS, sample_columns, sheets
from rsmodels.evaluation.sight import Eye
from rsmodels.report.page import PanelsSection, Ramp, Section
from rsmodels.report.pictures import ERROR_STOPS, ERROR_TOP, key_of
from rsmodels.training.load import Trained
from rsprep.job.progress import Progress

MASKS_SHOWN = 4
"""Masks with pictures of several images."""
UNSEEN = "nothing to see with: give a segmenter, or weights of VGG"


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawn:
    """What was found."""

    record: dict[str, Any]
    rows: dict[str, list[Any]]
    """Columns of a table of masks and classes; empty where nothing was measured."""
    sections: Sequence[Section]
    """Pictures."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawing:
    """How a generator is asked."""

    trained: Trained
    colours: Colours
    eye: Eye | None
    gains: dict[str, Any] | None
    """Of `gains_of`."""
    draws: Draws
    masks: int
    """Masks that diversity is measured on."""
    batch: int
    read: Callable[[NDArray[np.int64]], Generator[ChipBatch]]
    """Batches of the chips in these slots."""
    names: Mapping[int, str]
    """Of the chips, by slot."""

    def measured(self, slots: NDArray[np.int64], watcher: Progress) -> Drawn:
        """Diversity over some of the chips in `slots`, and pictures."""
        record: dict[str, Any] = {} if self.gains is None else {"downstream": self.gains}
        condition = class_condition(self.trained)
        if self.trained.noise is None:
            return Drawn(record=record | {"diversity": one_image()}, rows={}, sections=())
        if condition is None:
            why = "the images are not made from a map of classes"
            return Drawn(record=record | {"diversity": unmeasured(why)}, rows={}, sections=())
        sections = self._pictures(slots, condition)
        if self.eye is None:
            return Drawn(record=record | {"diversity": unmeasured(UNSEEN)}, rows={}, sections=sections)
        measure = Diversity(trained=self.trained, eye=self.eye, draws=self.draws, condition=condition, batch=self.batch)
        chosen = evenly(slots, self.masks)
        watcher.stage("diversity", total=len(chosen), unit="chips")
        for chip in self._one_by_one(chosen):
            measure.update(chip)
            watcher.advance()
        return Drawn(record=record | {"diversity": measure.record(len(slots))}, rows=measure.rows(), sections=sections)

    def _one_by_one(self, slots: NDArray[np.int64]) -> Generator[ChipBatch]:
        with closing(self.read(slots)) as batches:
            for batch in batches:
                for row in range(len(batch)):
                    yield one_of(batch, row)

    def _pictures(self, slots: NDArray[np.int64], condition: Field) -> list[Section]:
        """Several images of some masks, and one class of each drawn anew."""
        chips = list(self._one_by_one(evenly(slots, MASKS_SHOWN)))
        found = sheets(self.trained, chips, condition, self.colours, self.draws, self.batch)
        names = [self.names[chip.chips[0].slot] for chip in chips]
        classes = named(condition.classes, self.colours.get(condition.name))
        image = key_of(self.trained.normaliser.field(IMAGE), self.trained.normaliser)
        count = len(found.samples[0]) - 2
        several = PanelsSection(
            title="Several images of a mask",
            columns=sample_columns(condition, count),
            rows=list(zip(names, found.samples, strict=True)),
            note=f"Each image is made of the same mask, with noise of its own seed. {sentence([image])}",
            classes=classes,
        )
        by_class = bool(self.trained.noise and self.trained.noise.by_class)
        told = (
            "Image 2 differs from image 1 in the noise of the outlined class alone."
            if by_class
            else "This generator draws one noise for the whole image: nothing can be drawn anew alone."
        )
        one = PanelsSection(
            title="One class drawn anew",
            columns=ANEW_COLUMNS,
            rows=[(f"{names[row]}\n{caption}", images) for row, caption, images in found.anew],
            note=f"{told} Difference: mean over the bands, on the scale of 0 to 1 on which images are compared.",
            classes=classes,
            ramps=(Ramp(name="difference", stops=ERROR_STOPS, low="0", high=f"{ERROR_TOP:g} and above"),),
        )
        return [several, one] if found.anew else [several]
