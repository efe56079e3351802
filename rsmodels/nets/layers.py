"""What several networks share: where weights start, and which sizes are refused."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from rsmodels.errors import ModelError

Part = Literal["encoder", "decoder"]
START = 0.02


def start_small(network: nn.Module) -> None:
    """Weights as pix2pix starts them: convolutions N(0, .02), scales of norms N(1, .02), biases 0.

    A layer with a method ``start`` of its own, and what is within it, is left to that method.
    """
    own = getattr(network, "start", None)
    if callable(own):
        own()
        return
    if isinstance(network, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(network.weight, 0.0, START)
    elif isinstance(network, nn.BatchNorm2d) and network.affine:
        nn.init.normal_(network.weight, 1.0, START)
    if isinstance(getattr(network, "bias", None), nn.Parameter):
        nn.init.zeros_(network.bias)  # type: ignore[arg-type]
    for child in network.children():
        start_small(child)


def refuse_odd(height: int, width: int, *, divisor: int, least: int, what: str) -> None:
    """Raise ModelError `odd-size` unless both sides are multiples of `divisor` and at least `least` pixels."""
    if height % divisor or width % divisor or min(height, width) < least:
        first = -(-least // divisor) * divisor
        near = max(first, round(min(height, width) / divisor) * divisor)
        raise ModelError(
            "odd-size",
            f"{what} takes images whose sides are multiples of {divisor} pixels and at least {first}",
            value=f"{height} x {width}",
            remedy=f"chips of {near} x {near} pixels, or fewer levels (the setting downs, where there is one)",
        )


def continued(images: Tensor, divisor: int) -> Tensor:
    """Images (..., y, x) whose sides are multiples of `divisor`: continued by reflection, down and to the right."""
    height, width = images.shape[-2:]
    down, right = -height % divisor, -width % divisor
    if not down and not right:
        return images
    # a side shorter than what is missing has not enough to reflect
    how = "reflect" if down < height and right < width else "replicate"
    return nn.functional.pad(images, (0, right, 0, down), how)


def same_conv(before: int, after: int, size: int, *, bias: bool = True) -> nn.Module:
    """A convolution of stride 1 with a kernel of even `size` that keeps an image's size: such a one has no middle."""
    less, more = (size - 1) // 2, size // 2
    return nn.Sequential(nn.ZeroPad2d((less, more, less, more)), nn.Conv2d(before, after, size, bias=bias))


def levels(chip_px: int, downs: int, *, most: int = 8, least: int = 3, what: str) -> int:
    """How often a network halves a chip: `downs`, or as often as it goes, at most `most` times.

    Raises ModelError `odd-size` where the chip cannot be halved that often, or fewer than `least` times.
    """
    if not downs:
        downs = least
        while downs < most and chip_px % 2 ** (downs + 1) == 0:
            downs += 1
    refuse_odd(chip_px, chip_px, divisor=2**downs, least=2**downs, what=what)
    return downs


class _Spectral(nn.Module):
    """Parametrisation W / σ(W) (Miyato et al. 2018), in float32: one power iteration a forward pass in training."""

    u: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.register_buffer("u", torch.randn(weight.shape[0]))
        for _ in range(15):  # near enough that training starts with the norm bounded
            self.u.copy_(self._vectors(_matrix(weight))[0])

    def forward(self, weight: Tensor) -> Tensor:
        # autocast would take the products to bfloat16, whose 8 bits are too few for a norm
        with torch.autocast(weight.device.type, enabled=False):
            matrix = _matrix(weight.float())
            u, v = self._vectors(matrix)
            if self.training:
                self.u.copy_(u)
            return weight / (u @ (matrix @ v))

    @torch.no_grad()
    def _vectors(self, matrix: Tensor) -> tuple[Tensor, Tensor]:
        """Left and right singular vectors of the largest singular value, one step nearer."""
        v = nn.functional.normalize(matrix.T @ self.u, dim=0)
        return nn.functional.normalize(matrix @ v, dim=0), v


def _matrix(weight: Tensor) -> Tensor:
    """Weights (out, in, y, x) as (out, ...), as they lie in memory: the norm is the same in any order of columns."""
    last = weight.is_contiguous(memory_format=torch.channels_last)
    return (weight.permute(0, 2, 3, 1) if last else weight).flatten(1)


def spectral(layer: nn.Conv2d) -> nn.Conv2d:
    """The same convolution with its weight divided by its largest singular value."""
    parametrize.register_parametrization(layer, "weight", _Spectral(layer.weight))
    return layer
