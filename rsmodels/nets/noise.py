"""What a stochastic generator draws for each chip, and how it is drawn again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rsmodels.nets.norm import world


@dataclass(frozen=True, kw_only=True)
class NoiseForm:
    """Noise of one chip: standard normal numbers."""

    shape: tuple[int, ...]
    by_class: bool
    """True: the first axis is the class, the unknown one last, so that one class can be drawn anew alone."""

    def seeded(self, seeds: Sequence[int]) -> Tensor:
        """(B, *shape) float32 on the CPU; what a chip gets depends on its seed alone."""
        drawn = [torch.randn(self.shape, generator=torch.Generator().manual_seed(int(seed))) for seed in seeds]
        return torch.stack(drawn)

    def redrawn(self, noise: Tensor, other: Tensor, classes: Sequence[int]) -> Tensor:
        """`noise` (B, *shape) with that of some classes taken from `other`; all of it where it is not by class."""
        if not self.by_class:
            return other.clone()
        mixed = noise.clone()
        mixed[:, list(classes)] = other[:, list(classes)]
        return mixed


def drawn(shape: Sequence[int], device: torch.device) -> Tensor:
    """Standard normal numbers, the first axis being the chips of this process.

    Every process draws those of all and takes its slice, so that several draw what one would; their random generators
    must be in equal states.
    """
    rank, processes = world()
    batch, *rest = shape
    return torch.randn((batch * processes, *rest), device=device)[rank * batch : (rank + 1) * batch]
