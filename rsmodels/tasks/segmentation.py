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
from rsmodels.metrics.segmentation import Confusion
from rsmodels.nets.hrnet import HrNetNetwork
from rsmodels.nets.rs_unet import RsUNetNetwork
from rsmodels.nets.segmenter import Segmenter
from rsmodels.report.pictures import paint
from rsmodels.tasks.base import Kind, Rows
from rsmodels.tasks.labelling import LabellingTask
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


class SegmentationTask(LabellingTask):
    """A segmentation network, from an image to classes."""

    kind: Kind = "segmentation"
    headline: tuple[str, Literal["higher", "lower"]] = ("miou", "higher")

    def __init__(self, settings: SegmenterSettings, normaliser: Normaliser, network: Segmenter) -> None:
        super().__init__(settings, normaliser, network, LABEL)

    def seen(self, batch: ChipBatch) -> Tensor:
        """See :func:`seen_labels`."""
        return seen_labels(batch)

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
