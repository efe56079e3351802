"""Segmentation as it is trained: with RS-UNet (RS-SPADE, section 4) or with HRNet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from rsmodels.data.batch import ChipBatch
from rsmodels.data.fields import IGNORE
from rsmodels.data.fields import Field as ChipField
from rsmodels.data.normalise import Normaliser
from rsmodels.data.source import ChipSource, field
from rsmodels.errors import ModelError
from rsmodels.losses import cross_entropy
from rsmodels.metrics.segmentation import Confusion
from rsmodels.nets.hrnet import HrNetNetwork
from rsmodels.nets.rs_unet import RsUNetNetwork
from rsmodels.nets.segmenter import Segmenter
from rsmodels.report.pictures import paint
from rsmodels.tasks.base import Kind, Networks, Phase, Rows, in_mode
from rsmodels.tasks.settings import Optimiser, RunSettings

IMAGE, LABEL = "image", "label"


class SegmenterSettings(RunSettings):
    """What runs of all segmentation networks can be told."""

    image: str | None = Field(None, description="variable that is segmented; null: s2, image or clean")
    bands: tuple[str, ...] | None = Field(None, description="bands of it, in this order; null: all")
    label: str | None = Field(None, description="variable with the classes; null: lulc, classes or mask")
    class_weights: Literal["none", "balanced", "root"] | tuple[float, ...] = Field(
        "none", description="balanced: by the inverse of a class's share; root: its square root; or one number a class"
    )
    optimiser: Optimiser = Optimiser(lr=1e-3, betas=(0.9, 0.999))

    def fields(self, source: ChipSource) -> tuple[ChipField, ...]:
        """The image and its classes."""
        return (field(source, IMAGE, self.image, self.bands), field(source, LABEL, self.label))


class SegmentationSettings(SegmenterSettings):
    """A run of RS-UNet."""

    model: Literal["segmentation"] = Field("segmentation", description="what is trained")
    network: RsUNetNetwork = RsUNetNetwork()


class HrNetSettings(SegmenterSettings):
    """A run of HRNet."""

    model: Literal["hrnet"] = Field("hrnet", description="what is trained")
    network: HrNetNetwork = HrNetNetwork()


class SegmentationTask:
    """A segmentation network, from an image to classes."""

    kind: Kind = "segmentation"
    main = "network"
    headline: tuple[str, Literal["higher", "lower"]] = ("miou", "higher")

    def __init__(self, settings: SegmenterSettings, normaliser: Normaliser, network: Segmenter) -> None:
        self.settings = settings
        self.normaliser = normaliser
        self.fields = (normaliser.field(IMAGE), normaliser.field(LABEL))
        self.classes = normaliser.field(LABEL).classes
        self.networks = nn.ModuleDict({"network": network})
        self.phases = (Phase(name="network", networks=("network",), optimiser=settings.optimiser),)
        self.weights = class_weights(settings.class_weights, normaliser.class_counts(LABEL))

    def begin(self, networks: Networks, batch: ChipBatch) -> Tensor:
        """Logits (B, K, y, x)."""
        logits: Tensor = networks["network"](batch.values[IMAGE])
        return logits

    def loss(self, phase: str, networks: Networks, batch: ChipBatch, state: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross-entropy over pixels that have both an image and a class."""
        weights = None if self.weights is None else self.weights.to(state.device)
        entropy = cross_entropy(state, seen_labels(batch), weights)
        return entropy, {"cross_entropy": entropy}

    def predict(self, network: nn.Module, batch: ChipBatch, noise: Tensor | None = None) -> Tensor:
        """Logits (B, K, y, x), with the running statistics of training."""
        del noise  # it draws none
        with in_mode(network, training=False):
            logits: Tensor = network(batch.values[IMAGE])
        return logits.float()

    def score(self, network: nn.Module, batches: Iterable[ChipBatch]) -> dict[str, float]:
        """mIoU, frequency-weighted IoU and accuracy over all pixels, and the IoU of each class."""
        confusion = Confusion(len(self.classes), ignore=IGNORE)
        for batch in batches:
            confusion.update(self.predict(network, batch).argmax(1), seen_labels(batch))
        found = confusion.compute()
        named = {f"iou/{name}": float(value) for name, value in zip(self.classes, found["iou"], strict=True)}
        return {name: float(found[name]) for name in ("miou", "fwiou", "accuracy")} | named

    def panels(
        self, network: nn.Module, batch: ChipBatch, colours: Mapping[str, Sequence[str]]
    ) -> tuple[tuple[str, ...], Rows]:
        """Image, its classes, and those that were found."""
        found = self.predict(network, batch).argmax(1)
        image, label = (self.normaliser.field(name) for name in (IMAGE, LABEL))
        shown = [
            paint(image, batch.values[IMAGE], self.normaliser, valid=batch.valid[IMAGE]),
            paint(label, batch.values[LABEL], self.normaliser, colours=colours),
            paint(label, found, self.normaliser, colours=colours),
        ]
        rows: Rows = [
            (str(key.slot), list(row)) for key, row in zip(batch.chips, zip(*shown, strict=True), strict=True)
        ]
        return ("image", "label", "prediction"), rows


def seen_labels(batch: ChipBatch) -> Tensor:
    """(B, y, x) class indices; unknown where the image has no data, too: nothing could be learned there."""
    return torch.where(batch.valid[IMAGE][:, 0], batch.values[LABEL], IGNORE)


def class_weights(how: str | tuple[float, ...], counts: object) -> Tensor | None:
    """One weight a class, mean 1 over the classes that occur; classes that never occur weigh nothing.

    Parameters
    ----------
    how : none, balanced, root, or the weights themselves.
    counts : (K,) pixels of each class in the training chips.

    Raises
    ------
    ModelError : ``bad-class-weights`` if there is not one for each class.
    """
    if how == "none":
        return None
    pixels = torch.as_tensor(counts, dtype=torch.float64)
    if not isinstance(how, str):
        if len(how) != len(pixels) or min(how) < 0 or max(how) <= 0:
            raise ModelError(
                "bad-class-weights",
                f"there is one weight, at least 0, for each of {len(pixels)} classes",
                value=", ".join(map(str, how)),
                remedy="give as many, or balanced",
            )
        return torch.tensor(how, dtype=torch.float32)
    present = pixels > 0
    weights = torch.zeros_like(pixels)
    weights[present] = (pixels.sum() / pixels[present]) ** (1.0 if how == "balanced" else 0.5)
    return (weights / weights[present].mean()).float()
