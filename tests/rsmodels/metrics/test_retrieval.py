"""Recall and average precision against slow references and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from rsmodels.metrics.retrieval import average_precision, first_ranks, retrieval_figures, same_places


def slow_precision(scores: np.ndarray, relevant: np.ndarray) -> float:
    """Sum over thresholds of (recall gained) x precision."""
    total, before = 0.0, 0.0
    for threshold in sorted(set(scores.tolist()), reverse=True):
        taken = scores >= threshold
        recall = (taken & relevant).sum() / relevant.sum()
        total += (recall - before) * (taken & relevant).sum() / taken.sum()
        before = recall
    return total


@pytest.mark.parametrize("digits", [6, 1])
def test_average_precision_is_that_of_the_reference(digits: int) -> None:
    """With one digit there are many ties."""
    rng = np.random.default_rng(digits)
    scores = rng.normal(size=(30, 12)).round(digits)
    relevant = rng.random((30, 12)) < 0.3
    relevant[:, 0] |= ~relevant.any(axis=1)
    found = average_precision(torch.from_numpy(scores), torch.from_numpy(relevant)).numpy()
    assert found == pytest.approx([slow_precision(*one) for one in zip(scores, relevant, strict=True)])


def test_average_precision_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    scores, relevant = rng.normal(size=(20, 15)).round(1), rng.random((20, 15)) < 0.3
    relevant[:, 3] = True
    found = average_precision(torch.from_numpy(scores), torch.from_numpy(relevant)).numpy()
    assert found == pytest.approx(
        [average_precision_score(truth, row) for truth, row in zip(relevant, scores, strict=True)]
    )


def test_recall_counts_who_is_found_in_time() -> None:
    similarity = torch.tensor([[3.0, 2, 1, 0], [3, 2, 1, 0], [3, 2, 1, 0], [3, 2, 1, 0]])
    ranks = first_ranks(similarity, torch.eye(4).bool())
    assert ranks.tolist() == [1, 2, 3, 4]
    precision = average_precision(similarity, torch.eye(4).bool())
    assert precision.tolist() == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4])
    figures = retrieval_figures(ranks, precision, cuts=(1, 2, 10))
    assert figures == pytest.approx({"recall@1": 0.25, "recall@2": 0.5, "recall@10": 1.0, "ap": 25 / 48})


def test_to_whom_all_is_alike_finds_nothing() -> None:
    """A collapsed network must not look perfect: ties count against it."""
    same = torch.ones(5, 5)
    assert first_ranks(same, torch.eye(5).bool()).tolist() == [5] * 5
    assert average_precision(same, torch.eye(5).bool()).tolist() == pytest.approx([0.2] * 5)


def test_a_place_that_comes_twice_is_in_the_gallery_once() -> None:
    kept, relevant = same_places(["b", "a", "b", "c"])
    assert kept == [0, 1, 3]
    assert relevant.int().tolist() == [[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1]]
