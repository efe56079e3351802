from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rsprep.dynamic_world import CLASSES, COLOURS, NODATA
from rsprep.errors import RasterError
from rsprep.products.landcover import (
    LabelVotes,
    ProbabilityMean,
    class_shares,
)

SEEDS = st.integers(0, 2**32 - 1)
compiled = settings(deadline=None)  # the first call compiles


def one_hot(labels: np.ndarray, sure: float) -> np.ndarray:
    """(dates, 9, y, x) probabilities: `sure` for the label, the rest spread; NaN where there is none."""
    out = np.full((labels.shape[0], 9, *labels.shape[1:]), (1 - sure) / 8, np.float32)
    for label in range(9):
        out[:, label][labels == label] = sure
    return np.where((labels == NODATA)[:, None], np.nan, out).astype(np.float32)


def mode(labels: NDArray[np.uint8], least: int = 1) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """Labels and counts of a stack (dates, y, x) by running votes."""
    votes = LabelVotes(labels.shape[1:])
    for date in labels:
        votes.add(date)
    return votes.result(min_observations=least)


def argmax_mean(probabilities: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """Labels and counts of a stack (dates, 9, y, x) by the running mean."""
    running = ProbabilityMean(probabilities.shape[2:])
    for date in probabilities:
        running.add(date)
    return running.result()


def test_masked_pixels_never_become_water() -> None:
    """Pitfall 20: 30 % of all observations masked, no water gained, by either method."""
    rng = np.random.default_rng(1)
    truth = rng.integers(1, 9, (50, 50)).astype(np.uint8)
    seen = np.where(rng.random((4, 50, 50)) < 0.3, NODATA, truth).astype(np.uint8)
    never = (seen == NODATA).all(axis=0)
    assert never.any()
    for labels, count in (mode(seen), argmax_mean(one_hot(seen, 0.6))):
        np.testing.assert_array_equal(labels, np.where(never, NODATA, truth))
        np.testing.assert_array_equal(count, (seen != NODATA).sum(axis=0))


def test_mode_and_mean_probability_differ() -> None:
    """Pitfall 22: two unsure dates say crops, one sure date says grass."""
    probabilities = np.full((3, 9, 1, 1), 0.05, np.float32)
    probabilities[:2, 4], probabilities[:2, 2] = 0.34, 0.31
    probabilities[2, 2], probabilities[2, 4] = 0.6, 0.05
    labels = probabilities.argmax(axis=1).astype(np.uint8)
    assert mode(labels)[0].item() == 4
    assert argmax_mean(probabilities)[0].item() == 2


def test_no_observation_is_not_water() -> None:
    """Pitfall 23: a month with no scene, and a pixel seen too seldom."""
    empty = LabelVotes((2, 2)).result()
    assert empty[0].tolist() == [[NODATA] * 2] * 2
    assert ProbabilityMean((1, 1)).result()[0].item() == NODATA
    assert np.isnan(ProbabilityMean((1, 1)).mean).all()
    seen = np.array([[[0, 3]], [[NODATA, 3]]], np.uint8)
    labels, count = mode(seen, least=2)
    assert labels.tolist() == [[NODATA, 3]]
    assert count.tolist() == [[1, 2]]
    with pytest.raises(ValueError, match="at least 1"):
        mode(seen, least=0)


def test_probabilities_are_renormalised_within_the_tolerance() -> None:
    """Pitfall 24."""
    running = ProbabilityMean((1, 1))
    running.add(np.full((9, 1, 1), 0.115))
    np.testing.assert_allclose(running.mean.sum(axis=0), 1, atol=1e-6)


@pytest.mark.parametrize("wrong", [[0.5] * 9, [0.0] * 9, [-0.1, 1.1, *[0.0] * 7], [100.0, *[0.0] * 8]])
def test_probabilities_that_are_none_are_refused(wrong: list[float]) -> None:
    """Pitfall 24: nothing that is refused is counted."""
    probabilities = np.array(wrong).reshape(9, 1, 1)
    running = ProbabilityMean((1, 1))
    with pytest.raises(RasterError, match="probability-sum"):
        running.add(probabilities)
    assert running.count.item() == 0
    running.add(probabilities, np.zeros((1, 1), np.bool_))
    assert running.count.item() == 0


@compiled
@given(SEEDS)
def test_mode_equals_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, (5, 4, 4)).astype(np.uint8)
    labels[labels == 9] = NODATA
    least = int(rng.integers(1, 4))
    got, count = mode(labels, least=least)
    for y, x in np.ndindex(4, 4):
        seen = [int(label) for label in labels[:, y, x] if label != NODATA]
        assert count[y, x] == len(seen)
        # max() takes the first of equals: the lowest code.
        assert got[y, x] == (max(range(9), key=seen.count) if len(seen) >= least else NODATA)


@compiled
@given(SEEDS)
def test_mean_probability_equals_numpy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(9), (3, 4, 4)).transpose(0, 3, 1, 2)
    probabilities[rng.random((3, 4, 4)).argsort(axis=0)[:, None].repeat(9, 1) == 0] = np.nan
    labels, count = argmax_mean(probabilities)
    np.testing.assert_array_equal(labels, np.nanmean(probabilities, axis=0).argmax(axis=0))
    assert (count == 2).all()


@pytest.mark.parametrize("value", [9, 100, 254])
def test_labels_of_another_coding_are_refused(value: int) -> None:
    """Pitfall 21."""
    with pytest.raises(RasterError, match="label-value") as caught:
        mode(np.array([[[0, value]]], np.uint8))
    assert caught.value.value == value
    with pytest.raises(RasterError, match="label-type"):
        class_shares(np.zeros((2, 2), np.int64))  # type: ignore[arg-type]  # the wrong type is the point


def test_class_shares() -> None:
    shares, unlabelled = class_shares(np.array([[0, 0, 8, NODATA]], np.uint8))
    assert shares.tolist() == [0.5, 0, 0, 0, 0, 0, 0, 0, 0.25]
    assert unlabelled == 0.25
    assert len(CLASSES) == len(COLOURS) == 9
