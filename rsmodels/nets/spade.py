"""A decoder in the manner of SPADE (Park et al. 2019), for ``backbone: spade``."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from rsmodels.nets.layers import Part
from rsmodels.nets.modulation import Hints
from rsmodels.nets.unet import Norm


class SpadeDecoder(nn.Module):
    """Residual modulated blocks from the conditions at chip / 2^ups up to the chip, tanh.

    (B, in_channels, y, x) at the smallest size to (B, out_channels, y·2^ups, x·2^ups); one block a size, and
    another at the smallest. Channels are 8 times `width` there and `width` at full size. Smaller than SPADE's
    own generator, which starts with three blocks of 16 times the width.
    """

    def __init__(self, in_channels: int, out_channels: int, ups: int, width: int, norm: Norm) -> None:
        super().__init__()
        widths = [width * min(8, 2 ** (ups - level)) for level in range(ups + 1)]
        self.begin = nn.Conv2d(in_channels, widths[0], 3, padding=1, bias=False)
        self.blocks = nn.ModuleList([_Block(widths[0], widths[0], norm)])
        for before, after in pairwise(widths):
            self.blocks.append(_Block(before, after, norm))
        self.end = nn.Conv2d(widths[-1], out_channels, 3, padding=1)

    def forward(self, x: Tensor, hints: Hints) -> Tensor:
        x = self.begin(x)
        for number, block in enumerate(self.blocks):
            x = block(F.interpolate(x, scale_factor=2.0, mode="nearest") if number else x, hints)
        return torch.tanh(self.end(F.leaky_relu(x, 0.2)).float())


class _Block(nn.Module):
    """Site, LeakyReLU, 3x3 convolution, twice, beside a shortcut (with site and 1x1 convolution if widths differ).

    Convolutions have no bias: the norm of a site to come would take it out.
    """

    def __init__(self, before: int, after: int, norm: Norm) -> None:
        super().__init__()
        part: Part = "decoder"
        middle = min(before, after)
        self.site_1, self.site_2 = norm(before, part), norm(middle, part)
        self.convolution_1 = nn.Conv2d(before, middle, 3, padding=1, bias=False)
        self.convolution_2 = nn.Conv2d(middle, after, 3, padding=1, bias=False)
        self.site_0 = norm(before, part) if before != after else None
        self.shortcut = nn.Conv2d(before, after, 1, bias=False) if before != after else None

    def forward(self, x: Tensor, hints: Hints) -> Tensor:
        straight = x
        if self.site_0 is not None and self.shortcut is not None:
            straight = self.shortcut(self.site_0(x, hints))
        x = self.convolution_1(F.leaky_relu(self.site_1(x, hints), 0.2))
        x = self.convolution_2(F.leaky_relu(self.site_2(x, hints), 0.2))
        return straight + x
