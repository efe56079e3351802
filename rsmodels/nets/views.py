"""Two branches that bring views of one place near each other, part by part, in the manner of LPN.

Wang, Zheng, Yan, Zhang, Sun, Zheng, Yang 2021, "Each part matters: local patterns facilitate cross-view
geo-localization", arXiv:2008.11646. Theirs is a pretrained ResNet-50 or VGG16; ours is a narrow residual network that
learns from scratch. What parts a panorama has is our reading, see `Layout`.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field
from torch import Tensor, nn

from rsmodels.errors import ModelError
from rsmodels.nets.norm import BatchNorm2d, Dropout
from rsprep.settings import Section

Layout = Literal["rings", "sectors"]
"""rings: square rings from above, the innermost first, and rows of a panorama, the lowest first: what is as far away.
sectors: sectors from above and columns of a panorama: what lies in the same direction; views must be aligned."""
SHRINK = 8
"""Pixels of an image along the side of one of the map that parts are pooled from."""


class ViewsNetwork(Section):
    """Size of the two branches, and the parts of a view."""

    width: int = Field(64, ge=4, le=512, description="channels of the first level; the deepest has four times that")
    parts: int = Field(4, ge=1, le=16, description="parts of a view, each with a description and classifier of its own")
    layout: Layout = Field("rings", description="rings: parts by distance; sectors: by direction, for aligned views")
    embedding: int = Field(512, ge=4, le=4096, description="numbers that describe a part")
    dropout: float = Field(0.5, ge=0, lt=1, description="share of them that is left out while classifiers learn")


class Views(NamedTuple):
    """Both views of some places, part by part."""

    ground: Tensor
    """(B, parts, embedding) descriptions."""
    satellite: Tensor
    ground_logits: Tensor
    """(B, parts, places)."""
    satellite_logits: Tensor


class ViewMatcher(nn.Module):
    """Views from the ground and from above (B, channels, y, x) to descriptions and places of their parts.

    The branches have weights of their own; the layers that describe and classify a part are shared by both, which is
    what brings their descriptions together. Raises ModelError: unlike-view.
    """

    def __init__(self, ground: int, satellite: int, places: int, settings: ViewsNetwork) -> None:
        super().__init__()
        self.settings = settings
        self.branches = nn.ModuleDict(
            {"ground": Branch(ground, settings.width), "satellite": Branch(satellite, settings.width)}
        )
        parts, deep = settings.parts, 4 * settings.width
        # Channels are parts, and groups keep them apart: a layer each, in one call.
        self.describe = nn.Sequential(
            nn.Conv2d(parts * deep, parts * settings.embedding, 1, groups=parts, bias=False),
            BatchNorm2d(parts * settings.embedding),
        )
        self.drop = Dropout(settings.dropout)
        self.classify = nn.Conv2d(parts * settings.embedding, parts * places, 1, groups=parts)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out")
        nn.init.normal_(self.classify.weight, 0.0, 0.01)
        nn.init.zeros_(self.classify.bias)  # type: ignore[arg-type]  # it has one

    def forward(self, ground: Tensor, satellite: Tensor) -> Views:
        # Both at once: the shared batch norm then sees the same mixture as it will know afterwards.
        parts = torch.cat([self.pooled("ground", ground), self.pooled("satellite", satellite)])
        described = self.describe(parts)
        logits = self.classify(self.drop(described))
        (one, other), (mine, theirs) = (self._apart(x).chunk(2) for x in (described, logits))
        return Views(one, other, mine, theirs)

    def embed(self, view: Literal["ground", "satellite"], images: Tensor) -> Tensor:
        """(B, parts · embedding) of length 1: descriptions of all parts side by side, each as long as any other."""
        described = self._apart(self.describe(self.pooled(view, images))).float()
        return F.normalize(described, dim=2).flatten(1) / math.sqrt(self.settings.parts)

    def logits(self, view: Literal["ground", "satellite"], images: Tensor) -> Tensor:
        """(B, parts, places) of one view."""
        found: Tensor = self.classify(self.drop(self.describe(self.pooled(view, images))))
        return self._apart(found)

    def pyramid(self, images: Tensor) -> list[Tensor]:
        """Maps of a view from the ground, finest first."""
        return self._maps("ground", images)

    def pooled(self, view: str, images: Tensor) -> Tensor:
        """(B, parts · channels, 1, 1): means of the deepest map over each part."""
        deep = self._maps(view, images)[-1]
        weights = part_weights(view, self.settings.layout, self.settings.parts, deep.shape[-2], deep.shape[-1])
        means = torch.einsum("bcyx,pyx->bpc", deep.float(), weights.to(deep.device))
        return means.flatten(1)[:, :, None, None]

    def _maps(self, view: str, images: Tensor) -> list[Tensor]:
        branch = self.branches[view]
        least = SHRINK * self.settings.parts * 2 if self.settings.layout == "rings" else SHRINK * self.settings.parts
        if images.ndim != 4 or images.shape[1] != branch.channels or min(images.shape[-2:]) < least:
            raise ModelError(
                "unlike-view",
                f"the network looks at {branch.channels} bands of {least} x {least} pixels or more",
                value=tuple(images.shape),
                remedy="give larger chips, or train with fewer network.parts",
            )
        maps: list[Tensor] = branch(images)
        return maps

    def _apart(self, x: Tensor) -> Tensor:
        return x.reshape(len(x), self.settings.parts, -1)


class Branch(nn.Module):
    """(B, channels, y, x) to maps of width, 2 width, 4 width, 4 width channels, a half to an eighth as wide."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.channels = channels
        self.stem = nn.Sequential(
            nn.Conv2d(channels, width, 5, stride=2, padding=2, bias=False), BatchNorm2d(width), nn.ReLU(inplace=True)
        )
        plan = ((width, width, 1), (width, 2 * width, 2), (2 * width, 4 * width, 2), (4 * width, 4 * width, 1))
        self.stages = nn.ModuleList(_Residual(*one) for one in plan)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.stem(x)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


class _Residual(nn.Module):
    """Two 3x3 convolutions beside a shortcut (He et al. 2016)."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False),
            BatchNorm2d(after),
            nn.ReLU(inplace=True),
            nn.Conv2d(after, after, 3, padding=1, bias=False),
            BatchNorm2d(after),
        )
        plain = before == after and stride == 1
        self.shortcut = nn.Identity() if plain else nn.Conv2d(before, after, 1, stride=stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.body(x) + self.shortcut(x))


def part_weights(view: str, layout: Layout, parts: int, height: int, width: int) -> Tensor:
    """(parts, y, x) float32: each part's share of a mean; the shares of a part sum to 1.

    Parameters
    ----------
    view : ground (a panorama, north in its middle) or satellite (north up).
    """
    down = ((torch.arange(height) + 0.5) / height * 2 - 1)[:, None].expand(height, width)
    right = ((torch.arange(width) + 0.5) / width * 2 - 1)[None].expand(height, width)
    if layout == "rings":
        share = torch.maximum(down.abs(), right.abs()) if view == "satellite" else (1 - down) / 2
    else:
        share = (torch.atan2(right, -down) / torch.pi + 1) / 2 if view == "satellite" else (right + 1) / 2
    index = (share * parts).long().clamp(0, parts - 1)
    weights = F.one_hot(index, parts).movedim(-1, 0).float()
    return weights / weights.sum(dim=(1, 2), keepdim=True)
