"""How unlike two images look, by the features that a named network sees in them.

In the manner of LPIPS (Zhang et al. 2018): at each of several layers the features of every pixel are brought to length
1, and the squared differences of two images are weighted, summed over the channels, and put together over the layers.
Figures of two networks, or of two sets of weights, say nothing about one another: the name goes with every figure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from rsmodels.errors import ModelError
from rsmodels.nets.vgg import HOW_TO_GET, Vgg, read_weights

EPS = 1e-10
"""Added to the length of a feature vector, as LPIPS does."""
LPIPS = "lpips-vgg16"
LPIPS_LINEAR = "lin{}.model.1.weight"
"""Name of the weights of a layer's channels in LPIPS's own files: (1, C, 1, 1)."""
RGB = ("B04", "B03", "B02")
Pairs = Sequence[tuple[int, int]]


@dataclass(frozen=True, kw_only=True, eq=False)
class PerceptualDistance:
    """A distance between images, with its name."""

    name: str
    """Which network, with which weights: goes into every record."""
    levels: Callable[[Tensor], list[Tensor]]
    """Images (B, C, y, x), on whatever scale the network takes, to maps (B, D, y', x')."""
    weights: tuple[Tensor, ...] | None = None
    """(D,) for each level, none below 0: LPIPS's, and the levels are summed. None: all channels alike, and the mean
    over the levels, so that a pixel's distance is from 0 to 2 where features are never below 0."""

    @torch.no_grad()
    def maps(self, a: Tensor, b: Tensor) -> Tensor:
        """(B, y, x) distance at each pixel; coarser levels are interpolated to the size of the images.

        Parameters
        ----------
        a, b : (B, C, y, x).
        """
        size = (int(a.shape[-2]), int(a.shape[-1]))
        return self._together([_resized(one, size) for one in self._apart(self._unit(a), self._unit(b))]).cpu()

    def loss(self, made: Tensor, real: Tensor) -> Tensor:
        """Mean `distance` of a batch, a scalar with a gradient to `made`; none to `real`."""
        with torch.no_grad():
            wanted = self._unit(real)
        return self._together([one.mean(dim=(1, 2)) for one in self._apart(self._unit(made), wanted)]).mean()

    @torch.no_grad()
    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        """(B,) each level meaned over its own pixels, as LPIPS does; parameters as in `maps`."""
        return self._together([one.mean(dim=(1, 2)) for one in self._apart(self._unit(a), self._unit(b))]).cpu()

    @torch.no_grad()
    def among(self, images: Tensor, pairs: Pairs) -> Tensor:
        """(P,) `distance` of pairs of `images` (n, C, y, x); the network sees each image once."""
        units = self._unit(images)
        found = [self._together([one.mean(dim=(1, 2)) for one in self._pair(units, *pair)]) for pair in pairs]
        return torch.cat(found).cpu()

    @torch.no_grad()
    def maps_among(self, images: Tensor, pairs: Pairs) -> Tensor:
        """(P, y, x) `maps` of pairs of `images`; the network sees each image once."""
        units = self._unit(images)
        size = (int(images.shape[-2]), int(images.shape[-1]))
        found = [self._together([_resized(one, size) for one in self._pair(units, *pair)]) for pair in pairs]
        return torch.cat(found).cpu()

    def _unit(self, images: Tensor) -> list[Tensor]:
        """Features of length 1 at each level."""
        return [one / (one.norm(dim=1, keepdim=True) + EPS) for one in map(Tensor.float, self.levels(images))]

    def _pair(self, units: Sequence[Tensor], first: int, second: int) -> list[Tensor]:
        return self._apart([one[first, None] for one in units], [one[second, None] for one in units])

    def _apart(self, a: Sequence[Tensor], b: Sequence[Tensor]) -> list[Tensor]:
        """(B, y', x') at each level."""
        squared = [(one - other) ** 2 for one, other in zip(a, b, strict=True)]
        if self.weights is None:
            return [one.sum(dim=1) for one in squared]
        return [torch.einsum("bcyx,c->byx", one, w.to(one)) for one, w in zip(squared, self.weights, strict=True)]

    def _together(self, levels: Sequence[Tensor]) -> Tensor:
        stacked = torch.stack(list(levels))
        return stacked.mean(dim=0) if self.weights is None else stacked.sum(dim=0)


def _resized(maps: Tensor, size: tuple[int, int]) -> Tensor:
    return functional.interpolate(maps[:, None], size, mode="bilinear", align_corners=False)[:, 0]


def by_segmenter(network: nn.Module, digest: str) -> PerceptualDistance:
    """By all encoder levels of a segmentation network; images as that network takes them, on its device.

    Parameters
    ----------
    network : with ``pyramid(images)``, a list of maps; used as it is, so in evaluation mode.
    digest : names its weights; the first 12 letters are shown.
    """
    levels = getattr(network, "pyramid", None)
    if not callable(levels):
        raise TypeError(f"{type(network).__name__} has no method `pyramid`")
    return PerceptualDistance(name=f"segmenter {digest[:12]}", levels=levels)


def by_vgg(path: str | Path, *, device: torch.device | str = "cpu") -> PerceptualDistance:
    """By VGG from a file of weights; images (B, 3, y, x) in [-1, 1], red, green, blue.

    LPIPS (`lpips_vgg16`) where the file has its linear weights, too; else all channels alike, after the first
    convolution of each block, named ``vgg16`` or ``vgg19``.

    Raises
    ------
    ModelError : as `load_vgg`.
    """
    weights = read_weights(path, ("features.", "lin"))
    if LPIPS_LINEAR.format(0) in weights:
        return lpips_vgg16(path, device=device)
    vgg = Vgg(weights).to(device)
    return PerceptualDistance(name=vgg.name, levels=vgg)


def lpips_vgg16(path: str | Path | None, *, device: torch.device | str = "cpu") -> PerceptualDistance:
    """LPIPS itself, on VGG16 (version 0.1): images (B, 3, y, x) in [-1, 1], red, green, blue.

    Parameters
    ----------
    path : safetensors with ``features.N.weight`` and ``features.N.bias`` of torchvision's VGG16 and the linear weights
        of LPIPS, ``lin0.model.1.weight`` to ``lin4.model.1.weight``.

    Raises
    ------
    ModelError : ``no-lpips-weights`` without a file, or where it lacks the linear ones; and as `load_vgg`.
    """
    weights = {} if path is None else read_weights(path, ("features.", "lin"))
    linear = [weights.get(LPIPS_LINEAR.format(level)) for level in range(5)]
    if path is None or any(one is None for one in linear):
        raise _no_lpips(str(path), "LPIPS needs the weights of VGG16 and its own linear weights in one file")
    vgg = Vgg({name: one for name, one in weights.items() if name.startswith("features.")}, "lpips").to(device)
    flat = tuple(one.flatten() for one in linear if one is not None)
    if vgg.name != "vgg16" or tuple(map(len, flat)) != vgg.widths:
        raise _no_lpips(f"{vgg.name}, {[len(one) for one in flat]}", f"LPIPS's weights are for VGG16, {vgg.widths}")
    return PerceptualDistance(name=LPIPS, levels=vgg, weights=flat)


def _no_lpips(value: str, cause: str) -> ModelError:
    return ModelError(
        "no-lpips-weights",
        cause,
        value=value,
        remedy=f"{HOW_TO_GET}; lin0.model.1.weight and so on are in weights/v0.1/vgg.pth of the package lpips: put "
        "both state dicts into one safetensors file. Without them take another perceptual distance, by its own name",
    )


def rgb_of(images: Tensor, bands: Sequence[str] | None) -> Tensor:
    """Three bands (B, 3, y, x) as red, green and blue: B04, B03 and B02 where they are, else the first three; fewer
    than three bands give the first one three times.

    Parameters
    ----------
    images : (B, C, y, x).
    bands : names of the C bands; None where they have none.
    """
    names = tuple(bands or ())
    if set(RGB) <= set(names):
        return images[:, [names.index(name) for name in RGB]]
    return images[:, :3] if images.shape[1] >= 3 else images[:, :1].expand(-1, 3, -1, -1)
