"""Figures of a segmentation from one confusion matrix over all pixels of all chips."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rsmodels.errors import ModelError


@dataclass
class Confusion:
    """Pixels counted by true and by predicted class; chips can come in any order and in any number of parts."""

    n_classes: int
    ignore: int = 255
    """True class of pixels that do not count."""
    matrix: NDArray[np.int64] = field(init=False)
    """(true class, predicted class) pixels."""
    ignored: int = field(init=False, default=0)
    """Pixels that did not count."""

    def __post_init__(self) -> None:
        if self.n_classes < 1 or 0 <= self.ignore < self.n_classes:
            raise ValueError(f"{self.n_classes} classes with class {self.ignore} ignored cannot be counted")
        self.matrix = np.zeros((self.n_classes, self.n_classes), np.int64)

    @torch.no_grad()
    def update(self, pred: Tensor, truth: Tensor) -> None:
        """Count the pixels of some chips.

        Parameters
        ----------
        pred : (B, y, x) integer class indices.
        truth : the same, with `ignore` where the class is unknown.

        Raises
        ------
        ModelError : ``model/odd-labels`` for two shapes; ``model/no-such-class`` for an index that is no class.
        """
        if pred.shape != truth.shape:
            raise ModelError(
                "odd-labels",
                "predicted and true classes must have one shape",
                value=(tuple(pred.shape), tuple(truth.shape)),
                remedy="hand over class indices (B, y, x), the argmax of the logits",
            )
        known = truth != self.ignore
        true, said = truth[known].long(), pred[known].long()
        for name, indices in (("true", true), ("predicted", said)):
            if indices.numel() and not 0 <= int(indices.min()) <= int(indices.max()) < self.n_classes:
                raise ModelError(
                    "no-such-class",
                    f"a {name} class is not among 0 to {self.n_classes - 1}",
                    value=(int(indices.min()), int(indices.max())),
                    remedy="compare labels and predictions of one table of classes",
                )
        counts = torch.bincount(true * self.n_classes + said, minlength=self.n_classes**2)
        self.matrix += counts.cpu().numpy().reshape(self.n_classes, self.n_classes)
        self.ignored += int(truth.numel() - true.numel())

    def merge(self, other: Confusion) -> None:
        """Take in what another one has counted; raises ValueError for other classes."""
        if (other.n_classes, other.ignore) != (self.n_classes, self.ignore):
            raise ValueError("confusion matrices of different classes cannot be added")
        self.matrix += other.matrix
        self.ignored += other.ignored

    def compute(self) -> dict[str, Any]:
        """The figures; NaN where there is nothing to divide by.

        Returns
        -------
        ``miou`` : mean IoU over the classes that are in the truth or in the prediction.
        ``fwiou`` : Σ fₖ·IoUₖ with fₖ the share of class k in the truth.
        ``accuracy`` : share of pixels whose class is right.
        ``iou`` : (K,) list, intersection over union of each class; NaN for a class in neither.
        ``support`` : (K,) list, true pixels of each class.
        ``pixels``, ``ignored`` : pixels that were counted, and those that were not.
        """
        right = np.diag(self.matrix).astype(np.float64)
        true, said = self.matrix.sum(axis=1), self.matrix.sum(axis=0)
        union = true + said - np.diag(self.matrix)
        iou = np.divide(right, union, out=np.full(self.n_classes, np.nan), where=union > 0)
        total = int(true.sum())
        there = union > 0
        return {
            "miou": float(iou[there].mean()) if there.any() else float("nan"),
            "fwiou": float((true[there] / total) @ iou[there]) if total else float("nan"),
            "accuracy": float(right.sum() / total) if total else float("nan"),
            "iou": iou.tolist(),
            "support": true.tolist(),
            "pixels": total,
            "ignored": self.ignored,
        }
