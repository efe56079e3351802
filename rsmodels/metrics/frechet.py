"""How far two sets of images are apart, by the features that a named extractor sees in them.

The Fréchet distance (Heusel et al. 2017) compares mean and covariance of the features; the kernel distance (Bińkowski
et al. 2018) is an unbiased estimate that also serves for few images. Both are worth as much as their extractor: figures
of two extractors say nothing about one another, so the extractor's name goes wherever a figure goes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from rsmodels.errors import ModelError

Numbers = NDArray[np.float64]
KEPT = 2048
"""Images whose features are kept for the kernel distance."""


@dataclass(kw_only=True)
class Moments:
    """Count, mean and covariance of features, and a sample of them; batch by batch, in bounded memory.

    The sample is the same whatever the order of the images and however they were dealt out before `merge`.
    """

    dim: int
    count: int = 0
    mean: Numbers = field(init=False)
    """(D,)."""
    scatter: Numbers = field(init=False)
    """(D, D) sum of the products of deviations from the mean."""
    sample: Numbers = field(init=False)
    """(n, D) features of at most `KEPT` images."""
    _marks: NDArray[np.uint64] = field(init=False)

    def __post_init__(self) -> None:
        self.mean = np.zeros(self.dim)
        self.scatter = np.zeros((self.dim, self.dim))
        self.sample = np.zeros((0, self.dim))
        self._marks = np.zeros(0, np.uint64)

    def update(self, features: Tensor) -> None:
        """Take in features (B, D).

        Raises
        ------
        ModelError : ``model/odd-features`` for another shape, ``model/not-finite`` for NaN or infinity.
        """
        values = features.detach().double().cpu().numpy()
        if values.ndim != 2 or values.shape[1] != self.dim:
            raise ModelError(
                "odd-features",
                f"features must have the shape (images, {self.dim})",
                value=values.shape,
                remedy="use one extractor for all images",
            )
        if not np.isfinite(values).all():
            raise ModelError(
                "not-finite",
                "features of an image are NaN or infinite",
                value=int((~np.isfinite(values).all(axis=1)).sum()),
                remedy="a network that diverged cannot be scored; go back to an earlier checkpoint",
            )
        if not len(values):
            return
        mean = values.mean(axis=0)
        apart = values - mean
        self._join(len(values), mean, apart.T @ apart)
        self._keep(values, np.array([_mark(row) for row in values], np.uint64))

    def merge(self, other: Self) -> None:
        """Take in what another one has seen; raises ValueError for another dimension."""
        if other.dim != self.dim:
            raise ValueError(f"features of {other.dim} dimensions cannot join those of {self.dim}")
        if other.count:
            self._join(other.count, other.mean, other.scatter)
            self._keep(other.sample, other._marks)

    @property
    def covariance(self) -> Numbers:
        """(D, D), divided by n − 1; zero for a single image."""
        return self.scatter / max(1, self.count - 1)

    def _join(self, count: int, mean: Numbers, scatter: Numbers) -> None:
        """Chan et al. 1983: moments of two parts together."""
        both = self.count + count
        shift = mean - self.mean
        self.scatter += scatter + np.outer(shift, shift) * (self.count * count / both)
        self.mean += shift * (count / both)
        self.count = both

    def _keep(self, values: Numbers, marks: NDArray[np.uint64]) -> None:
        rows, every = np.concatenate([self.sample, values]), np.concatenate([self._marks, marks])
        chosen = np.argsort(every, kind="stable")[:KEPT]
        self.sample, self._marks = rows[chosen], every[chosen]


def _mark(row: Numbers) -> int:
    """A number drawn from the features themselves: those with the least are kept, wherever they come from."""
    return int.from_bytes(hashlib.blake2b(np.ascontiguousarray(row).tobytes(), digest_size=8).digest(), "little")


def frechet_distance(real: Moments, made: Moments, *, allow_few: bool = False) -> float:
    """‖Δμ‖² + Tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½), from 0 up.

    Tr (Σ₁Σ₂)^½ is the sum of the singular values of Σ₁^½Σ₂^½ with roots by symmetric eigendecomposition: no complex
    numbers, and nothing to add to the diagonal where a covariance lacks rank.

    Raises
    ------
    ModelError : ``model/too-few-images`` with no more images than dimensions: the covariance lacks rank and the
        distance is far too large. `allow_few` computes it all the same, from two images on.
    """
    _check_pair(real, made)
    least = 2 if allow_few else real.dim + 1
    if min(real.count, made.count) < least:
        raise ModelError(
            "too-few-images",
            f"a Fréchet distance of {real.dim}-dimensional features needs {least} images or more on each side",
            value=f"{real.count} real, {made.count} generated",
            remedy="use more images or an extractor of fewer dimensions; the kernel distance serves for few images",
        )
    shift = real.mean - made.mean
    roots = [_root(moments.covariance) for moments in (real, made)]
    shared = float(np.linalg.svd(roots[0] @ roots[1], compute_uv=False).sum())
    distance = float(shift @ shift + np.trace(real.covariance) + np.trace(made.covariance) - 2.0 * shared)
    return max(0.0, distance)


def kernel_distance(real: Moments, made: Moments) -> float:
    """Unbiased estimate of the squared maximum mean discrepancy under the kernel (⟨x,y⟩/D + 1)³.

    From the sample of each side, `KEPT` images at most. Around 0, and below it as often as above, for two samples of
    one distribution.

    Raises
    ------
    ModelError : ``model/too-few-images`` below two images on a side.
    """
    _check_pair(real, made)
    x, y = real.sample, made.sample
    if min(len(x), len(y)) < 2:
        raise ModelError(
            "too-few-images",
            "a kernel distance needs two images or more on each side",
            value=f"{len(x)} real, {len(y)} generated",
            remedy="use more images",
        )
    within = sum(_kernel_sum(one, one, without_self=True) / (len(one) * (len(one) - 1)) for one in (x, y))
    return within - 2.0 * _kernel_sum(x, y) / (len(x) * len(y))


def distances(real: Moments, made: Moments, extractor: str, *, allow_few: bool = False) -> dict[str, Any]:
    """Both distances with what they rest on, for a record: ``extractor``, ``dim``, ``real`` and ``made`` (images),
    ``frechet``, ``kernel`` and ``kernel_images`` (images the kernel distance used on the two sides).
    """
    return {
        "extractor": extractor,
        "dim": real.dim,
        "real": real.count,
        "made": made.count,
        "frechet": frechet_distance(real, made, allow_few=allow_few),
        "kernel": kernel_distance(real, made),
        "kernel_images": [len(real.sample), len(made.sample)],
    }


def _check_pair(real: Moments, made: Moments) -> None:
    if real.dim != made.dim:
        raise ValueError(f"features of {real.dim} and {made.dim} dimensions cannot be compared")


def _root(covariance: Numbers) -> Numbers:
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    return np.asarray(vectors * np.sqrt(np.clip(values, 0.0, None)) @ vectors.T)


def _kernel_sum(x: Numbers, y: Numbers, *, without_self: bool = False) -> float:
    kernel = (x @ y.T / x.shape[1] + 1.0) ** 3
    return float(kernel.sum() - (np.trace(kernel) if without_self else 0.0))
