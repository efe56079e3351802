"""pix2pixHD's global generator (Wang et al. 2018): the deterministic baseline without modulation.

Of the paper: a 7x7 convolution, four of stride 2, nine residual blocks, four transposed ones, a 7x7 convolution and
tanh, with instance norm after all but the last. Ours: the label map comes as one plane a class, unknown among them;
no second, larger generator around it (that is for images beyond 512 pixels), no map of instances, and no encoder of
appearance, so that a map has one image, as in Table I of the CSEBGAN paper.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from pydantic import Field
from torch import Tensor, nn

from rsmodels.nets.conditions import Condition, checked
from rsmodels.nets.labels import Labels, only_classes
from rsmodels.nets.layers import refuse_odd, start_small
from rsprep.settings import Section


class Pix2PixHDNetwork(Section):
    """Size of the generator."""

    width: int = Field(64, ge=1, le=512, description="channels of the first layer; each halving doubles them")
    downs: int = Field(4, ge=1, le=6, description="how often a chip is halved")
    blocks: int = Field(9, ge=1, le=32, description="residual blocks at the smallest size")


class Pix2PixHDGenerator(nn.Module):
    """One class condition to an image: `forward(values)` gives float32 (B, out_channels, chip_px, chip_px).

    Raises ModelError: odd-size, not-one-label-map, no-such-condition, unlike-condition.
    """

    def __init__(
        self, conditions: tuple[Condition, ...], out_channels: int, chip_px: int, settings: Pix2PixHDNetwork
    ) -> None:
        super().__init__()
        self.condition, self.chip_px, self.downs = only_classes(conditions), chip_px, settings.downs
        self.refuses(chip_px)
        widths = [settings.width * 2**level for level in range(settings.downs + 1)]
        layers = [_same(self.condition.channels + 1, widths[0], 7), *_normed(widths[0])]
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, 3, 2, 1, bias=False), *_normed(after)]
        layers += [_Block(widths[-1]) for _ in range(settings.blocks)]
        for before, after in pairwise(reversed(widths)):
            layers += [nn.ConvTranspose2d(before, after, 3, 2, 1, 1, bias=False), *_normed(after)]
        layers.append(_same(widths[0], out_channels, 7, bias=True))
        self.layers = nn.Sequential(*layers)
        start_small(self)

    def forward(self, values: Mapping[str, Tensor]) -> Tensor:
        checked((self.condition,), values, self.chip_px)
        labels = Labels(values[self.condition.name], self.condition.channels)
        return torch.tanh(self.layers(labels.planes(self.chip_px)).float())

    def refuses(self, size: int) -> None:
        """Raise ModelError `odd-size` where a chip of `size` pixels does not go through."""
        # At the smallest size a pixel more is reflected, for which there must be two.
        step = 2**self.downs
        refuse_odd(size, size, divisor=step, least=2 * step, what="this generator")


class _Block(nn.Module):
    """Two 3x3 convolutions with instance norm, beside the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        first, second = _same(channels, channels, 3), _same(channels, channels, 3)
        self.body = nn.Sequential(first, *_normed(channels), second, nn.InstanceNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = x + self.body(x)
        return result


def _same(before: int, after: int, kernel: int, *, bias: bool = False) -> nn.Module:
    """A convolution that keeps the size by reflection; without bias, which a norm after it would take out."""
    return nn.Conv2d(before, after, kernel, padding=kernel // 2, padding_mode="reflect", bias=bias)


def _normed(channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.InstanceNorm2d(channels), nn.ReLU(inplace=True)
