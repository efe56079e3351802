"""pix2pix's U-Net (Isola et al. 2017): the baseline, and the body that RS-SPADE modulates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field, field_validator
from torch import Tensor, nn

from rsmodels.nets.conditions import Condition, checked, stacked, total_channels
from rsmodels.nets.layers import Part, levels, refuse_odd, start_small
from rsmodels.nets.norm import BatchNorm2d, Dropout
from rsprep.settings import Section

MULTIPLES = (1, 2, 4, 8, 8, 8, 8, 8)
DROPPED = 3
"""Innermost decoder blocks with dropout (CD512-CD512-CD512 in the appendix of Isola et al.)."""
Norm = Callable[[int, Part], nn.Module]


class Pix2PixNetwork(Section):
    """Size of the U-Net."""

    width: int = Field(64, ge=1, le=512, description="channels of the first level; deeper ones have up to 8 times that")
    downs: int = Field(0, ge=0, le=8, description="how often a chip is halved; 0: until it is one pixel, at most 8")
    dropout: float = Field(0.5, ge=0, lt=1, description="share of values dropped in the three innermost decoder blocks")

    @field_validator("downs")
    @classmethod
    def _two_levels(cls, downs: int) -> int:
        if downs == 1:
            raise ValueError("downs is 0 (as often as it goes) or at least 2")
        return downs


class UNet(nn.Module):
    """Encoder of k4 s2 convolutions, decoder of k4 s2 transposed ones, skips between equal sizes, tanh.

    Norm layers come from `norm(channels, part)` and stand after every convolution but the first, the innermost one
    and the last (pix2pix, as its authors built it). One that is no plain batch norm is also given `hints`.
    """

    def __init__(self, in_channels: int, out_channels: int, downs: int, settings: Pix2PixNetwork, norm: Norm) -> None:
        super().__init__()
        widths = [settings.width * multiple for multiple in MULTIPLES[:downs]]
        self.encoder = nn.ModuleList()
        self.decoder = nn.ModuleList()
        for level, width in enumerate(widths):
            before = widths[level - 1] if level else in_channels
            normed = 0 < level < downs - 1
            self.encoder.append(
                _Step(nn.Conv2d(before, width, 4, 2, 1, bias=not normed), width, norm, "encoder", normed)
            )
        for level in reversed(range(downs)):
            innermost, outermost = level == downs - 1, level == 0
            into = widths[level] if innermost else 2 * widths[level]
            width = out_channels if outermost else widths[level - 1]
            share = settings.dropout if downs - level <= DROPPED and not outermost else 0.0
            convolution = nn.ConvTranspose2d(into, width, 4, 2, 1, bias=outermost)
            self.decoder.append(_Step(convolution, width, norm, "decoder", not outermost, share))

    def forward(self, x: Tensor, hints: Any = None) -> Tensor:
        skips: list[Tensor] = []
        for step in self.encoder:
            x = step(F.leaky_relu(x, 0.2) if skips else x, hints)
            skips.append(x)
        x = skips.pop()
        for step in self.decoder:
            x = step(F.relu_(x), hints)  # in place: nothing else reads it
            if skips:
                x = torch.cat([x, skips.pop()], dim=1)
        return torch.tanh(x.float())


class _Step(nn.Module):
    """Convolution, norm, dropout."""

    def __init__(
        self, convolution: nn.Module, width: int, norm: Norm, part: Part, normed: bool, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.convolution = convolution
        self.norm = norm(width, part) if normed else None
        self.dropout = Dropout(dropout) if dropout else None

    def forward(self, x: Tensor, hints: Any) -> Tensor:
        x = self.convolution(x)
        if self.norm is not None:
            x = self.norm(x) if isinstance(self.norm, BatchNorm2d) else self.norm(x, hints)
        return x if self.dropout is None else self.dropout(x)


class UNetGenerator(nn.Module):
    """pix2pix: all conditions concatenated into a U-Net; image in [-1, 1].

    `forward(values)` takes each condition at `chip_px` pixels or a whole fraction of that, and gives float32
    (B, out_channels, chip_px, chip_px). The baseline of the RS-SPADE paper (its Table 1). Noise is dropout in
    training; in evaluation there is none. Raises ModelError: odd-size, no-such-condition, unlike-condition.
    """

    def __init__(
        self, conditions: tuple[Condition, ...], out_channels: int, chip_px: int, settings: Pix2PixNetwork
    ) -> None:
        super().__init__()
        self.conditions, self.chip_px = conditions, chip_px
        self.downs = levels(chip_px, settings.downs, what="this U-Net")
        self.net = UNet(total_channels(conditions), out_channels, self.downs, settings, _plain)
        start_small(self)

    def forward(self, values: Mapping[str, Tensor]) -> Tensor:
        found = checked(self.conditions, values, self.chip_px)
        result: Tensor = self.net(stacked(self.conditions, found, self.chip_px))
        return result

    def refuses(self, size: int) -> None:
        """Raise ModelError `odd-size` where a chip of `size` pixels does not go through."""
        refuse_odd(size, size, divisor=2**self.downs, least=2**self.downs, what="this U-Net")


def _plain(channels: int, part: Part) -> nn.Module:
    return BatchNorm2d(channels)
