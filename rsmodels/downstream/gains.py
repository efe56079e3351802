"""Gains over several seeds, and how sure they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Scores of the runs of one kind."""

    mean: float
    deviation: float
    """Standard deviation over the seeds (n - 1); NaN for a single one."""
    low: float
    high: float
    """Least and largest."""


@dataclass(frozen=True, kw_only=True)
class Gain:
    """How much better one kind of run is than another, seed by seed."""

    mean: float
    low: float
    high: float
    """Ends of the confidence interval; NaN for a single seed."""
    relative: float
    """d-X = 100 (X_mix - X_true) / X_true of the means, percent."""
    n: int
    """Pairs of runs."""

    @property
    def clear(self) -> bool:
        """True where the interval leaves 0 out."""
        return self.low > 0 or self.high < 0


def spread(scores: Sequence[float]) -> Spread:
    """Mean and spread of `scores`, of those that are numbers; all NaN where none is."""
    known = _known(scores)
    if not len(known):
        return Spread(mean=math.nan, deviation=math.nan, low=math.nan, high=math.nan)
    deviation = float(known.std(ddof=1)) if len(known) > 1 else math.nan
    return Spread(mean=float(known.mean()), deviation=deviation, low=float(known.min()), high=float(known.max()))


def paired_gain(true: Sequence[float], mix: Sequence[float], confidence: float = 0.95) -> Gain:
    """The gain of `mix` over `true`, with Student's interval of the mean of the paired differences.

    Parameters
    ----------
    true, mix : one score a seed, in the same order; pairs with a NaN (a class that is nowhere) are left out.
    confidence : probability that the interval covers the mean, were seeds a sample of normal differences.
    """
    pairs = np.array([true, mix], dtype=np.float64)
    pairs = pairs[:, ~np.isnan(pairs).any(axis=0)]
    n = pairs.shape[1]
    if n == 0:
        return Gain(mean=math.nan, low=math.nan, high=math.nan, relative=math.nan, n=0)
    differences = pairs[1] - pairs[0]
    mean, base = float(differences.mean()), float(pairs[0].mean())
    half = math.nan
    if n > 1:
        half = float(stdtrit(n - 1, (1 + confidence) / 2)) * float(differences.std(ddof=1)) / math.sqrt(n)
    relative = 100 * mean / base if base else math.nan
    return Gain(mean=mean, low=mean - half, high=mean + half, relative=relative, n=n)


def _known(scores: Sequence[float]) -> NDArray[np.float64]:
    values = np.asarray(scores, dtype=np.float64)
    return values[~np.isnan(values)]
