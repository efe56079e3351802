"""Multi-source spatial modulation, the module of Fig. 5 of the RS-SPADE paper.

The paper says: each source is embedded apart, so that sources of unlike resolution go together; the embeddings are
integrated and a convolution makes the modulation parameters, which act after every batch norm. It does not give
layers or widths. Our reading follows SPADE (Park et al. 2019): the embedding ("stem") is 3x3 convolution and ReLU at
the source's own resolution; stems are resized to the site, concatenated (or summed), and one 3x3 convolution gives
γ and β together; x̂·(1 + γ) + β with x̂ the output of a batch norm without scale and shift of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from rsmodels.nets.conditions import Condition, resized
from rsmodels.nets.norm import BatchNorm2d

Fuse = Literal["concat", "sum"]
FIRST_SPREAD = 0.1
"""Standard deviation that γ and β have about when training starts."""


class Pyramid:
    """Fused features of all sources, at each size that a site asks for; made when asked, once.

    Sizes are `finest` and its halves.
    """

    def __init__(self, features: Sequence[Tensor], fuse: Fuse, finest: int) -> None:
        self._features, self._fuse, self._finest = features, fuse, finest
        self._coarsest = min(feature.shape[-1] for feature in features)
        self._levels: dict[int, Tensor] = {}

    def at(self, side: int) -> Tensor:
        """(B, hidden, side, side): area means of what is finer, bilinear of what is coarser."""
        if side not in self._levels:
            # The mean of means is the mean, with a quarter of the reading.
            halve = 2 * side <= min(self._coarsest, self._finest)
            self._levels[side] = F.avg_pool2d(self.at(2 * side), 2) if halve else self._fused(side)
        return self._levels[side]

    def _fused(self, side: int) -> Tensor:
        same = [resized(feature, side) for feature in self._features]
        return torch.cat(same, dim=1) if self._fuse == "concat" else torch.stack(same).sum(0)


class Stems(nn.Module):
    """One embedding a source: 3x3 convolution and ReLU, `depth` times, at the source's own resolution."""

    def __init__(self, conditions: Sequence[Condition], hidden: int, fuse: Fuse, depth: int = 1) -> None:
        super().__init__()
        self.fuse: Fuse = fuse
        self.channels = hidden * len(conditions) if fuse == "concat" else hidden
        self.stems = nn.ModuleList(_stem(condition.channels, hidden, depth) for condition in conditions)

    def forward(self, sources: Sequence[Tensor], finest: int) -> Pyramid:
        return Pyramid([stem(source) for stem, source in zip(self.stems, sources, strict=True)], self.fuse, finest)

    @torch.no_grad()
    def start(self) -> None:
        """He's rule: no norm follows that would bring small values up to size."""
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]


def _stem(channels: int, hidden: int, depth: int) -> nn.Module:
    layers: list[nn.Module] = []
    for level in range(depth):
        layers += [nn.Conv2d(hidden if level else channels, hidden, 3, padding=1), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


@dataclass(frozen=True, kw_only=True)
class Hints:
    """What the sites of one forward pass read."""

    sources: Sequence[Tensor]
    """Planes of each condition at its own resolution, (B, C, y, x)."""
    shared: Pyramid | None
    """Features of the stems that all sites share; None where each site has stems of its own."""


class Modulation(nn.Module):
    """A site: batch norm, scaled and shifted pixel by pixel by what the sources say there.

    `stems` are the site's own; with None it reads the shared ones, of `hidden` channels.
    """

    def __init__(self, channels: int, hidden: int, stems: Stems | None) -> None:
        super().__init__()
        self.norm = BatchNorm2d(channels, affine=False)
        self.stems = stems
        self.to_gamma_beta = nn.Conv2d(hidden, 2 * channels, 3, padding=1)

    def gamma_beta(self, hints: Hints, side: int) -> tuple[Tensor, Tensor]:
        """γ and β, each (B, channels, side, side)."""
        pyramid = hints.shared if self.stems is None else self.stems(hints.sources, side)
        if pyramid is None:
            raise ValueError("this site has no stems of its own and was given no shared ones")
        gamma, beta = self.to_gamma_beta(pyramid.at(side)).chunk(2, dim=1)
        return gamma, beta

    def forward(self, x: Tensor, hints: Hints) -> Tensor:
        gamma, beta = self.gamma_beta(hints, x.shape[-1])
        normed = self.norm(x)
        return torch.addcmul(normed + beta, normed, gamma)

    @torch.no_grad()
    def start(self) -> None:
        """Near a plain batch norm, γ and β small whatever the number of features.

        Not at 0, where the stems would get no gradient in the first step.
        """
        weight = self.to_gamma_beta.weight
        nn.init.normal_(weight, 0.0, FIRST_SPREAD / math.sqrt(weight[0].numel()))
        nn.init.zeros_(self.to_gamma_beta.bias)  # type: ignore[arg-type]
        if self.stems is not None:
            self.stems.start()
