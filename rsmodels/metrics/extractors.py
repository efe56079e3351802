"""What sees features in images, for distances between sets of images; its name goes with every figure."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

COARSE = 8
"""Pixels along the side of the blocks of `BandStatistics`."""


class Extractor(Protocol):
    """Features of images."""

    @property
    def name(self) -> str:
        """Which features these are; goes into every record."""
        ...

    @property
    def dim(self) -> int:
        """Features an image."""
        ...

    def __call__(self, images: Tensor) -> Tensor:
        """Images (B, C, y, x) on −1 to 1 → features (B, D)."""
        ...


class BandStatistics:
    """Plain figures of each band, without any weights: its mean, standard deviation, mean absolute difference of
    neighbours along x and along y, and of its means over blocks of 8 × 8 pixels the standard deviation and the mean
    absolute difference of neighbours. Six features a band.

    They know levels, contrast and texture of two scales, but not what is in the picture.
    """

    def __init__(self, bands: int) -> None:
        self.bands = bands

    @property
    def name(self) -> str:
        return f"band-statistics-{self.bands}"

    @property
    def dim(self) -> int:
        return 6 * self.bands

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Raises ValueError for another number of bands, and below 16 pixels."""
        if images.ndim != 4 or images.shape[1] != self.bands or min(images.shape[2:]) < 2 * COARSE:
            raise ValueError(f"expected (B, {self.bands}, y, x) of {2 * COARSE} pixels or more, got {images.shape}")
        fine = images.double()
        blocks = functional.avg_pool2d(fine, COARSE)
        steps = [_steps(fine, 3), _steps(fine, 2)]
        coarse = (_steps(blocks, 3) + _steps(blocks, 2)) / 2
        spread = [one.flatten(2).std(dim=2, correction=0) for one in (fine, blocks)]
        return torch.cat([fine.mean(dim=(2, 3)), spread[0], *steps, spread[1], coarse], dim=1)


def _steps(images: Tensor, axis: int) -> Tensor:
    """(B, C) mean absolute difference of neighbours along an axis."""
    return images.diff(dim=axis).abs().mean(dim=(2, 3))


class SegmenterFeatures:
    """Means over the picture of the deepest features of a segmentation network.

    Parameters
    ----------
    net : a module whose ``features(images)`` gives (B, D, y, x) or (B, D); put into evaluation mode while it is used.
    name : which network, with which weights.
    probe : (1, C, y, x), any image of the network's kind: shows how many features there are.
    """

    def __init__(self, net: nn.Module, name: str, probe: Tensor) -> None:
        if not callable(getattr(net, "features", None)):
            raise TypeError(f"{type(net).__name__} has no method `features`")
        self.net = net
        self._name = name
        self._dim = int(self._pooled(probe).shape[1])

    @property
    def name(self) -> str:
        return self._name

    @property
    def dim(self) -> int:
        return self._dim

    def __call__(self, images: Tensor) -> Tensor:
        return self._pooled(images)

    @torch.no_grad()
    def _pooled(self, images: Tensor) -> Tensor:
        modes = {module: module.training for module in self.net.modules()}
        self.net.eval()
        try:
            deep: Tensor = self.net.features(images)  # type: ignore[operator]  # checked above
        finally:
            for module, mode in modes.items():
                module.training = mode
        return deep.double().mean(dim=(2, 3)) if deep.ndim == 4 else deep.double()
