"""VGG16 with batch norm (Simonyan and Zisserman 2014) as a classifier of scenes, of any width."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field
from torch import Tensor, nn

from rsmodels.errors import ModelError
from rsmodels.nets.norm import BatchNorm2d, Dropout
from rsmodels.nets.vgg import HOW_TO_CONVERT, MEAN, PLANS, STD, read_weights
from rsprep.settings import Section

MULTIPLES = (1, 2, 4, 8, 8)
LEAST = 32
"""Pixels along a picture's shorter side: what five poolings leave something of."""
CELLS = 7
"""Cells along a side of the map that the full head looks at."""


class SceneVggNetwork(Section):
    """Size of the classifier."""

    width: int = Field(64, ge=1, le=512, description="channels of the first block; later ones have up to 8 times that")
    shrink: int = Field(1, ge=1, le=16, description="side of the squares of pixels that are averaged before all else")
    head: Literal["pooled", "full"] = Field(
        "pooled", description="pooled: one layer on the mean of the last map; full: VGG's two hidden layers before it"
    )
    hidden: int = Field(4096, ge=1, description="size of each hidden layer of the full head")
    dropout: float = Field(0.5, ge=0, lt=1, description="share of values that the head does without while it learns")
    weights: str | None = Field(
        None, description="safetensors of torchvision's vgg16_bn to begin with, for red, green and blue; null: random"
    )


class SceneVgg(nn.Module):
    """(B, in_channels, y, x) to logits (B, classes); any size from 32 pixels, times `shrink`, on.

    Five blocks of 2, 2, 3, 3 and 3 convolutions (3 x 3, batch norm, ReLU), a pooling after each, and a head. The paper
    has the head ``full``; ``pooled`` has few weights, and is what a thousand pictures can teach. With weights to begin
    with, images of -1 to 1 are put on ImageNet's scale first. Raises ModelError: unlike-picture, not-three-bands.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, in_channels: int, classes: int, settings: SceneVggNetwork) -> None:
        super().__init__()
        if settings.weights is not None and in_channels != len(MEAN):
            raise ModelError(
                "not-three-bands",
                "the weights of VGG16 are for red, green and blue",
                value=f"{in_channels} band{'' if in_channels == 1 else 's'}",
                remedy="name these three bands in this order, or leave network.weights out",
            )
        self.in_channels, self.settings = in_channels, settings
        widths = [settings.width * multiple for multiple in MULTIPLES]
        sizes = zip([in_channels, *widths[:-1]], widths, PLANS["vgg16"], strict=True)
        self.blocks = nn.ModuleList(_block(before, after, count) for before, after, count in sizes)
        self.head = (_pooled if settings.head == "pooled" else _full)(widths[-1], classes, settings)
        # on [-1, 1] rather than [0, 1], hence twice as wide
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None] * 2 - 1, persistent=False)
        self.register_buffer("std", torch.tensor(STD)[:, None, None] * 2, persistent=False)
        _start(self)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(F.max_pool2d(self.pyramid(x)[-1], 2))
        return logits

    def pyramid(self, x: Tensor) -> list[Tensor]:
        """The map of each block before its pooling, finest first: (B, C, y / 2^n, x / 2^n) for n = 0 to 4."""
        shrink = self.settings.shrink
        least = LEAST * shrink
        if x.ndim != 4 or x.shape[1] != self.in_channels or min(x.shape[-2:]) < least:
            raise ModelError(
                "unlike-picture",
                f"the classifier looks at {self.in_channels} bands of {least} x {least} pixels or more",
                value=tuple(x.shape),
                remedy=f"(batch, {self.in_channels}, y, x), or train it with a smaller network.shrink",
            )
        x = F.avg_pool2d(x, shrink) if shrink > 1 else x
        x = (x - self.mean) / self.std if self.settings.weights is not None else x
        maps: list[Tensor] = []
        for block in self.blocks:
            x = block(F.max_pool2d(x, 2) if maps else x)
            maps.append(x)
        return maps

    def begin(self) -> None:
        """Take the weights that the settings name, if any, in place of random ones.

        The last layer stays random: its classes are others. Widths must be VGG16's own.

        Raises
        ------
        ModelError : ``unlike-vgg``, and as :func:`rsmodels.nets.vgg.read_weights`.
        """
        if self.settings.weights is None:
            return
        given = _renamed(read_weights(self.settings.weights, ("features.", "classifier.")))
        last = f"head.{len(self.head) - 2}."  # a flattening comes after it
        wanted = {
            name: one.shape
            for name, one in self.state_dict().items()
            if not name.startswith(last) and not name.endswith("num_batches_tracked")
        }
        odd = [name for name, shape in wanted.items() if name not in given or given[name].numel() != shape.numel()]
        if odd:
            raise ModelError(
                "unlike-vgg",
                "the file does not hold VGG16 with batch norm in torchvision's layout, or the network has other widths",
                value=f"{len(odd)} of {len(wanted)} tensors, as {odd[0]}",
                remedy="network.width 64 and network.hidden 4096; torchvision publishes vgg16_bn, and Hugging Face has "
                f"it as timm/vgg16_bn.tv_in1k; {HOW_TO_CONVERT}".rstrip("; "),
            )
        self.load_state_dict({name: given[name].reshape(shape) for name, shape in wanted.items()}, strict=False)


def _block(before: int, after: int, count: int) -> nn.Module:
    """`count` times 3x3 convolution, batch norm, ReLU."""
    layers: list[nn.Module] = []
    for one, other in pairwise([before, *[after] * count]):
        layers += [nn.Conv2d(one, other, 3, padding=1, bias=False), BatchNorm2d(other), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def _pooled(channels: int, classes: int, settings: SceneVggNetwork) -> nn.Sequential:
    return nn.Sequential(
        nn.AdaptiveAvgPool2d(1), Dropout(settings.dropout), nn.Conv2d(channels, classes, 1), nn.Flatten()
    )


def _full(channels: int, classes: int, settings: SceneVggNetwork) -> nn.Sequential:
    """The layers of VGG16's classifier; a convolution as wide as its map is such a layer."""
    layers: list[nn.Module] = [nn.AdaptiveAvgPool2d(CELLS)]
    for before, side in ((channels, CELLS), (settings.hidden, 1)):
        layers += [nn.Conv2d(before, settings.hidden, side), nn.ReLU(inplace=True), Dropout(settings.dropout)]
    return nn.Sequential(*layers, nn.Conv2d(settings.hidden, classes, 1), nn.Flatten())


def _start(network: SceneVgg) -> None:
    """Weights as He et al. (2015) start them; the last layer near 0, so that it begins with no opinion."""
    convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    for layer in convolutions:
        nn.init.kaiming_normal_(layer.weight, mode="fan_in" if layer.bias is not None else "fan_out")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    nn.init.normal_(convolutions[-1].weight, 0.0, 0.01)


def _renamed(found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Torchvision's tensors by our names; those that are not there are left out.

    There a convolution has a bias, which its batch norm takes out again: the mean that it keeps is less by as much.
    """
    names: dict[str, str] = {"head.1": "classifier.0", "head.4": "classifier.3"}
    biases: dict[str, str] = {}
    index = 0
    for number, count in enumerate(PLANS["vgg16"]):
        for place in range(0, 3 * count, 3):
            names[f"blocks.{number}.{place}"] = f"features.{index}"
            names[f"blocks.{number}.{place + 1}"] = f"features.{index + 1}"
            biases[f"blocks.{number}.{place + 1}.running_mean"] = f"features.{index}.bias"
            index += 3
        index += 1
    renamed = {}
    for ours, theirs in names.items():
        for part in ("weight", "bias", "running_mean", "running_var"):
            if f"{theirs}.{part}" in found:
                renamed[f"{ours}.{part}"] = found[f"{theirs}.{part}"]
    for ours, theirs in biases.items():
        if ours in renamed and theirs in found and renamed[ours].shape == found[theirs].shape:
            renamed[ours] = renamed[ours] - found[theirs]
    return renamed
