"""A segmentation network that does not learn any more, beside a generator that does."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rsmodels.data.normalise import Normaliser
from rsmodels.errors import ModelError
from rsmodels.nets.rs_unet import RsUNet

IMAGE, LABEL = "image", "label"
TINY = 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class Helpers:
    """Networks that a task looks through and that are no part of it: never trained, never saved with it."""

    conductor: FrozenSegmenter | None = None
    perceptual: nn.Module | None = None
    """Images as the generator makes them to a list of feature maps."""

    def to(self, device: torch.device) -> None:
        """Move the networks."""
        for network in (self.conductor, self.perceptual):
            if network is not None:
                network.to(device)


class FrozenSegmenter(nn.Module):
    """A trained RS-UNet, given images as a generator makes them: (B, C, y, x) in that one's scale of -1 to 1.

    Images go through the unit of the store to the scale that the segmenter was trained on; gradients run through it to
    the image, and none to its weights; batch norm keeps its statistics.

    Parameters
    ----------
    network : of the segmenter.
    theirs : its normaliser.
    mine : the generator's.

    Raises
    ------
    ModelError : ``unlike-bands`` where the generator's images lack a band that the segmenter looks at.
    """

    gain: Tensor
    bias: Tensor

    def __init__(self, network: RsUNet, theirs: Normaliser, mine: Normaliser) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False)
        self.theirs, self.mine = theirs, mine
        self.positions = positions(mine, theirs)
        gain, bias = theirs[IMAGE].affine
        self.register_buffer("gain", torch.from_numpy(gain)[:, None, None], persistent=False)
        self.register_buffer("bias", torch.from_numpy(bias)[:, None, None], persistent=False)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that it tells apart."""
        return self.theirs.field(LABEL).classes

    def train(self, mode: bool = True) -> FrozenSegmenter:
        """Stay in evaluation, whatever is asked: a frozen network's statistics must not drift."""
        return super().train(False)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, K, y, x)."""
        logits: Tensor = self.network(self.translated(images))
        return logits

    def translated(self, images: Tensor) -> Tensor:
        """Images in the segmenter's own scale; not rounded to the store's numbers, which would stop the gradient."""
        stored = self.mine.stored(IMAGE, images)
        if self.positions is not None:
            stored = stored[:, self.positions]
        values = stored * self.gain + self.bias
        if self.theirs[IMAGE].curve == "root":
            values = 2.0 * values.sign() * values.abs().clamp_min(TINY).sqrt() - 1.0
        return values


class SegmenterMaps(nn.Module):
    """Feature maps of a frozen segmenter, for a perceptual loss."""

    def __init__(self, segmenter: FrozenSegmenter) -> None:
        super().__init__()
        self.segmenter = segmenter

    def forward(self, images: Tensor) -> list[Tensor]:
        """One map a level, the finest first."""
        return self.segmenter.network.pyramid(self.segmenter.translated(images))


class RgbMaps(nn.Module):
    """Feature maps of a network of natural pictures, for three bands of an image."""

    def __init__(self, network: nn.Module, bands: tuple[int, int, int]) -> None:
        super().__init__()
        self.network, self.bands = network.eval().requires_grad_(False), list(bands)

    def forward(self, images: Tensor) -> list[Tensor]:
        maps: list[Tensor] = self.network(images[:, self.bands])
        return maps


def positions(mine: Normaliser, theirs: Normaliser) -> list[int] | None:
    """Positions of the segmenter's bands among those that a generator makes; None where there is no band axis.

    Raises
    ------
    ModelError : ``unlike-bands``.
    """
    made, wanted = mine[IMAGE], theirs[IMAGE]
    have, want = made.field.bands, wanted.field.bands
    kinds = ((made.dtype, made.scale, have is None), (wanted.dtype, wanted.scale, want is None))
    if kinds[0] != kinds[1] or not set(want or ()) <= set(have or ()):
        raise ModelError(
            "unlike-bands",
            "the segmenter was trained on other bands or numbers than the generator makes",
            value=f"generated: {have} {made.dtype}; segmenter: {want} {wanted.dtype}",
            remedy="give a segmenter of the generator's bands",
        )
    return None if have is None else [have.index(band) for band in want or ()]
