"""HRNet, a segmentation network that keeps a fine map from end to end.

Wang et al., "Deep high-resolution representation learning for visual recognition" (2020), in the form for segmentation
(HRNetV2): maps of up to four sizes side by side, which tell one another what they see after every few blocks.
"""

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

WIDER = 4
"""A bottleneck block gives so many times the channels that its 3x3 convolution has."""


class HrNetNetwork(Section):
    """Size of the segmenter."""

    width: int = Field(
        32, ge=1, le=256, description="channels of the finest map; the others have 2, 4 and 8 times that"
    )
    stem: int = Field(64, ge=1, le=256, description="channels of the stem; what follows it has 4 times that")
    blocks: int = Field(4, ge=1, le=8, description="residual blocks of each map between two exchanges")
    modules: tuple[int, int, int] = Field(
        (1, 4, 3), description="exchanges between maps of two, of three and of four sizes"
    )
    halvings: Literal[0, 1, 2] = Field(
        2, description="how often the stem halves an image: the finest map is a quarter as wide; published: 2"
    )


class HrNet(Segmenter):
    """(B, in_channels, y, x) to logits (B, classes, y, x); sides are multiples of 2^(halvings + 3), so of 32 usually.

    A stem of two 3x3 convolutions, as many of which halve the image as `halvings` says; four bottleneck blocks; then
    maps of two, three and four sizes with basic blocks, exchanged in full after each module. The head brings all to
    the finest size, and two 1x1 convolutions read the classes there; logits are interpolated to the image's size.
    Without pretrained weights. Its pyramid is that of the last exchange: (B, 2^n·width, y / 2^(n + halvings), ...) for
    n = 0 to 3. Raises ModelError: odd-size, unlike-image.
    """

    called = "HRNet"

    def __init__(self, in_channels: int, classes: int, settings: HrNetNetwork) -> None:
        super().__init__(in_channels)
        self.scale = 2**settings.halvings
        self.divisor = 8 * self.scale
        strides = [2 if place < settings.halvings else 1 for place in range(2)]
        stem, wide = settings.stem, WIDER * settings.stem
        self.stem = nn.Sequential(
            *_normed(in_channels, stem, stride=strides[0], act=True), *_normed(stem, stem, stride=strides[1], act=True)
        )
        self.first = nn.Sequential(_Bottleneck(stem, stem), *(_Bottleneck(wide, stem) for _ in range(3)))
        before, stages = [wide], []
        for count, modules in enumerate(settings.modules, start=2):
            widths = [settings.width * 2**n for n in range(count)]
            stages.append(_Stage(before, widths, modules, settings.blocks))
            before = widths
        self.stages = nn.ModuleList(stages)
        every = sum(before)
        self.head = nn.Sequential(*_normed(every, every, side=1, act=True), nn.Conv2d(every, classes, 1))
        start_small(self)

    def encoded(self, x: Tensor) -> list[Tensor]:
        maps = [self.first(self.stem(x))]
        for stage in self.stages:
            maps = stage(maps)
        return maps

    def decoded(self, maps: Sequence[Tensor]) -> Tensor:
        finest = maps[0].shape[-2:]
        joined = torch.cat([maps[0], *(_resized(one, finest) for one in maps[1:])], dim=1)
        logits: Tensor = self.head(joined)
        return _resized(logits, (finest[0] * self.scale, finest[1] * self.scale))


class _Stage(nn.Module):
    """Maps of n - 1 sizes to maps of n, by way of `modules` exchanges; a list of tensors to another."""

    def __init__(self, before: Sequence[int], widths: Sequence[int], modules: int, blocks: int) -> None:
        super().__init__()
        self.kept = nn.ModuleList(
            nn.Identity() if old == new else nn.Sequential(*_normed(old, new, act=True))
            for old, new in zip(before, widths, strict=False)
        )
        self.new = nn.Sequential(*_normed(before[-1], widths[-1], stride=2, act=True))
        self.exchanges = nn.Sequential(*(_Exchange(widths, blocks) for _ in range(modules)))

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        kept = [keep(one) for keep, one in zip(self.kept, maps, strict=True)]
        found: list[Tensor] = self.exchanges([*kept, self.new(maps[-1])])
        return found


class _Exchange(nn.Module):
    """Blocks on every map, then each becomes the sum of all, brought to its size and channels."""

    def __init__(self, widths: Sequence[int], blocks: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(nn.Sequential(*(_Basic(width) for _ in range(blocks))) for width in widths)
        self.sums = nn.ModuleList(_Sum(widths, target) for target in range(len(widths)))

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        seen = [branch(one) for branch, one in zip(self.branches, maps, strict=True)]
        return [joined(seen) for joined in self.sums]


class _Sum(nn.Module):
    """All maps into the one at place `target`."""

    def __init__(self, widths: Sequence[int], target: int) -> None:
        super().__init__()
        self.target = target
        self.ways = nn.ModuleList(_way(widths, source, target) for source in range(len(widths)))

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        size = maps[self.target].shape[-2:]
        first, *others = (_resized(way(one), size) for way, one in zip(self.ways, maps, strict=True))
        return F.relu(sum(others, first))


def _way(widths: Sequence[int], source: int, target: int) -> nn.Module:
    """From one map to the channels of another, and to its size where that is smaller."""
    if source == target:
        return nn.Identity()
    if source > target:
        return nn.Sequential(*_normed(widths[source], widths[target], side=1))
    steps: list[nn.Module] = []
    for step in range(source, target):
        last = step == target - 1
        steps += _normed(widths[source], widths[target if last else source], stride=2, act=not last)
    return nn.Sequential(*steps)


class _Basic(nn.Module):
    """Two 3x3 convolutions beside a way around them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*_normed(width, width, act=True), *_normed(width, width))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.body(x))


class _Bottleneck(nn.Module):
    """A 3x3 convolution between two of 1x1, beside a way around them."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        after = WIDER * width
        self.body = nn.Sequential(
            *_normed(before, width, side=1, act=True), *_normed(width, width, act=True), *_normed(width, after, side=1)
        )
        self.around = nn.Identity() if before == after else nn.Sequential(*_normed(before, after, side=1))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.around(x) + self.body(x))


def _normed(before: int, after: int, *, side: int = 3, stride: int = 1, act: bool = False) -> list[nn.Module]:
    """Convolution and batch norm, with ReLU if asked."""
    convolution = nn.Conv2d(before, after, side, stride=stride, padding=side // 2, bias=False)
    return [convolution, BatchNorm2d(after), *([nn.ReLU(inplace=True)] if act else [])]


def _resized(maps: Tensor, size: Sequence[int]) -> Tensor:
    if maps.shape[-2:] == tuple(size):
        return maps
    return F.interpolate(maps, tuple(size), mode="bilinear", align_corners=False)
