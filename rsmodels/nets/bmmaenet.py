"""BMMAENet's generator (Wang et al.): one to three U-Nets at full, half and quarter size that help one another."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, cast

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field
from torch import Tensor, nn

from rsmodels.nets.enhancement import (
    DownwardMicroEnhancement,
    Fusion,
    MacroMicroBalance,
    Up,
    UpwardMacroEnhancement,
)
from rsmodels.nets.layers import continued, same_conv, start_small
from rsmodels.nets.norm import BatchNorm2d, Dropout
from rsprep.settings import Section

MULTIPLES = (1, 2, 4, 8, 8, 8, 8)
DROPPED = 3
"""Innermost decoder blocks with dropout, as the network that BMMAENet builds on has it (Nazeri et al.)."""


class BmmaeNetwork(Section):
    """Size and parts of the generator."""

    width: int = Field(64, ge=1, le=512, description="channels of the first level; deeper ones have up to 8 times that")
    branches: Literal[1, 2, 3] = Field(3, description="1: full size alone; 2: half size, too; 3: and a quarter of it")
    downs: int = Field(7, ge=3, le=7, description="how often the full-size branch halves; each coarser one once less")
    dropout: float = Field(0.5, ge=0, lt=1, description="share of values dropped in the three innermost decoder blocks")
    dme: bool = Field(True, description="downward micro enhancement: details for the coarser branches")
    dme_up: Up = Field("nearest", description="how it enlarges coarse features; unpool: to where the maximum was")
    fusion: Fusion = Field(
        "adaptive",
        description="upward fusion: adaptive (UAME), attention (without adaptive selection), concat (neither), "
        "literal-eq4 (gates weigh their own maps, as printed)",
    )
    mmb: bool = Field(True, description="macro-micro balance before each branch's output; false: the skip alone")
    mmb_skip: bool = Field(
        True,
        description="MMB weighs decoded features with the outermost skip beside them; false: it stands in its place",
    )


class BmmaeNet(nn.Module):
    """`forward(grey)`: (B, 1, y, x) of -1 to 1 to colours in [-1, 1] of every branch, finest first.

    These are (B, out_channels, y / 2^n, x / 2^n) for n = 0, 1, 2. Any size: sides that are no multiples of 2^downs are
    continued by reflection, and results are cut back. What a branch or module that is switched off would need is not
    there.
    """

    def __init__(self, out_channels: int, settings: BmmaeNetwork) -> None:
        super().__init__()
        self.settings = settings
        count = settings.branches
        self.branches = nn.ModuleList(Branch(settings, settings.downs - level) for level in range(count))
        self.details = nn.ModuleList(
            DownwardMicroEnhancement(settings.width, settings.dme_up) for _ in range(count - 1 if settings.dme else 0)
        )
        channels = Branch.channels(settings)
        self.fusions = nn.ModuleList()
        heads, coarser = [nn.Conv2d(channels, out_channels, 1)], channels
        for _ in range(count - 1):
            fusion = UpwardMacroEnhancement(coarser, channels, settings.fusion)
            self.fusions.append(fusion)
            coarser = fusion.out_channels
            heads.append(nn.Conv2d(coarser, out_channels, 1))
        self.heads = nn.ModuleList(heads)
        """Of the coarsest branch first, as the fusions are."""
        start_small(self)

    def forward(self, grey: Tensor) -> list[Tensor]:
        size = (int(grey.shape[-2]), int(grey.shape[-1]))
        grey = continued(grey, 2**self.settings.downs)
        first: list[Tensor] = []
        for level, branch in enumerate(self.branches):
            features = cast(Branch, branch).first(F.avg_pool2d(grey, 2**level) if level else grey)
            if level and self.settings.dme:
                features = self.details[level - 1](first[-1], features)
            first.append(features)
        decoded = [branch(features) for branch, features in zip(self.branches, first, strict=True)]
        fused = decoded.pop()
        colours = [self.heads[0](fused)]
        for fusion, head in zip(self.fusions, self.heads[1:], strict=True):
            fused = fusion(fused, decoded.pop())
            colours.append(head(fused))
        finest_first = [torch.tanh(one.float()) for one in reversed(colours)]
        return [
            one[..., : -(-size[0] // 2**level), : -(-size[1] // 2**level)] for level, one in enumerate(finest_first)
        ]


class Branch(nn.Module):
    """A U-Net of k4 convolutions without its output layer: first features to decoded ones of the same size.

    The first layer keeps the size, `downs` others halve it, as many transposed ones double it again, with a skip
    between equal sizes; MMB weighs what comes out, or stands in place of the outermost skip.
    """

    def __init__(self, settings: BmmaeNetwork, downs: int) -> None:
        super().__init__()
        width = settings.width
        widths = [width, *(width * multiple for multiple in MULTIPLES[:downs])]
        self.entry = nn.Sequential(same_conv(1, width, 4), nn.LeakyReLU(0.2))
        self.encoder = nn.ModuleList(
            _down(before, after, normed=level < downs) for level, (before, after) in enumerate(pairwise(widths), 1)
        )
        self.decoder = nn.ModuleList()
        for level in range(downs, 0, -1):
            into = widths[level] if level == downs else 2 * widths[level]
            share = settings.dropout if downs - level < DROPPED else 0.0
            self.decoder.append(_up(into, widths[level - 1], share))
        self.balance = MacroMicroBalance(widths[-1], self.channels(settings)) if settings.mmb else None
        self.skipped = self.channels(settings) > width

    @staticmethod
    def channels(settings: BmmaeNetwork) -> int:
        """Of the decoded features: with the skip beside them twice as many."""
        return 2 * settings.width if settings.mmb_skip or not settings.mmb else settings.width

    def first(self, grey: Tensor) -> Tensor:
        """(B, width, y, x) from the grey image (B, 1, y, x)."""
        features: Tensor = self.entry(grey)
        return features

    def forward(self, first: Tensor) -> Tensor:
        x, skips = first, [first]
        for step in self.encoder:
            x = step(x)
            skips.append(x)
        deep = skips.pop()
        for step in self.decoder:
            x = step(x)
            low = skips.pop()
            x = torch.cat([x, low], dim=1) if skips else x
        if self.skipped:
            x = torch.cat([x, first], dim=1)
        return x if self.balance is None else cast(Tensor, self.balance(first, deep, x))


def _down(before: int, after: int, *, normed: bool) -> nn.Module:
    """Half the size; the deepest has no norm, which would have few values to take statistics of."""
    norm = [BatchNorm2d(after)] if normed else []
    return nn.Sequential(nn.Conv2d(before, after, 4, 2, 1, bias=not normed), *norm, nn.LeakyReLU(0.2))


def _up(before: int, after: int, dropout: float) -> nn.Module:
    """Twice the size."""
    dropped = [Dropout(dropout)] if dropout else []
    return nn.Sequential(
        nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False), BatchNorm2d(after), *dropped, nn.ReLU()
    )
