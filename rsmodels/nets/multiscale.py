"""Patch discriminators at several scales (Wang et al. 2018), as SPADE and CSEBGAN train against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, cast

import torch.nn.functional as F  # noqa: N812
from pydantic import Field
from torch import Tensor, nn

from rsmodels.nets.conditions import Condition
from rsmodels.nets.layers import refuse_odd
from rsmodels.nets.patch import PatchDiscriminator, PatchNetwork


class MultiscaleNetwork(PatchNetwork):
    """Size of the discriminators; no batch norm, so that an image is judged alone."""

    norm: Literal["instance", "none"] = Field("instance", description="norm after all layers but first and last")
    spectral: bool = Field(True, description="divide each weight by its largest singular value")
    scales: int = Field(2, ge=1, le=4, description="discriminators, each sees half the pixels of the one before")


class MultiscaleDiscriminator(nn.Module):
    """`forward(values, image)` as of a patch discriminator, with one list of features a scale, the finest first."""

    def __init__(self, conditions: tuple[Condition, ...], image_channels: int, settings: MultiscaleNetwork) -> None:
        super().__init__()
        self.settings = settings
        self.scales = nn.ModuleList(
            PatchDiscriminator(conditions, image_channels, settings) for _ in range(settings.scales)
        )

    def forward(self, values: Mapping[str, Tensor], image: Tensor) -> list[list[Tensor]]:
        self.refuses(image.shape[-1])
        scales = [cast(PatchDiscriminator, scale) for scale in self.scales]
        x = scales[0].beside(values, image)
        found = [scales[0].features(x)]
        for scale in scales[1:]:
            x = F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
            found.append(scale.features(x))
        return found

    def refuses(self, size: int) -> None:
        """Raise ModelError `odd-size` where an image of `size` pixels does not go through."""
        stride = 2 ** (self.settings.downs + self.settings.scales - 1)
        refuse_odd(size, size, divisor=stride, least=3 * stride, what="this discriminator")
