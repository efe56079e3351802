"""The encoder-decoder of coarse-to-fine inpainting (Sun et al., III-A and Fig. 3).

The paper: ResNet-34's layers, a decoder symmetric to them, six skips. What it leaves open is BASNet's (Qin et al.
2019), which it builds on: a stem of stride 1 without pooling, six stages of which the last two follow a pooling, three
dilated convolutions at the bottom, three convolutions a stage on the way up.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field
from torch import Tensor, nn

from rsmodels.errors import ModelError
from rsmodels.nets.norm import BatchNorm2d
from rsmodels.nets.vgg import read_weights
from rsprep.settings import Section

DIVISOR: Final = 32
"""Sides of an image are multiples of it: five halvings."""
MULTIPLES: Final = (1, 2, 4, 8, 8, 8)
STRIDED: Final = (1, 2, 3)
"""Stages whose first block halves the image; the two after them halve it by pooling."""
RESNET: Final = ("layer1", "layer2", "layer3")
"""Layers of ResNet-34 whose published weights the first stages may begin with, as the paper's did."""


class EncoderDecoderNetwork(Section):
    """Size of one encoder-decoder."""

    width: int = Field(64, ge=4, le=512, description="channels of the first stage; deeper ones have up to 8 times that")
    blocks: tuple[int, int, int, int, int, int] = Field(
        (3, 4, 6, 3, 3, 3), description="residual blocks of each stage; the first four are ResNet-34's"
    )
    convs: int = Field(3, ge=1, le=3, description="convolutions of each stage on the way up, and at the bottom")


class EncoderDecoder(nn.Module):
    """(B, in_channels, y, x) to (B, out_channels, y, x), sides multiples of 32; nothing bounds what comes out."""

    def __init__(self, in_channels: int, out_channels: int, settings: EncoderDecoderNetwork) -> None:
        super().__init__()
        widths = [settings.width * multiple for multiple in MULTIPLES]
        self.stem = _conv(in_channels, widths[0])
        self.stages = nn.ModuleList()
        before = widths[0]
        for stage, (width, blocks) in enumerate(zip(widths, settings.blocks, strict=True)):
            self.stages.append(_stage(before, width, blocks, stride=2 if stage in STRIDED else 1))
            before = width
        self.bottom = nn.Sequential(*(_conv(before, before, dilation=2) for _ in range(settings.convs)))
        self.ups = nn.ModuleList()
        for width, after in zip(widths[::-1], [*widths[-2::-1], widths[0]], strict=True):
            first = _conv(before + width, after)
            self.ups.append(nn.Sequential(first, *(_conv(after, after) for _ in range(settings.convs - 1))))
            before = after
        self.head = nn.Conv2d(before, out_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        skips: list[Tensor] = []
        for number, stage in enumerate(self.stages):
            x = stage(F.max_pool2d(x, 2) if number > max(STRIDED) else x)
            skips.append(x)
        x = self.bottom(x)
        for up in self.ups:
            skip = skips.pop()
            if x.shape[-2:] != skip.shape[-2:]:
                x = F.interpolate(x, size=skip.shape[-2:], mode="bilinear", align_corners=False)
            x = up(torch.cat([x, skip], dim=1))
        made: Tensor = self.head(x)
        return made

    def begin_from(self, path: str | Path) -> None:
        """Take the weights of ResNet-34's first three layers from a safetensors file in torchvision's layout.

        Raises
        ------
        ModelError : ``unlike-resnet`` where stages of another size are asked for or the file holds something else, and
            those of :func:`rsmodels.nets.vgg.read_weights`.
        """
        found = read_weights(path, tuple(f"{layer}." for layer in RESNET))
        for layer, stage in zip(RESNET, self.stages, strict=False):
            prefix = f"{layer}."
            weights = {name.removeprefix(prefix): one for name, one in found.items() if name.startswith(prefix)}
            wanted = {name: one.shape for name, one in stage.state_dict().items() if "num_batches" not in name}
            if {name: one.shape for name, one in weights.items() if "num_batches" not in name} != wanted:
                raise ModelError(
                    "unlike-resnet",
                    f"the weights of {layer} do not fit the stage that would begin with them",
                    value=f"{path}: {len(weights)} tensors",
                    remedy="ResNet-34 as torchvision has it, for width 64 and blocks [3, 4, 6, ...]",
                )
            stage.load_state_dict(weights, strict=False)  # counters of batches may be missing: they steer nothing


class BasicBlock(nn.Module):
    """ResNet's block of two convolutions (He et al. 2016); names of layers are torchvision's."""

    def __init__(self, before: int, after: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = BatchNorm2d(after)
        self.downsample: nn.Module | None = None
        if stride != 1 or before != after:
            self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), BatchNorm2d(after))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(x)) + shortcut)


def _stage(before: int, after: int, blocks: int, *, stride: int) -> nn.Sequential:
    first = BasicBlock(before, after, stride)
    return nn.Sequential(first, *(BasicBlock(after, after) for _ in range(blocks - 1)))


def _conv(before: int, after: int, *, dilation: int = 1) -> nn.Sequential:
    """3x3 convolution, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=dilation, dilation=dilation, bias=False),
        BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )
