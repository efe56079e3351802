"""Generators that paint a map of classes: where they start, SPADE's decoder, and a site of each system's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from rsmodels.nets.conditions import Condition, checked
from rsmodels.nets.decoder import ModulatedDecoder, Site, spade_plan
from rsmodels.nets.labels import Labels, only_classes
from rsmodels.nets.layers import levels, refuse_odd, start_small
from rsmodels.nets.noise import NoiseForm, drawn
from rsprep.settings import Section

WHAT = "this generator"


class DecoderNetwork(Section):
    """Size of the decoder that all label-driven generators share."""

    width: int = Field(64, ge=1, le=512, description="channels at full size; 16 times that at the smallest")
    ups: int = Field(5, ge=1, le=5, description="how often the smallest map is doubled until it is a chip")
    spectral: bool = Field(True, description="divide each convolution's weight by its largest singular value")
    start: Literal["mask", "const"] = Field(
        "mask", description="what the decoder begins with: the classes at the smallest size, or a learned constant"
    )


class SemanticGenerator(nn.Module):
    """One class condition to an image: `forward(values, noise)` gives float32 (B, out_channels, chip_px, chip_px).

    Parameters
    ----------
    begin : labels to what the decoder begins with, (B, 16 · width, s, s) with s = chip_px / 2^ups.
    site : channels to a norm that is modulated by the labels.
    noise : what is drawn for a chip; None for a generator that makes one image of a map.

    Raises
    ------
    ModelError : odd-size, not-one-label-map, no-such-condition, unlike-condition.
    """

    def __init__(
        self,
        conditions: tuple[Condition, ...],
        out_channels: int,
        chip_px: int,
        settings: DecoderNetwork,
        site: Site,
        begin: nn.Module,
        noise: NoiseForm | None = None,
    ) -> None:
        super().__init__()
        self.condition, self.chip_px, self.noise, self.ups = only_classes(conditions), chip_px, noise, settings.ups
        self.begin = begin
        plan = spade_plan(settings.width, settings.ups)
        self.decoder = ModulatedDecoder(plan[0].width, out_channels, plan, site)
        start_small(self)  # before the norms are bounded: afterwards a weight is a result
        if settings.spectral:
            self.decoder.bound()

    def forward(self, values: Mapping[str, Tensor], noise: Tensor | None = None) -> Tensor:
        checked((self.condition,), values, self.chip_px)
        labels = values[self.condition.name]
        if self.noise is not None and noise is None:
            noise = drawn((labels.shape[0], *self.noise.shape), labels.device)
        guide = Labels(labels, self.condition.channels, noise)
        self.prepare(guide)
        image: Tensor = self.decoder(self.begin(guide), guide)
        return image

    def prepare(self, labels: Labels) -> None:
        """Compute what all sites share; nothing unless a system has such a thing."""

    def refuses(self, size: int) -> None:
        """Raise ModelError `odd-size` where a chip of `size` pixels does not go through."""
        refuse_odd(size, size, divisor=2**self.ups, least=2**self.ups, what=WHAT)


def smallest(chip_px: int, settings: DecoderNetwork) -> int:
    """Pixels along the side of the map that the decoder begins with; ModelError `odd-size`."""
    side: int = chip_px // 2 ** levels(chip_px, settings.ups, what=WHAT)
    return side


def beginning(classes: int, chip_px: int, settings: DecoderNetwork) -> nn.Module:
    """Where the decoder starts, as the settings say."""
    side, width = smallest(chip_px, settings), 16 * settings.width
    return FromMask(classes, side, width) if settings.start == "mask" else FromConstant(side, width)


class FromMask(nn.Module):
    """The label map at the smallest size through a 3x3 convolution (SPADE)."""

    def __init__(self, classes: int, side: int, width: int) -> None:
        super().__init__()
        self.side = side
        self.convolution = nn.Conv2d(classes + 1, width, 3, padding=1)

    def forward(self, labels: Labels) -> Tensor:
        started: Tensor = self.convolution(labels.planes(self.side))
        return started


class FromConstant(nn.Module):
    """A learned tensor, the same for every map."""

    def __init__(self, side: int, width: int) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.empty(1, width, side, side))

    def forward(self, labels: Labels) -> Tensor:
        return self.constant.expand(labels.index(self.constant.shape[-1]).shape[0], -1, -1, -1)

    @torch.no_grad()
    def start(self) -> None:
        """Standard normal."""
        nn.init.normal_(self.constant)
