"""CSEBGAN's generator (SENet): classes as distributions of vectors that modulate every layer (Wang et al., III-A)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from rsmodels.nets.conditions import Condition
from rsmodels.nets.labels import Labels, only_classes
from rsmodels.nets.noise import NoiseForm
from rsmodels.nets.norm import BatchNorm2d
from rsmodels.nets.placing import modulated, placed
from rsmodels.nets.synthesis import DecoderNetwork, SemanticGenerator, beginning, smallest

FIRST_SPREAD = 0.1
"""Standard deviation that Γ and B have about 1 and 0 when training starts."""
VECTORS = "semantic vectors"


class CsebganNetwork(DecoderNetwork):
    """Size of the generator, and how classes are embedded."""

    start: Literal["mask", "const", "noise"] = Field(  # type: ignore[assignment]  # one way more than the others have
        "mask",
        description="what the decoder begins with: the classes at the smallest size, a learned constant, or the "
        "vectors that were sampled, where their classes are",
    )
    dim: int = Field(64, ge=1, le=1024, description="numbers in the vector of a class")
    share: bool = Field(True, description="one set of embeddings for all layers; false: each site learns its own")
    one_plus_gamma: bool = Field(
        False, description="x·(1 + Γ) + B as in SPADE; else the paper's x·Γ + B with Γ about 1 at the start"
    )


class SemanticEmbeddings(nn.Module):
    """γ_k = n_k ⊗ exp(s_k / 2) + b_k for every class k, and β_k likewise (Eq. 1).

    `forward(noise)` takes (B, K, dim) and gives γ and β, each (B, K, dim), in float32. Both take the same n_k, of
    which the paper has one a class.
    """

    def __init__(self, classes: int, dim: int) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.empty(2, classes, dim))
        """b of γ and of β."""
        self.scale = nn.Parameter(torch.empty(2, classes, dim))
        """s: the logarithm of the variance."""
        self.start()

    def forward(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(noise.device.type, enabled=False):
            gamma, beta = noise.float() * torch.exp(0.5 * self.scale[:, None]) + self.shift[:, None]
        return gamma, beta

    def divergence(self) -> Tensor:
        """Mean over classes of the Kullback-Leibler divergence from the standard normal; 0 weight in the paper."""
        terms = self.shift.square() + self.scale.exp() - 1 - self.scale
        return 0.5 * terms.sum(-1).mean()

    @torch.no_grad()
    def start(self) -> None:
        """Standard normal vectors, each with as much noise as classes are apart."""
        nn.init.normal_(self.shift)
        nn.init.zeros_(self.scale)


class SemanticModulation(nn.Module):
    """SMBlk: batch norm, then x̂ ⊗ Γ + B with vectors of the classes laid out by the label map (Eqs. 2-5).

    The vectors go through an MLP of two layers for Γ and one for B, the site's own, the same for all classes.
    """

    def __init__(self, channels: int, settings: CsebganNetwork, embeddings: SemanticEmbeddings | None) -> None:
        super().__init__()
        self.norm = BatchNorm2d(channels, affine=False)
        self.embeddings = embeddings
        self.one_plus_gamma = settings.one_plus_gamma
        self.to_gamma, self.to_beta = (_mlp(settings.dim, channels) for _ in range(2))

    def forward(self, x: Tensor, labels: Labels) -> Tensor:
        return modulated(self.norm(x), *self.tables(labels), labels.index(x.shape[-1]))

    def tables(self, labels: Labels) -> tuple[Tensor, Tensor]:
        """Γ and B of every class, each (B, K + 1, channels)."""
        gamma, beta = labels.extra[VECTORS] if self.embeddings is None else self.embeddings(labels.drawn)
        scale = self.to_gamma(gamma)
        return scale + 1 if self.one_plus_gamma else scale, self.to_beta(beta)

    @torch.no_grad()
    def start(self) -> None:
        """Near a plain batch norm, whatever the number of dimensions."""
        for mlp, bias in ((self.to_gamma, 0.0 if self.one_plus_gamma else 1.0), (self.to_beta, 0.0)):
            first, last = (layer for layer in mlp if isinstance(layer, nn.Linear))
            nn.init.kaiming_normal_(first.weight, nonlinearity="relu")
            nn.init.zeros_(first.bias)
            nn.init.normal_(last.weight, 0.0, FIRST_SPREAD / math.sqrt(last.in_features))
            nn.init.constant_(last.bias, bias)
        if self.embeddings is not None:
            self.embeddings.start()


class CsebganGenerator(SemanticGenerator):
    """A label map to an image, painted with vectors that are sampled anew for every class (Fig. 2)."""

    def __init__(
        self, conditions: tuple[Condition, ...], out_channels: int, chip_px: int, settings: CsebganNetwork
    ) -> None:
        rows = only_classes(conditions).channels + 1
        first = self._beginning(rows, chip_px, settings)
        own: Callable[[], SemanticEmbeddings | None]
        own = (lambda: None) if settings.share else (lambda: SemanticEmbeddings(rows, settings.dim))
        form = NoiseForm(shape=(rows, settings.dim), by_class=True)
        super().__init__(
            conditions,
            out_channels,
            chip_px,
            settings,
            lambda channels: SemanticModulation(channels, settings, own()),
            first,
            form,
        )
        shared = settings.share or settings.start == "noise"
        self.embeddings = SemanticEmbeddings(rows, settings.dim) if shared else None

    def prepare(self, labels: Labels) -> None:
        if self.embeddings is not None:
            labels.extra[VECTORS] = self.embeddings(labels.drawn)

    def divergence(self) -> Tensor:
        """Sum over all sets of embeddings of their divergence from the standard normal."""
        sets = [module for module in self.modules() if isinstance(module, SemanticEmbeddings)]
        return torch.stack([embeddings.divergence() for embeddings in sets]).sum()

    @staticmethod
    def _beginning(rows: int, chip_px: int, settings: CsebganNetwork) -> nn.Module:
        if settings.start == "noise":
            return FromVectors(settings.dim, smallest(chip_px, settings), 16 * settings.width)
        return beginning(rows - 1, chip_px, settings)


class FromVectors(nn.Module):
    """The sampled vectors where their classes are at the smallest size, through a 3x3 convolution."""

    def __init__(self, dim: int, side: int, width: int) -> None:
        super().__init__()
        self.side = side
        self.convolution = nn.Conv2d(2 * dim, width, 3, padding=1)

    def forward(self, labels: Labels) -> Tensor:
        vectors = torch.cat(labels.extra[VECTORS], dim=-1)
        started: Tensor = self.convolution(placed(vectors, labels.index(self.side)))
        return started


def _mlp(dim: int, channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, channels))
