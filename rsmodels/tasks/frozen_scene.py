"""A trained classifier of scenes that does not learn any more: what repaired images are to be recognised by."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from rsmodels.data.fields import IGNORE
from rsmodels.data.scenes import SCENE
from rsmodels.losses import cross_entropy
from rsmodels.metrics.scenes import scene_figures
from rsmodels.metrics.segmentation import Confusion
from rsmodels.nets.scene_vgg import SceneVgg
from rsmodels.tasks.frozen import Frozen


class FrozenClassifier(Frozen):
    """A trained classifier, given images in the scale of another model's normaliser: (B, C, y, x)."""

    network: SceneVgg
    target = SCENE
    headline = "accuracy"

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that it tells apart."""
        return self.theirs.field(SCENE).classes

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, K)."""
        logits: Tensor = self.network(self.translated(images))
        return logits

    def loss(self, images: Tensor, target: Tensor) -> Tensor:
        """Mean cross-entropy of the chips whose class is known; `target` (B,) class indices."""
        return cross_entropy(self(images), target)

    def score(self, pairs: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """Accuracy over all chips of all pairs, and its mean over the classes."""
        confusion = Confusion(len(self.classes), ignore=IGNORE)
        for images, target in pairs:
            confusion.update(self(images).argmax(1), target)
        found = scene_figures(confusion.matrix)
        return {name: float(found[name]) for name in ("accuracy", "mean_accuracy")}
