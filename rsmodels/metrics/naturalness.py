"""NIQE: how unlike natural pictures an image is, without a picture to compare it with.

Mittal, Soundararajan and Bovik 2013, "Making a completely blind image quality analyzer". An image is divided by its
local contrast; of each patch, at two scales, 18 numbers tell how these values and the products of neighbours are
distributed; they are held against a Gaussian of the same numbers of real pictures. The published model is of natural
photographs; from above the ground has other statistics, so here the Gaussian is fitted on real train chips, and the
name says so. Figures of two fits do not compare, nor do they with published NIQE or BRISQUE, which learned from
people's opinions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from rsmodels.data.fields import visible
from rsmodels.errors import ModelError

PATCH: Final = 96
"""Pixels along a patch's side, as published; half as many at the second scale."""
LEAST: Final = 32
SHARP: Final = 0.75
"""The fit looks at patches whose local contrast is at least this share of that of their image's sharpest one."""
FEATURES: Final = 36
FEWEST: Final = 2 * FEATURES
"""Patches that a Gaussian of so many numbers is fitted on, at least."""
GREY: Final = (0.299, 0.587, 0.114)
"""Red, green and blue of luminance (ITU-R BT.601)."""
_SHIFTS: Final = ((0, 1), (1, 0), (1, 1), (1, -1))
_SHAPES: Final = torch.arange(0.2, 10.0005, 0.001, dtype=torch.float64)
"""Shapes of a generalised Gaussian that are told apart."""


def grey_of(bands: Sequence[str] | None) -> tuple[float, ...]:
    """Weights of the bands of an image for its grey picture: luminance where there are red, green and blue."""
    count, colours = len(bands or ("",)), visible(bands)
    if colours is None:
        return (1 / count,) * count
    return tuple(GREY[colours.index(place)] if place in colours else 0.0 for place in range(count))


@dataclass(frozen=True, kw_only=True, eq=False)
class Naturalness:
    """What the patches of real pictures look like: a Gaussian of 36 numbers."""

    mean: NDArray[np.float64]
    """(36,)"""
    covariance: NDArray[np.float64]
    """(36, 36)"""
    grey: tuple[float, ...]
    """Weights of the bands."""
    patch: int
    """Pixels along a patch's side."""
    chips: int
    """Real chips that it was fitted on."""

    @property
    def name(self) -> str:
        """What the figure is to be called."""
        size = "" if self.patch == PATCH else f", patches of {self.patch} pixels"
        return f"niqe, fitted on {self.chips:,} train chip{'' if self.chips == 1 else 's'}{size}"

    @classmethod
    def fit(cls, batches: Iterable[Tensor], grey: Sequence[float]) -> Self:
        """The sharp patches of real train chips.

        Patches have 96 pixels, as published, or half a chip's side where that is less.

        Parameters
        ----------
        batches : (B, C, y, x) on 0 to 1, all of one size.
        grey : a weight a band, see `grey_of`.

        Raises
        ------
        ModelError : ``small-chips`` below 64 pixels, ``too-few-images`` for less than 72 sharp patches.
        """
        found: list[Tensor] = []
        chips, patch = 0, PATCH
        for images in batches:
            if not chips:
                patch = min(PATCH, min(images.shape[-2:]) // 4 * 2)
                _refuse_small(patch, tuple(images.shape))
            features, contrast = described(_grey(images, grey), patch)
            found.append(features[contrast >= SHARP * contrast.amax(dim=1, keepdim=True)])
            chips += len(images)
        rows = torch.cat(found).numpy() if found else np.empty((0, FEATURES))
        if len(rows) < FEWEST:
            raise ModelError(
                "too-few-images",
                f"naturalness is told by {FEATURES} numbers a patch, and there are too few patches to learn them from",
                value=f"{len(rows):,} patches of {chips:,} chips",
                remedy=f"fit it on more train chips: {FEWEST} patches at least",
            )
        return cls(
            mean=rows.mean(axis=0), covariance=np.cov(rows, rowvar=False), grey=tuple(grey), patch=patch, chips=chips
        )

    @torch.no_grad()
    def score(self, images: Tensor) -> NDArray[np.float64]:
        """(B,) distance of each image from the real ones, 0 or more; smaller is more natural.

        Parameters
        ----------
        images : (B, C, y, x) on 0 to 1; all patches that fit in count.

        Raises
        ------
        ModelError : ``small-chips`` for less than one patch.
        """
        if min(images.shape[-2:]) < self.patch:
            _refuse_small(0, tuple(images.shape))
        features, _ = described(_grey(images, self.grey), self.patch)
        return np.array([self._distance(one) for one in features.numpy()])

    def _distance(self, rows: NDArray[np.float64]) -> float:
        """Of the patches (n, 36) of one image; a single patch has no spread of its own."""
        spread = np.cov(rows, rowvar=False) if len(rows) > 1 else np.zeros_like(self.covariance)
        apart = rows.mean(axis=0) - self.mean
        return float(np.sqrt(max(0.0, apart @ np.linalg.pinv((self.covariance + spread) / 2) @ apart)))


def described(grey: Tensor, patch: int) -> tuple[Tensor, Tensor]:
    """The numbers of each patch, and its mean local contrast at the first scale.

    Parameters
    ----------
    grey : (B, y, x) on 0 to 255.
    patch : even number of pixels along a patch's side; what is left at the right and lower edges is not looked at.

    Returns
    -------
    features : (B, n, 36) float64: of each scale the shape and scale of the contrast-normalised values, then shape,
        mean, left and right scale of their products with the neighbours to the right, below and on both diagonals.
    contrast : (B, n).
    """
    height, width = (int(side) // patch * patch for side in grey.shape[-2:])
    image = grey[:, None, :height, :width].double()
    parts, contrast = [], torch.empty(0)
    for scale in (1, 2):
        normal, deviation = _normalised(image)
        parts.append(_numbers(_patches(normal, patch // scale)))
        if scale == 1:
            contrast = _patches(deviation, patch).mean(dim=(-2, -1))
            image = F.interpolate(image, scale_factor=0.5, mode="bicubic", antialias=True, align_corners=False)
    return torch.cat(parts, dim=-1), contrast


def _grey(images: Tensor, weights: Sequence[float]) -> Tensor:
    """(B, y, x) on 0 to 255."""
    row = torch.tensor(weights, dtype=torch.float64)[:, None, None]
    return (images.detach().cpu().double().clamp(0, 1) * row).sum(dim=1) * 255


def _normalised(image: Tensor) -> tuple[Tensor, Tensor]:
    """(I - μ) / (σ + 1) and σ of (B, 1, y, x): local means under a Gaussian window of 7 pixels, deviation 7/6."""
    places = torch.arange(-3, 4, dtype=torch.float64)
    window = torch.exp(-(places**2) / (2 * (7 / 6) ** 2))
    window /= window.sum()

    def smooth(values: Tensor) -> Tensor:
        wide = F.pad(values, (3, 3, 3, 3), mode="replicate")
        return F.conv2d(F.conv2d(wide, window[None, None, None]), window[None, None, :, None])

    mean = smooth(image)
    deviation = (smooth(image**2) - mean**2).clamp_min(0).sqrt()
    return (image - mean) / (deviation + 1), deviation


def _patches(image: Tensor, side: int) -> Tensor:
    """(B, 1, y, x) as (B, n, side, side)."""
    rows = image[:, 0].unfold(1, side, side).unfold(2, side, side)
    return rows.reshape(len(image), -1, side, side)


def _numbers(patches: Tensor) -> Tensor:
    """The 18 numbers of each patch: (..., y, x) to (..., 18)."""
    left, right, shape = _fitted(patches, symmetric=True)
    found = [shape, left]
    side = patches.shape[-1]
    for down, across in _SHIFTS:
        here = patches[..., : side - down, max(0, -across) : side - max(0, across)]
        there = patches[..., down:, max(0, across) : side + min(0, across)]
        left, right, shape = _fitted(here * there, symmetric=False)
        mean = (right - left) * torch.exp(torch.lgamma(2 / shape) - torch.lgamma(1 / shape))
        found += [shape, mean, left, right]
    return torch.stack(found, dim=-1)


def _fitted(values: Tensor, *, symmetric: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Left and right scale and shape of a generalised Gaussian of (..., y, x), by its moments (Lasmar et al. 2009).

    Where all values are alike, scales are 0 and the shape is the largest: a patch without structure is a patch, too.
    """
    square = values**2
    power = square.mean(dim=(-2, -1))
    sides = [power, power]
    if not symmetric:
        signs = (values < 0, values > 0)
        sides = [(square * sign).sum(dim=(-2, -1)) / sign.sum(dim=(-2, -1)).clamp_min(1) for sign in signs]
    left, right = (one.sqrt() for one in sides)
    both = sides[0] + sides[1]
    alike = power == 0
    ratio = values.abs().mean(dim=(-2, -1)) ** 2 / torch.where(alike, 1.0, power)
    ratio = ratio * (left**3 + right**3) * (left + right) / torch.where(alike, 1.0, both) ** 2
    shape = torch.where(alike, _SHAPES[-1], _shape(ratio))
    width = torch.exp((torch.lgamma(1 / shape) - torch.lgamma(3 / shape)) / 2)
    return left * width, right * width, shape


def _shape(ratio: Tensor) -> Tensor:
    """The shape a for which Γ(2/a)² / (Γ(1/a) Γ(3/a)) is `ratio`: that grows with a, and is interpolated."""
    table = torch.exp(2 * torch.lgamma(2 / _SHAPES) - torch.lgamma(1 / _SHAPES) - torch.lgamma(3 / _SHAPES))
    return torch.from_numpy(np.interp(ratio.numpy(), table.numpy(), _SHAPES.numpy()))


def _refuse_small(patch: int, shape: tuple[int, ...]) -> None:
    if patch < LEAST:
        raise ModelError(
            "small-chips",
            f"naturalness looks at patches of {LEAST} pixels or more, those that it was fitted on",
            value=shape,
            remedy=f"chips of {2 * LEAST} pixels or more, and none smaller than a patch of the fit",
        )
