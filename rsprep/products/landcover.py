"""Land cover in Dynamic World numbering: many dated observations to one label a pixel.

Codes are 0 to 8, and water is 0: a masked pixel that is filled with zeros becomes a lake. So nodata
is 255 everywhere, and what was never observed is counted, not guessed.
"""

from __future__ import annotations

from typing import Any, Final

import numba
import numpy as np
from numpy.typing import NDArray

from rsprep.dynamic_world import CLASSES, NODATA
from rsprep.errors import RasterError

TOLERANCE: Final = 0.05
"""How far from 1 the probabilities of a pixel may sum before they are refused."""


class LabelVotes:
    """Running mode of labels: observations a class and pixel. Memory does not grow with the dates."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.votes = np.zeros((len(CLASSES), *shape), np.uint16)
        """(9, y, x): how often each class was seen."""

    def add(self, labels: NDArray[np.uint8]) -> None:
        """Count one date: (y, x) uint8, 0 to 8 and 255; raises RasterError for another value."""
        if labels.shape != self.votes.shape[1:]:
            raise ValueError(f"expected labels of shape {self.votes.shape[1:]}, got {labels.shape}")
        check_labels(labels)
        _count(labels, self.votes)

    def result(self, *, min_observations: int = 1) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
        """Most frequent label and number of observations, both (y, x).

        Parameters
        ----------
        min_observations : pixels with fewer observations become nodata (255); at least 1, because no
            observation is not water. Of classes seen equally often the lowest code is taken.
        """
        count = self.votes.sum(axis=0, dtype=np.uint16)
        return _label(self.votes, count, min_observations), count


class ProbabilityMean:
    """Running mean of class probabilities over dates. Memory does not grow with the dates."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self._sum = np.zeros((len(CLASSES), *shape), np.float32)
        self.count = np.zeros(shape, np.uint16)
        """(y, x): number of observations."""

    def add(self, probabilities: NDArray[np.floating[Any]], valid: NDArray[np.bool_] | None = None) -> None:
        """Add one date.

        A pixel is an observation where `valid` holds and all nine numbers are finite. Numbers that
        sum to 1 within 0.05 (they were rounded or resampled) are divided by their sum.

        Parameters
        ----------
        probabilities : (9, y, x).
        valid : (y, x).

        Raises
        ------
        RasterError
            When a pixel's probabilities are negative or sum to anything else.
        """
        if probabilities.shape != self._sum.shape:
            raise ValueError(f"expected probabilities of shape {self._sum.shape}, got {probabilities.shape}")
        total, seen = check_probabilities(probabilities, valid)
        np.add(self._sum, probabilities / np.where(seen, total, 1), out=self._sum, where=seen)
        self.count += seen

    @property
    def mean(self) -> NDArray[np.float32]:
        """(9, y, x) mean probabilities, NaN where there is no observation."""
        divisor = np.where(self.count > 0, self.count, np.nan).astype(np.float32)
        return np.asarray(self._sum / divisor, np.float32)

    def result(self, *, min_observations: int = 1) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
        """Class of the largest mean probability, and number of observations; as :meth:`LabelVotes.result`.

        The mean weighs how sure each date was, so it may differ from the mode of the labels.
        """
        return _label(self._sum, self.count, min_observations), self.count


def check_probabilities(
    probabilities: NDArray[np.floating[Any]], valid: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Sum of the classes (y, x), and where a pixel is an observation; raises as :meth:`ProbabilityMean.add` does."""
    total = probabilities.sum(axis=0, dtype=np.float32)
    # One class that is not finite makes the sum so.
    seen = np.isfinite(total) if valid is None else np.isfinite(total) & valid
    wrong = seen & ((np.abs(total - 1) > TOLERANCE) | (np.nanmin(probabilities, axis=0, initial=0) < 0))
    if wrong.any():
        raise RasterError(
            "probability-sum",
            "the class probabilities of a pixel are negative or do not sum to 1",
            value=[round(float(p), 4) for p in probabilities[:, wrong][:, 0]],
            remedy="check the scale and the order of the probability bands in the source definition",
        )
    return total, seen


def class_shares(labels: NDArray[np.uint8]) -> tuple[NDArray[np.float64], float]:
    """Share of all pixels that each of the nine classes has, and the share without a label; together 1.

    Raises
    ------
    RasterError
        For values that are neither 0 to 8 nor 255.
    """
    counts = check_labels(labels) / max(labels.size, 1)
    return counts[: len(CLASSES)], float(counts[NODATA])


def check_labels(labels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Histogram (256,) of labels; raises RasterError for values that are neither 0 to 8 nor 255."""
    if labels.dtype != np.uint8:
        raise RasterError(
            "label-type", "labels must be uint8", value=str(labels.dtype), remedy="apply a crosswalk first"
        )
    histogram = np.bincount(labels.reshape(-1), minlength=256)
    if histogram[len(CLASSES) : NODATA].any():
        raise RasterError(
            "label-value",
            "labels are 0 to 8, or 255 for nodata",
            value=int(np.flatnonzero(histogram[len(CLASSES) : NODATA])[0]) + len(CLASSES),
            remedy="name the crosswalk of this coding in the source definition",
        )
    return histogram


def _label(scores: NDArray[Any], count: NDArray[np.uint16], min_observations: int) -> NDArray[np.uint8]:
    if min_observations < 1:
        raise ValueError(f"min_observations must be at least 1, got {min_observations}")
    out = np.empty(count.shape, np.uint8)
    _largest(scores, count, min_observations, out)
    return out


@numba.njit(cache=True, nogil=True)
def _count(labels: NDArray[np.uint8], votes: NDArray[np.uint16]) -> None:
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            if labels[y, x] != NODATA:
                votes[labels[y, x], y, x] += 1


@numba.njit(cache=True, nogil=True)
def _largest(scores: NDArray[Any], count: NDArray[np.uint16], min_observations: int, out: NDArray[np.uint8]) -> None:
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            best = 0
            for label in range(1, scores.shape[0]):
                if scores[label, y, x] > scores[best, y, x]:
                    best = label
            out[y, x] = best if count[y, x] >= min_observations else NODATA
