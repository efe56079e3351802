"""Figures of a classification of scenes, from the confusion matrix of :mod:`rsmodels.metrics.segmentation`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def scene_figures(matrix: NDArray[np.int64]) -> dict[str, Any]:
    """The figures of a (true class, predicted class) matrix of chips; NaN where there is nothing to divide by.

    Returns
    -------
    ``accuracy`` : share of chips whose class is right.
    ``mean_accuracy`` : mean over the classes that there are of the share of their chips that are found.
    ``recall`` : (K,) list, share of the chips of each class that were found.
    ``precision`` : (K,) list, share of the chips called so that are of the class.
    ``support`` : (K,) list, chips of each class.
    ``chips`` : chips that were counted.
    """
    right = np.diag(matrix).astype(np.float64)
    true, said = matrix.sum(axis=1), matrix.sum(axis=0)
    recall, precision = (
        np.divide(right, total, out=np.full(len(matrix), np.nan), where=total > 0) for total in (true, said)
    )
    chips = int(true.sum())
    return {
        "accuracy": float(right.sum() / chips) if chips else float("nan"),
        "mean_accuracy": float(recall[true > 0].mean()) if chips else float("nan"),
        "recall": recall.tolist(),
        "precision": precision.tolist(),
        "support": true.tolist(),
        "chips": chips,
    }
