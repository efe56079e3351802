"""How different the images are that a stochastic generator makes of one map of classes (CSEBGAN, section IV).

Of each mask several images are made, each with noise of its own seed; the perceptual distance of random pairs of them,
meaned, is the diversity (the paper's column LPIPS, under the name of the distance that was taken).

mCSD and mOCD are our reconstruction; the paper and those that it follows define them by words alone, without code. For
each class of a mask only that class's noise is drawn anew. The pixels of the other classes are blanked in both images
of a pair, so that nothing of them is seen through the fields of view of deep features, and the distance is meaned over
the pixels of the class: its class-specific diversity, CSD. The same the other way round, with the class blanked and the
mean over the pixels outside it, is the other-class diversity, OCD. Both are meaned over the masks that have the class
and then over the classes.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rsmodels.data.batch import ChipBatch
from rsmodels.data.fields import Field
from rsmodels.evaluation.judges import IMAGE
from rsmodels.evaluation.sight import Eye
from rsmodels.metrics.perceptual import Pairs
from rsmodels.training.load import Trained

RECONSTRUCTED = (
    "our reconstruction, as no code of it is public: only the noise of one class is drawn anew, all else is blanked in "
    "both images, mean over its pixels (mCSD), or over those outside it with the class blanked (mOCD); mean over the "
    "masks that have the class, then over the classes"
)
SEEDS = "the first 63 bits of BLAKE2b of 'seed/slot/sample'"


@dataclass(frozen=True, kw_only=True)
class Draws:
    """How many images are made, and which."""

    samples: int = 10
    """Images of each mask."""
    pairs: int = 10
    """Pairs of them that are compared."""
    seed: int = 0

    def noise_seeds(self, slot: int) -> list[int]:
        """A seed for the noise of each image of the chip at `slot`."""
        return [noise_seed(self.seed, slot, sample) for sample in range(self.samples)]

    def chosen(self, slot: int) -> list[tuple[int, int]]:
        """Random pairs of different images of that chip, none twice; all of them where there are no more."""
        every = list(itertools.combinations(range(self.samples), 2))
        picked = np.random.default_rng((self.seed, slot)).permutation(len(every))[: self.pairs]
        return [every[k] for k in np.sort(picked)]


def noise_seed(seed: int, slot: int, sample: int) -> int:
    """Seed of the noise of one image, from 0 to 2⁶³ − 1."""
    digest = hashlib.blake2b(f"{seed}/{slot}/{sample}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def evenly(slots: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """`count` of `slots`, spread evenly over their order; all where there are no more."""
    if count >= len(slots):
        return slots
    return slots[np.linspace(0, len(slots) - 1, count).round().astype(np.int64)]


def generated(trained: Trained, chip: ChipBatch, noise: Tensor, batch: int) -> Tensor:
    """(n, C, y, x): an image of the one chip in `chip` for each row of `noise` (n, ...), `batch` at a time."""
    made = []
    for part in torch.split(noise, batch):
        count = len(part)
        again = ChipBatch(
            values={name: one.expand(count, *one.shape[1:]) for name, one in chip.values.items()},
            valid={name: one.expand(count, *one.shape[1:]) for name, one in chip.valid.items()},
            chips=chip.chips * count,
        )
        made.append(trained.generate(again, part))
    return torch.cat(made)


def one_of(batch: ChipBatch, row: int) -> ChipBatch:
    """The chip in one row of a batch."""
    return ChipBatch(
        values={name: one[row, None] for name, one in batch.values.items()},
        valid={name: one[row, None] for name, one in batch.valid.items()},
        chips=batch.chips[row : row + 1],
    )


@dataclass(frozen=True, kw_only=True)
class ClassDraw:
    """What drawing one class of one mask anew changes."""

    index: int
    inside: float
    """Mean distance over its pixels (CSD)."""
    outside: float
    """Mean distance over the others (OCD); NaN where there are none."""


@dataclass(frozen=True, kw_only=True)
class ChipDraw:
    """What drawing the noise of one mask anew changes."""

    slot: int
    distance: float
    """Mean over the pairs of images with all noise drawn anew."""
    spread: float
    """Standard deviation over the images (n − 1) on 0 to 1, meaned over pixels and bands."""
    classes: tuple[ClassDraw, ...]
    """Of each class that is in the mask."""


@dataclass(kw_only=True)
class Diversity:
    """Measures masks one by one, and puts them together."""

    trained: Trained
    eye: Eye
    draws: Draws
    condition: Field
    """The map of classes that images are made from."""
    batch: int
    """Images at once."""
    chips: list[ChipDraw] = field(default_factory=list)

    def update(self, chip: ChipBatch) -> None:
        """Measure the one chip in `chip`."""
        form = self.trained.noise
        assert form is not None  # a deterministic generator is not measured  # noqa: S101
        slot = chip.chips[0].slot
        noise, pairs = form.seeded(self.draws.noise_seeds(slot)), self.draws.chosen(slot)
        images = generated(self.trained, chip, noise, self.batch)
        mask = chip.values[self.condition.name]
        classes = []
        for index in torch.unique(mask).tolist():
            if index < len(self.condition.classes):
                drawn = images
                if form.by_class:
                    other = form.redrawn(noise[:1].expand_as(noise), noise, [index])
                    # the first one is as it was: its class's noise is its own
                    drawn = torch.cat([images[:1], generated(self.trained, chip, other[1:], self.batch)])
                classes.append(self._of_class(index, drawn, mask == index, pairs))
        view = self.eye.view(images, torch.ones_like(images[:, :1], dtype=torch.bool))
        unit = self.trained.normaliser.unit(IMAGE, images)
        self.chips.append(
            ChipDraw(
                slot=slot,
                distance=float(self.eye.by.among(view, pairs).double().mean()),
                spread=float(unit.double().std(dim=0).mean()),
                classes=tuple(classes),
            )
        )

    def _of_class(self, index: int, images: Tensor, region: Tensor, pairs: Pairs) -> ClassDraw:
        """`region`: (1, y, x) where the class is."""
        means = []
        for shown in (region, ~region):
            view = self.eye.view(images, shown[None].expand(len(images), -1, -1, -1))
            maps = self.eye.by.maps_among(view, pairs).double()
            means.append(float(maps[:, shown[0]].mean()))  # NaN where nothing is shown
        return ClassDraw(index=index, inside=means[0], outside=means[1])

    def record(self, of_chips: int) -> dict[str, Any]:
        """All figures, and what they rest on; `of_chips` masks there were to choose from."""
        classes = [self._class(index, name) for index, name in enumerate(self.condition.classes)]
        return {
            "stochastic": True,
            "by": self.eye.by.name,
            "weights": self.eye.weights,
            "samples": self.draws.samples,
            "pairs": len(self.draws.chosen(0)),
            "chips": len(self.chips),
            "of_chips": of_chips,
            "seed": self.draws.seed,
            "seeds": SEEDS,
            "by_class": bool(self.trained.noise and self.trained.noise.by_class),
            "diversity": _mean([chip.distance for chip in self.chips]),
            "spread": _mean([chip.spread for chip in self.chips]),
            "mcsd": _mean([one["csd"] for one in classes]),
            "mocd": _mean([one["ocd"] for one in classes]),
            "mcsd_mocd": RECONSTRUCTED,
            "classes": [one for one in classes if one["chips"]],
        }

    def _class(self, index: int, name: str) -> dict[str, Any]:
        found = [one for chip in self.chips for one in chip.classes if one.index == index]
        csd, ocd = _mean([one.inside for one in found]), _mean([one.outside for one in found])
        return {"name": name, "csd": csd, "ocd": ocd, "chips": len(found)}

    def rows(self) -> dict[str, list[Any]]:
        """A row for each mask and each class in it, for a table: class empty where all noise was drawn anew."""
        rows: list[tuple[Any, ...]] = []
        for chip in self.chips:
            drawn = (self.draws.noise_seeds(chip.slot), [list(pair) for pair in self.draws.chosen(chip.slot)])
            rows.append((chip.slot, "", chip.distance, None, chip.spread, *drawn))
            names = self.condition.classes
            rows += [(chip.slot, names[one.index], one.inside, one.outside, None, *drawn) for one in chip.classes]
        header = ("slot", "class", "inside", "outside", "spread", "seeds", "pairs")
        return {name: [row[k] for row in rows] for k, name in enumerate(header)}


def one_image() -> dict[str, Any]:
    """The record of a generator that makes one image of a mask."""
    return {"stochastic": False, "by": None, "diversity": 0.0, "spread": 0.0, "mcsd": None, "mocd": None}


def unmeasured(why: str) -> dict[str, Any]:
    """The record where it was not measured."""
    return {"stochastic": True, "by": None, "diversity": None, "spread": None, "mcsd": None, "mocd": None, "why": why}


def _mean(values: Sequence[float]) -> float:
    """Of those that are numbers."""
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")
