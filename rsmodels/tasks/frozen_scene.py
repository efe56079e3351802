"""A trained classifier of scenes that does not learn any more: what repaired images are to be recognised by."""

from __future__ import annotations

from rsmodels.data.scenes import SCENE
from rsmodels.metrics.scenes import scene_figures
from rsmodels.metrics.segmentation import Confusion
from rsmodels.nets.scene_vgg import SceneVgg
from rsmodels.tasks.frozen import FrozenLabeller


class FrozenClassifier(FrozenLabeller):
    """A trained classifier, given images in the scale of another model's normaliser: (B, C, y, x)."""

    network: SceneVgg
    target = SCENE
    headline = "accuracy"

    def figures(self, confusion: Confusion) -> dict[str, float]:
        """Accuracy over all chips, and its mean over the classes."""
        found = scene_figures(confusion.matrix)
        return {name: float(found[name]) for name in ("accuracy", "mean_accuracy")}
