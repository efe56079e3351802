"""The patch discriminator of pix2pix (Isola et al. 2017)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from rsmodels.errors import ModelError
from rsmodels.nets.conditions import Condition, concatenated, total_channels
from rsmodels.nets.layers import refuse_odd, same_conv, spectral, start_small
from rsmodels.nets.norm import BatchNorm2d
from rsprep.settings import Section


class PatchNetwork(Section):
    """Size of the discriminator."""

    width: int = Field(64, ge=1, le=512, description="channels of the first layer; deeper ones have up to 8 times that")
    downs: int = Field(3, ge=1, le=6, description="layers of stride 2; 3 judges patches of 70 x 70 pixels")
    norm: Literal["batch", "instance", "none"] = Field("batch", description="norm after all layers but first and last")
    spectral: bool = Field(False, description="divide each weight by its largest singular value")
    padding: Literal["pix2pix", "same"] = Field(
        "pix2pix", description="of the two layers of stride 1: pix2pix loses a pixel at each, same loses none"
    )


class PatchDiscriminator(nn.Module):
    """Judges patches of an image beside its conditions, 70 x 70 pixels each with three strided layers.

    `forward(values, image)` takes image (n·B, image_channels, y, x) for conditions of B chips, real ones and generated
    ones one after the other if n is 2, and gives the output of every layer; the last is the logits (n·B, 1, v, u).
    Raises ModelError: odd-size, unlike-batch, and those of the conditions.
    """

    def __init__(self, conditions: tuple[Condition, ...], image_channels: int, settings: PatchNetwork) -> None:
        super().__init__()
        self.conditions, self.settings = conditions, settings
        widths = [settings.width * min(8, 2**level) for level in range(settings.downs + 1)]
        before = total_channels(conditions) + image_channels
        self.layers = nn.ModuleList()
        for level, width in enumerate(widths):
            stride = 2 if level < settings.downs else 1
            self.layers.append(self._layer(before, width, stride, normed=level > 0))
            before = width
        self.layers.append(self._conv(before, 1, 1, bias=True))
        start_small(self)
        if settings.spectral:
            for layer in [layer for layer in self.modules() if isinstance(layer, nn.Conv2d)]:
                spectral(layer)

    def forward(self, values: Mapping[str, Tensor], image: Tensor) -> list[Tensor]:
        return self.features(self.beside(values, image))

    def beside(self, values: Mapping[str, Tensor], image: Tensor) -> Tensor:
        """Conditions and image as one tensor (n·B, channels, y, x)."""
        height, width = image.shape[-2:]
        self.refuses(height)
        self.refuses(width)
        told = concatenated(self.conditions, values, height)
        if image.shape[0] % told.shape[0]:
            raise ModelError(
                "unlike-batch",
                "images and conditions differ in number",
                value=f"{image.shape[0]} images, {told.shape[0]} of conditions",
                remedy="one image for each chip, or a whole number of them",
            )
        last = image.is_contiguous(memory_format=torch.channels_last)
        told = told.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)
        return torch.cat([torch.cat([told] * (image.shape[0] // told.shape[0])), image], dim=1)

    def features(self, x: Tensor) -> list[Tensor]:
        """Output of every layer for what :meth:`beside` gives."""
        features = []
        for layer in self.layers:
            x = layer(x)
            features.append(x)
        return features

    def refuses(self, size: int) -> None:
        """Raise ModelError `odd-size` where an image of `size` pixels does not go through."""
        stride = 2**self.settings.downs
        # The last two layers take a pixel each, and an instance norm needs more than one of them.
        refuse_odd(size, size, divisor=stride, least=3 * stride, what="this discriminator")

    def _layer(self, before: int, after: int, stride: int, *, normed: bool) -> nn.Module:
        kind = self.settings.norm if normed else "none"
        layers: list[nn.Module] = [self._conv(before, after, stride, bias=kind == "none")]
        if kind == "batch":
            layers.append(BatchNorm2d(after))
        elif kind == "instance":
            layers.append(nn.InstanceNorm2d(after))
        return nn.Sequential(*layers, nn.LeakyReLU(0.2))

    def _conv(self, before: int, after: int, stride: int, *, bias: bool) -> nn.Module:
        if stride == 1 and self.settings.padding == "same":
            return same_conv(before, after, 4, bias=bias)
        return nn.Conv2d(before, after, 4, stride, 1, bias=bias)
