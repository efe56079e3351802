"""The decoder of SPADE (Park et al. 2019): residual blocks whose norms are modulated, ever larger, to an image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from rsmodels.nets.layers import spectral

Site = Callable[[int], nn.Module]
"""Channels to a norm with its modulation, called with the features and what guides the pass."""


class Stage(NamedTuple):
    """One residual block."""

    width: int
    """Channels that it gives."""
    enlarge: bool
    """Twice as many pixels along each side before it."""


def spade_plan(width: int, ups: int) -> list[Stage]:
    """SPADE's generator: 16, 16, 16, 8, 4, 2 and 1 times `width` channels, the last `ups` enlargements of five."""
    multiples, where = (16, 16, 16, 8, 4, 2, 1), (1, 3, 4, 5, 6)
    enlarged = where[len(where) - ups :]
    return [Stage(width * multiple, number in enlarged) for number, multiple in enumerate(multiples)]


class ModulatedDecoder(nn.Module):
    """(B, in_channels, y, x) to (B, out_channels, Y, X) in [-1, 1], as far enlarged as the plan says.

    `forward(x, guide)` hands `guide` to every site. Enlarging repeats pixels; tanh at the end.
    """

    def __init__(self, in_channels: int, out_channels: int, plan: Sequence[Stage], site: Site) -> None:
        super().__init__()
        self.enlarge = [stage.enlarge for stage in plan]
        before = [in_channels, *(stage.width for stage in plan[:-1])]
        self.blocks = nn.ModuleList(_Block(into, stage.width, site) for into, stage in zip(before, plan, strict=True))
        self.end = nn.Conv2d(plan[-1].width, out_channels, 3, padding=1)

    def forward(self, x: Tensor, guide: Any) -> Tensor:
        for enlarge, block in zip(self.enlarge, self.blocks, strict=True):
            x = block(F.interpolate(x, scale_factor=2.0, mode="nearest") if enlarge else x, guide)
        return torch.tanh(self.end(F.leaky_relu(x, 0.2)).float())

    def bound(self) -> None:
        """Divide the weights of the blocks' convolutions by their largest singular values, from now on."""
        for layer in self.blocks.children():
            for convolution in layer.children():
                if isinstance(convolution, nn.Conv2d):
                    spectral(convolution)


class _Block(nn.Module):
    """Site, LeakyReLU, 3x3 convolution, twice, beside a shortcut (with site and 1x1 convolution if widths differ).

    Convolutions have no bias: the norm of a site to come would take it out.
    """

    def __init__(self, before: int, after: int, site: Site) -> None:
        super().__init__()
        middle = min(before, after)
        self.site_1, self.site_2 = site(before), site(middle)
        self.convolution_1 = nn.Conv2d(before, middle, 3, padding=1, bias=False)
        self.convolution_2 = nn.Conv2d(middle, after, 3, padding=1, bias=False)
        self.site_0 = site(before) if before != after else None
        self.shortcut = nn.Conv2d(before, after, 1, bias=False) if before != after else None

    def forward(self, x: Tensor, guide: Any) -> Tensor:
        straight = x
        if self.site_0 is not None and self.shortcut is not None:
            straight = self.shortcut(self.site_0(x, guide))
        x = self.convolution_1(F.leaky_relu(self.site_1(x, guide), 0.2))
        x = self.convolution_2(F.leaky_relu(self.site_2(x, guide), 0.2))
        return straight + x
