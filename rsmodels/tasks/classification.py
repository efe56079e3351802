"""Classification of scenes as it is trained: one class a chip."""

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
from rsmodels.data.scenes import SCENE
from rsmodels.data.source import ChipSource, field
from rsmodels.metrics.scenes import scene_figures
from rsmodels.metrics.segmentation import Confusion
from rsmodels.nets.scene_vgg import SceneVgg, SceneVggNetwork
from rsmodels.report.pictures import paint
from rsmodels.report.verdicts import verdict
from rsmodels.tasks.base import Kind, Rows
from rsmodels.tasks.labelling import LabellingTask
from rsmodels.tasks.settings import Loading, Optimiser, RunSettings

IMAGE = "image"


class ClassificationSettings(RunSettings):
    """A run of VGG16 with batch norm."""

    model: Literal["classification"] = Field("classification", description="what is trained")
    image: str | None = Field(None, description="variable that is classified; null: s2, image or clean")
    bands: tuple[str, ...] | None = Field(None, description="bands of it, in this order; null: all")
    scene: str | None = Field(None, description="column with the class of each chip; null: label")
    class_weights: Literal["none", "balanced", "root"] | tuple[float, ...] = Field(
        "none", description="balanced: by the inverse of a class's share; root: its square root; or one number a class"
    )
    network: SceneVggNetwork = SceneVggNetwork()
    optimiser: Optimiser = Optimiser(lr=1e-3, betas=(0.9, 0.999))
    # Corpora are made folder by folder: of few shards, a batch would hold few classes.
    loading: Loading = Loading(window=1024)

    def fields(self, source: ChipSource) -> tuple[ChipField, ...]:
        """The image and its class."""
        return (field(source, IMAGE, self.image, self.bands), field(source, SCENE, self.scene))


class ClassificationTask(LabellingTask):
    """A classifier, from an image to the class of the scene."""

    kind: Kind = "classification"
    headline: tuple[str, Literal["higher", "lower"]] = ("accuracy", "higher")

    def __init__(self, settings: ClassificationSettings, normaliser: Normaliser, network: SceneVgg) -> None:
        super().__init__(settings, normaliser, network, SCENE)

    def seen(self, batch: ChipBatch) -> Tensor:
        """See :func:`seen_scenes`."""
        return seen_scenes(batch)

    def score(self, network: nn.Module, batches: Iterable[ChipBatch]) -> dict[str, float]:
        """Accuracy over all chips, its mean over the classes, and the share of each class that is found."""
        confusion = Confusion(len(self.classes), ignore=IGNORE)
        for batch in batches:
            confusion.update(self.predict(network, batch).argmax(1), seen_scenes(batch))
        found = scene_figures(confusion.matrix)
        named = {f"recall/{name}": float(value) for name, value in zip(self.classes, found["recall"], strict=True)}
        return {name: float(found[name]) for name in ("accuracy", "mean_accuracy")} | named

    def panels(
        self, network: nn.Module, batch: ChipBatch, colours: Mapping[str, Sequence[str]]
    ) -> tuple[tuple[str, ...], Rows]:
        """Image, and what is made of it; the true class is coloured."""
        shares = self.predict(network, batch).softmax(1).cpu()
        image = paint(self.normaliser.field(IMAGE), batch.values[IMAGE], self.normaliser, valid=batch.valid[IMAGE])
        rows: Rows = [
            (str(key.slot), [one, verdict(share, self.classes, truth)])
            for key, one, share, truth in zip(batch.chips, image, shares, batch.values[SCENE].tolist(), strict=True)
        ]
        return ("image", "prediction"), rows


def seen_scenes(batch: ChipBatch) -> Tensor:
    """(B,) class indices; unknown where the image has no data at all, too: nothing could be learned there."""
    return torch.where(batch.valid[IMAGE].flatten(1).any(dim=1), batch.values[SCENE], IGNORE)
