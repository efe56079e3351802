"""CLADE (Tan et al. 2021): batch norm, scaled and shifted by vectors that each class learns.

Of the paper: SPADE's γ and β hardly vary within a class, so that each site learns a vector of either for each class
and places it where the label map has the class. Ours: x̂·(1 + γ) + β as in SPADE, with γ and β small when training
starts. The paper's variant with a map of positions in each object (CLADE-ICPE) needs instances and is left out.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rsmodels.nets.conditions import Condition
from rsmodels.nets.labels import Labels, only_classes
from rsmodels.nets.modulation import FIRST_SPREAD
from rsmodels.nets.norm import BatchNorm2d
from rsmodels.nets.placing import modulated
from rsmodels.nets.synthesis import DecoderNetwork, SemanticGenerator, beginning


class CladeNetwork(DecoderNetwork):
    """Size of the generator."""


class Clade(nn.Module):
    """A site: `forward(x, labels)` takes x (B, channels, s, s) and gives the same shape."""

    def __init__(self, channels: int, rows: int) -> None:
        super().__init__()
        self.norm = BatchNorm2d(channels, affine=False)
        self.gamma_beta = nn.Parameter(torch.empty(rows, 2 * channels))
        """A row a class, unknown last: γ, then β."""

    def forward(self, x: Tensor, labels: Labels) -> Tensor:
        gamma, beta = self.gamma_beta.chunk(2, dim=1)
        return modulated(self.norm(x), 1 + gamma, beta, labels.index(x.shape[-1]))

    @torch.no_grad()
    def start(self) -> None:
        """Near a plain batch norm."""
        nn.init.normal_(self.gamma_beta, 0.0, FIRST_SPREAD)


class CladeGenerator(SemanticGenerator):
    """SPADE's decoder with CLADE's sites: one image of a label map."""

    def __init__(
        self, conditions: tuple[Condition, ...], out_channels: int, chip_px: int, settings: CladeNetwork
    ) -> None:
        classes = only_classes(conditions).channels
        super().__init__(
            conditions,
            out_channels,
            chip_px,
            settings,
            site=lambda channels: Clade(channels, classes + 1),
            begin=beginning(classes, chip_px, settings),
        )
