"""Networks that fill what a mask hides: coarse to fine (Sun et al., III-A), and a plain U-Net beside it."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from rsmodels.errors import ModelError
from rsmodels.nets.encoder_decoder import DIVISOR, EncoderDecoder, EncoderDecoderNetwork
from rsmodels.nets.layers import continued
from rsmodels.nets.rs_unet import RsUNet, RsUNetNetwork

HIDDEN: Final = 1.0
"""What a network sees where the mask is 1, in every band: white, as the paper's clouds. Nothing of what lies there."""


class Inpainted(NamedTuple):
    """What a network makes of an image, everywhere: hidden or not."""

    coarse: Tensor
    """(B, C, y, x)."""
    refined: Tensor
    """The same, better; the coarse map itself where there is one stage only."""


class CoarseToFineNetwork(EncoderDecoderNetwork):
    """Size of both encoder-decoders."""

    refine_from: Literal["map", "composite"] = Field(
        "map", description="what is refined: the coarse map as it is, or only where the mask hides the image"
    )
    weights: str | None = Field(
        None,
        description="safetensors of torchvision's ResNet-34, with which the first three layers begin; null: random",
    )


class CoarseToFine(nn.Module):
    """`forward(images, mask)`: a coarse map from the image and its mask, then the residual that refines it (Eq. 1).

    images (B, C, y, x) normalised; mask (B, 1, y, x), 1 where the image is hidden. Any size: sides that are no
    multiples of 32 are continued by reflection, and the result is cut back. Raises ModelError `unlike-mask`.
    """

    def __init__(self, bands: int, settings: CoarseToFineNetwork) -> None:
        super().__init__()
        self.settings = settings
        self.coarse = EncoderDecoder(bands + 1, bands, settings)
        self.refinement = EncoderDecoder(bands + 1, bands, settings)

    def begin(self) -> None:
        """Take the weights that the settings name, if any, in place of random ones; raises as they are read."""
        if self.settings.weights is not None:
            self.coarse.begin_from(self.settings.weights)
            self.refinement.begin_from(self.settings.weights)

    def forward(self, images: Tensor, mask: Tensor) -> Inpainted:
        seen, mask, size = prepared(images, mask)
        coarse = self.coarse(torch.cat([seen, mask], dim=1))
        start = composite(coarse, seen, mask) if self.settings.refine_from == "composite" else coarse
        residual = self.refinement(torch.cat([start, mask], dim=1))
        return Inpainted(_cut(coarse, size), _cut(coarse + residual, size))


class InpaintUNet(nn.Module):
    """`forward(images, mask)` as of :class:`CoarseToFine`, by one U-Net: what the rest is measured against."""

    def __init__(self, bands: int, settings: RsUNetNetwork) -> None:
        super().__init__()
        self.settings = settings
        self.network = RsUNet(bands + 1, bands, settings)

    def forward(self, images: Tensor, mask: Tensor) -> Inpainted:
        seen, mask, size = prepared(images, mask)
        made = _cut(self.network(torch.cat([seen, mask], dim=1)), size)
        return Inpainted(made, made)


def composite(made: Tensor, images: Tensor, mask: Tensor) -> Tensor:
    """R⊙M + I⊙(1 − M) (Eq. 2): `images` bit for bit where `mask` (B, 1, y, x) is 0, `made` where it is 1."""
    return torch.where(mask > 0.5, made.to(images.dtype), images)


def hidden(images: Tensor, mask: Tensor) -> Tensor:
    """The occluded image I: (B, C, y, x) with `HIDDEN` where the mask is 1, whatever lay there."""
    return images.masked_fill(mask > 0.5, HIDDEN)


def prepared(images: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, tuple[int, int]]:
    """Occluded image and mask, continued to multiples of 32, and the size before.

    Raises
    ------
    ModelError : ``unlike-mask`` where the mask is not of the images' size.
    """
    size = (int(images.shape[-2]), int(images.shape[-1]))
    if mask.shape != (images.shape[0], 1, *size):
        raise ModelError(
            "unlike-mask",
            "there is one mask of the image's size for every image",
            value=f"images {tuple(images.shape)}, masks {tuple(mask.shape)}",
            remedy="(batch, bands, y, x) and (batch, 1, y, x)",
        )
    mask = mask.to(images.dtype)
    seen = hidden(images, mask)
    return continued(seen, DIVISOR), continued(mask, DIVISOR), size


def _cut(made: Tensor, size: tuple[int, int]) -> Tensor:
    return made[..., : size[0], : size[1]]
