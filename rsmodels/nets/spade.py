"""SPADE (Park et al. 2019): batch norm, scaled and shifted pixel by pixel by two convolutions over the label map.

Of the paper: the label map, resized to the site (nearest), through a 3x3 convolution to 128 channels and ReLU, and
from there by 3x3 convolutions to γ and β; x̂·(1 + γ) + β with x̂ the output of a batch norm without scale and shift
of its own. γ and β come from one convolution here, which is the same. How weights start is ours.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field
from torch import Tensor, nn

from rsmodels.nets.conditions import Condition
from rsmodels.nets.labels import Labels, only_classes
from rsmodels.nets.modulation import FIRST_SPREAD
from rsmodels.nets.norm import BatchNorm2d
from rsmodels.nets.synthesis import DecoderNetwork, SemanticGenerator, beginning

KERNEL = 9
"""Pixels under a 3x3 kernel; of all values of one-hot planes there, so many are 1."""


class SpadeNetwork(DecoderNetwork):
    """Size of the generator, and of its sites."""

    hidden: int = Field(128, ge=1, le=512, description="channels between the label map and γ, β of each site")


class Spade(nn.Module):
    """A site: `forward(x, labels)` takes x (B, channels, s, s) and gives the same shape.

    Parameters
    ----------
    planes : of the one-hot label map, unknown among them.
    hidden : channels between it and γ, β.
    """

    def __init__(self, channels: int, planes: int, hidden: int) -> None:
        super().__init__()
        self.norm = BatchNorm2d(channels, affine=False)
        self.embed = nn.Conv2d(planes, hidden, 3, padding=1)
        self.to_gamma_beta = nn.Conv2d(hidden, 2 * channels, 3, padding=1)

    def forward(self, x: Tensor, labels: Labels) -> Tensor:
        embedded = F.relu(self.embed(labels.planes(x.shape[-1])), inplace=True)
        gamma, beta = self.to_gamma_beta(embedded).chunk(2, dim=1)
        normed = self.norm(x)
        return torch.addcmul(normed + beta, normed, gamma)

    @torch.no_grad()
    def start(self) -> None:
        """He's rule for planes of 0 and 1; γ and β small, so that it begins near a plain batch norm."""
        nn.init.normal_(self.embed.weight, 0.0, math.sqrt(2 / KERNEL))
        weight = self.to_gamma_beta.weight
        nn.init.normal_(weight, 0.0, FIRST_SPREAD / math.sqrt(weight[0].numel()))
        for layer in (self.embed, self.to_gamma_beta):
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]


class SpadeGenerator(SemanticGenerator):
    """SPADE's decoder with SPADE's sites: one image of a label map."""

    def __init__(
        self, conditions: tuple[Condition, ...], out_channels: int, chip_px: int, settings: SpadeNetwork
    ) -> None:
        classes = only_classes(conditions).channels
        super().__init__(
            conditions,
            out_channels,
            chip_px,
            settings,
            site=lambda channels: Spade(channels, classes + 1, settings.hidden),
            begin=beginning(classes, chip_px, settings),
        )
