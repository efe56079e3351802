"""RS-UNet: the segmentation network of the RS-SPADE paper (its section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field
from torch import Tensor, nn

from rsmodels.nets.layers import start_small
from rsmodels.nets.norm import BatchNorm2d
from rsmodels.nets.segmenter import Segmenter
from rsprep.settings import Section

MULTIPLES = (1, 2, 4, 8, 8, 8)


class RsUNetNetwork(Section):
    """Size of the segmenter."""

    width: int = Field(64, ge=1, le=512, description="channels of the first level; deeper ones have up to 8 times that")
    pool: Literal[2, 3] = Field(3, description="side of the pooling window in pixels; its stride is 2")


class RsUNet(Segmenter):
    """(B, in_channels, y, x) to logits (B, classes, y, x); sides are multiples of 32.

    The paper has 4 or more channels in, 5 downsampling and 5 upsampling layers, 3x3 kernels in convolution and
    pooling. Widths, two convolutions with batch norm and ReLU a level (as in Ronneberger et al. 2015) and upsampling
    by repetition are our reading. The softmax is left to the loss. Its pyramid is that of the encoder:
    (B, min(2^n, 8)·width, y / 2^n, x / 2^n) for n = 0 to 5. Raises ModelError: odd-size, unlike-image.
    """

    called = "RS-UNet"

    def __init__(self, in_channels: int, classes: int, settings: RsUNetNetwork) -> None:
        super().__init__(in_channels)
        widths = [settings.width * multiple for multiple in MULTIPLES]
        self.encoder = nn.ModuleList(
            _twice(before, after) for before, after in zip([in_channels, *widths[:-1]], widths, strict=True)
        )
        self.pool = nn.MaxPool2d(settings.pool, stride=2, padding=settings.pool // 2 if settings.pool == 3 else 0)
        self.decoder = nn.ModuleList(
            _twice(below + skip, skip) for below, skip in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.head = nn.Conv2d(widths[0], classes, 1)
        start_small(self)

    def encoded(self, x: Tensor) -> list[Tensor]:
        outputs: list[Tensor] = []
        for block in self.encoder:
            x = block(self.pool(x) if outputs else x)
            outputs.append(x)
        return outputs

    def decoded(self, maps: Sequence[Tensor]) -> Tensor:
        x = maps[-1]
        for block, skip in zip(self.decoder, maps[-2::-1], strict=True):
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
            x = block(torch.cat([x, skip], dim=1))
        logits: Tensor = self.head(x)
        return logits


def _twice(before: int, after: int) -> nn.Module:
    """3x3 convolution, batch norm, ReLU, twice."""
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1, bias=False),
        BatchNorm2d(after),
        nn.ReLU(inplace=True),
        nn.Conv2d(after, after, 3, padding=1, bias=False),
        BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )
