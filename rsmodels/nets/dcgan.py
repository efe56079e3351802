"""DCGAN's discriminator (Radford et al. 2016): one verdict on a whole image."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor, nn

from rsmodels.nets.conditions import Condition, concatenated, total_channels
from rsmodels.nets.layers import refuse_odd, start_small
from rsmodels.nets.norm import BatchNorm2d
from rsprep.settings import Section

LAYERS = 5


class DcganNetwork(Section):
    """Size of the discriminator."""

    width: int = Field(64, ge=1, le=512, description="channels of the first layer; deeper ones have up to 8 times that")


class DcganDiscriminator(nn.Module):
    """Five convolutions of stride 2 and one fully connected layer, as the paper's Table VII has it.

    `forward(values, image)` as of a patch discriminator: output of every layer, the last is the logits (n·B, 1).
    Judges chips of `chip_px` pixels only. Raises ModelError: odd-size, and those of the conditions.
    """

    def __init__(
        self, conditions: tuple[Condition, ...], image_channels: int, chip_px: int, settings: DcganNetwork
    ) -> None:
        super().__init__()
        self.conditions = conditions
        refuse_odd(chip_px, chip_px, divisor=2**LAYERS, least=2**LAYERS, what="DCGAN's discriminator")
        widths = [settings.width * min(8, 2**level) for level in range(LAYERS)]
        before = total_channels(conditions) + image_channels
        self.layers = nn.ModuleList()
        for level, width in enumerate(widths):
            norm = [BatchNorm2d(width)] if level else []
            conv = nn.Conv2d(before, width, 4, 2, 1, bias=not level)
            self.layers.append(nn.Sequential(conv, *norm, nn.LeakyReLU(0.2)))
            before = width
        self.layers.append(nn.Sequential(nn.Flatten(), nn.Linear(before * (chip_px // 2**LAYERS) ** 2, 1)))
        start_small(self)

    def forward(self, values: Mapping[str, Tensor], image: Tensor) -> list[Tensor]:
        told = concatenated(self.conditions, values, image.shape[-2])
        x = torch.cat([torch.cat([told] * (image.shape[0] // told.shape[0])), image], dim=1)
        features = []
        for layer in self.layers:
            x = layer(x)
            features.append(x)
        return features
