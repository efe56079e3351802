"""How a segmentation network, or VGG, sees what a generator makes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from rsmodels.data.batch import ChipBatch
from rsmodels.data.fields import Field
from rsmodels.errors import ModelError
from rsmodels.evaluation.judges import IMAGE, LABEL
from rsmodels.metrics.perceptual import PerceptualDistance, by_segmenter, by_vgg, lpips_vgg16, rgb_of
from rsmodels.tasks.frozen import positions
from rsmodels.training.load import Trained

Which = Literal["auto", "segmenter", "vgg", "lpips"]


class Sight:
    """A segmenter as it sees a generator's images: it has a normaliser of its own, so they go through the numbers of
    the store.

    Raises
    ------
    ModelError : ``not-a-segmenter``; ``unlike-bands`` where it was trained on bands that the generator does not make.
    """

    def __init__(self, trained: Trained, segmenter: Trained) -> None:
        segmenter.require("segmentation")
        self.trained, self.segmenter = trained, segmenter
        self.positions = positions(trained.normaliser, segmenter.normaliser)

    @property
    def name(self) -> str:
        """Which network, with which weights."""
        return f"{self.segmenter.settings.model} {self.segmenter.manifest_hash[:12]}"

    def probe(self) -> Tensor:
        """(1, C, y, x) of zeros, as the network takes images."""
        side = self.trained.chip_px
        return torch.zeros(1, self.segmenter.normaliser.channels(IMAGE), side, side, device=self.segmenter.device)

    def seen(self, images: Tensor, valid: Tensor) -> Tensor:
        """Images (B, C, y, x) of the generator as the network takes them, 0 where `valid` (B, 1, y, x) is False."""
        raw = self.trained.normaliser.to_store(IMAGE, images, valid)
        if self.positions is not None:
            raw = raw[:, self.positions]
        encoded, _ = self.segmenter.normaliser.encode(IMAGE, raw)
        return (torch.from_numpy(encoded) * valid).to(self.segmenter.device)

    def classes(self, batch: ChipBatch, images: Tensor, valid: Tensor) -> Tensor:
        """(B, y, x) class indices that the network gives to images of the chips of `batch`, on the CPU."""
        seen = ChipBatch(values={IMAGE: self.seen(images, valid)}, valid={IMAGE: valid}, chips=batch.chips)
        return self.segmenter.segment(seen).argmax(dim=1)

    def judges(self, condition: Field | None) -> str:
        """Why its classes cannot be held against those of `condition`; empty where they can."""
        own = self.segmenter.normaliser.field(LABEL)
        if condition is None:
            return "the images were made from no map of classes"
        if (own.classes, own.codes) != (condition.classes, condition.codes):
            return "the segmenter knows other classes than the images were made from"
        return ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Eye:
    """A perceptual distance between images of a generator."""

    by: PerceptualDistance
    view: Callable[[Tensor, Tensor], Tensor]
    """Images (B, C, y, x) as the generator makes them, and the pixels that are shown (B, 1, y, x): as it takes them."""
    weights: str | None
    """SHA-256 of the file of weights; None where the name tells."""


def eye_of(
    trained: Trained, sight: Sight | None, vgg: str | None, which: Which, device: torch.device | str
) -> Eye | None:
    """The perceptual distance that is asked for; of ``auto``, that of the weights, else of the segmenter, else None.

    Raises
    ------
    ModelError : ``no-lpips-weights``, ``no-perceptual`` where what it is to be made of was not given, ``no-weights``
        and others of `rsmodels.nets.vgg`.
    """
    if which == "lpips" or (vgg is not None and which in ("auto", "vgg")):
        by = lpips_vgg16(vgg, device=device) if which == "lpips" else by_vgg(str(vgg), device=device)
        bands = trained.normaliser.field(IMAGE).bands
        with Path(str(vgg)).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Eye(by=by, view=_Rgb(bands, device), weights=digest)
    if sight is not None and which != "vgg":
        return Eye(
            by=by_segmenter(sight.segmenter.network, sight.segmenter.manifest_hash), view=sight.seen, weights=None
        )
    if which == "auto":
        return None
    raise ModelError(
        "no-perceptual",
        "the perceptual distance has nothing to see with",
        value=which,
        remedy="segmenter: --segmenter RUN; vgg: --vgg FILE, weights as safetensors",
    )


class _Rgb:
    """Three bands as red, green and blue, grey where nothing is shown."""

    def __init__(self, bands: Sequence[str] | None, device: torch.device | str) -> None:
        self.bands, self.device = bands, device

    def __call__(self, images: Tensor, shown: Tensor) -> Tensor:
        return (rgb_of(images.float().clamp(-1.0, 1.0), self.bands) * shown).to(self.device)
