"""Figures of a classification, against scikit-learn's definitions counted by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rsmodels.metrics.scenes import scene_figures


def test_against_counting_chip_by_chip() -> None:
    rng = np.random.default_rng(3)
    true, said = rng.integers(0, 3, 60), rng.integers(0, 4, 60)  # nothing is of the last class
    matrix = np.zeros((4, 4), np.int64)
    np.add.at(matrix, (true, said), 1)
    found = scene_figures(matrix)
    assert found["accuracy"] == pytest.approx((true == said).mean())
    recall = [(said[true == k] == k).mean() for k in range(3)]
    precision = [(true[said == k] == k).mean() for k in range(4)]
    assert found["recall"][:3] == pytest.approx(recall)
    assert math.isnan(found["recall"][3])
    assert found["precision"] == pytest.approx(precision)
    assert found["mean_accuracy"] == pytest.approx(np.mean(recall))
    assert (found["support"], found["chips"]) == ([int((true == k).sum()) for k in range(4)], 60)


def test_nothing_is_not_a_figure() -> None:
    found = scene_figures(np.zeros((2, 2), np.int64))
    assert math.isnan(found["accuracy"])
    assert math.isnan(found["mean_accuracy"])
    assert found["chips"] == 0
