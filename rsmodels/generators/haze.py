"""Haze and thin clouds over clear images: what colorization is to see through, and to give the colours below it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field, model_validator
from torch import Tensor

from rsmodels.data.batch import ChipKey
from rsprep.settings import Section

OCTAVES: Final = 3
"""Sizes of structures of thin clouds, each half of the one before and half as strong."""
_HAZE: Final = 7
"""Keeps these draws apart from others of the same seed."""


class Haze(Section):
    """How images are veiled: I = J·t + A·(1 - t), with the transmission t from 1 to 1 - `depth` (Koschmieder)."""

    chance: float = Field(0.5, ge=0, le=1, description="share of the chips that are veiled")
    depth: tuple[float, float] = Field((0.1, 0.6), description="most that a veil takes from what is below it")
    light: tuple[float, float] = Field((0.7, 1.0), description="brightness of the veil itself, on 0 to 1")
    cloudy: float = Field(0.5, ge=0, le=1, description="share of the veils that are thin clouds; the others are even")
    size: float = Field(0.5, gt=0, le=1, description="size of the largest structure of thin clouds, share of the side")

    @model_validator(mode="after")
    def _in_order(self) -> Haze:
        for name in ("depth", "light"):
            low, high = getattr(self, name)
            if not 0 <= low <= high <= 1:
                raise ValueError(f"{name}: from 0 to 1, the lower one first; got {(low, high)}")
        return self


def veiled(images: Tensor, chips: Sequence[ChipKey], how: Haze, seed: int, step: int | None = None) -> Tensor:
    """Images (B, C, y, x) of 0 to 1 with haze or thin clouds over some of them.

    Parameters
    ----------
    chips : which they are: a chip is veiled alike whatever stands beside it in its batch.
    seed, step : of the run; another step is another veil. Without a step, the one veil that scores are taken with.
    """
    made = images.clone()
    for row, key in enumerate(chips):
        rng = np.random.default_rng((seed, _HAZE, 0 if step is None else step + 1, key.source, key.slot))
        if rng.random() >= how.chance:
            continue
        depth, light = rng.uniform(*how.depth), rng.uniform(*how.light)
        height, width = images.shape[-2:]
        structure = 1.0 if rng.random() >= how.cloudy else clouds(rng, height, width, how.size).to(images.device)
        veil = depth * structure
        made[row] = images[row] * (1 - veil) + light * veil
    return made


def clouds(rng: np.random.Generator, height: int, width: int, size: float) -> Tensor:
    """(y, x) float32 from 0 to 1: smooth structures of several sizes, thickest at 1."""
    total = torch.zeros(height, width)
    for octave in range(OCTAVES):
        cells = max(2, round(2**octave / size) + 1)
        grid = torch.from_numpy(rng.random((1, 1, cells, cells), np.float32))
        total += F.interpolate(grid, (height, width), mode="bicubic", align_corners=True)[0, 0] / 2**octave
    low, high = total.min(), total.max()
    return (total - low) / (high - low).clamp_min(1e-6)
