"""INADE (Tan et al. 2021, "Diverse semantic image synthesis via probability distribution modeling").

Of the paper: each site learns for each class a distribution of γ and of β, a mean and a scale for each channel, and
draws from it for each instance; the noise of an instance is one vector for all sites, each of which brings it to its
channels by a linear map of its own. Ours: instances are the connected regions of one class, since land cover has no
others; a class keeps `slots` vectors, and its regions beyond that take them again from the first on, so that noise
has one shape whatever the map; x̂·(1 + γ) + β; no encoder of a reference image.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from rsmodels.nets.conditions import Condition
from rsmodels.nets.labels import Labels, only_classes
from rsmodels.nets.modulation import FIRST_SPREAD
from rsmodels.nets.noise import NoiseForm
from rsmodels.nets.norm import BatchNorm2d
from rsmodels.nets.placing import modulated
from rsmodels.nets.regions import numbered
from rsmodels.nets.synthesis import DecoderNetwork, SemanticGenerator, beginning

REGIONS = "regions"
"""Name of what the sites share: (B, y, x) number of each pixel's region within its class, below `slots`."""


class InadeNetwork(DecoderNetwork):
    """Size of the generator, and what it draws."""

    noise: int = Field(64, ge=1, le=512, description="numbers drawn for an instance")
    slots: int = Field(8, ge=1, le=64, description="noise vectors of a class; its regions share them beyond that")
    instances: Literal["region", "class"] = Field(
        "region", description="region: connected pixels of a class are drawn for apart; class: all of a class together"
    )

    @property
    def vectors(self) -> int:
        """Noise vectors of a class."""
        return self.slots if self.instances == "region" else 1


class Inade(nn.Module):
    """A site: `forward(x, labels)` takes x (B, channels, s, s) and gives the same shape.

    Parameters
    ----------
    rows : classes, unknown among them.
    noise : length of an instance's vector.
    """

    def __init__(self, channels: int, rows: int, noise: int) -> None:
        super().__init__()
        self.norm = BatchNorm2d(channels, affine=False)
        self.to_channels = nn.Linear(noise, 2 * channels, bias=False)
        self.mean = nn.Parameter(torch.empty(rows, 1, 2 * channels))
        self.scale = nn.Parameter(torch.empty(rows, 1, 2 * channels))

    def forward(self, x: Tensor, labels: Labels) -> Tensor:
        gamma, beta = self.table(labels.drawn).flatten(1, 2).chunk(2, dim=-1)
        return modulated(self.norm(x), 1 + gamma, beta, row_of_pixel(labels, x.shape[-1]))

    def table(self, noise: Tensor) -> Tensor:
        """γ and β of every instance, (B, classes, slots, 2 · channels), from noise (B, classes, slots, dim)."""
        return torch.addcmul(self.mean, self.scale, self.to_channels(noise))

    @torch.no_grad()
    def start(self) -> None:
        """Near a plain batch norm; what is drawn counts as much as what the class has."""
        nn.init.normal_(self.to_channels.weight, 0.0, 1 / math.sqrt(self.to_channels.in_features))
        nn.init.normal_(self.mean, 0.0, FIRST_SPREAD)
        nn.init.normal_(self.scale, 0.0, FIRST_SPREAD)


class InadeGenerator(SemanticGenerator):
    """SPADE's decoder with INADE's sites: as many images of a label map as there is noise, and parts redrawn alone."""

    def __init__(
        self, conditions: tuple[Condition, ...], out_channels: int, chip_px: int, settings: InadeNetwork
    ) -> None:
        classes = only_classes(conditions).channels
        super().__init__(
            conditions,
            out_channels,
            chip_px,
            settings,
            site=lambda channels: Inade(channels, classes + 1, settings.noise),
            begin=beginning(classes, chip_px, settings),
            noise=NoiseForm(shape=(classes + 1, settings.vectors, settings.noise), by_class=True),
        )

    def prepare(self, labels: Labels) -> None:
        """Find the regions, once for all sites."""
        slots = labels.drawn.shape[2]
        if slots > 1:
            labels.extra[REGIONS] = numbered(labels.index(labels.side), labels.classes + 1) % slots


def row_of_pixel(labels: Labels, side: int) -> Tensor:
    """(B, side, side) int64: the row of the class and region of each pixel in a table of classes times slots."""
    index = labels.index(side)
    slots = labels.drawn.shape[2]
    if slots == 1:
        return index
    every = labels.side // side
    regions: Tensor = labels.extra[REGIONS][:, ::every, ::every]
    return index * slots + regions
