"""Small files of weights in the layout of torchvision's VGG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

COUNTS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}


def torchvision_features(name: str, widths: Sequence[int]) -> nn.Sequential:
    """The layers as torchvision lists them: convolution, ReLU, …, pooling."""
    layers: list[nn.Module] = []
    before = 3
    for count, width in zip(COUNTS[name], widths, strict=True):
        for _ in range(count):
            layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU()]
            before = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


def vgg_weights(name: str = "vgg16", widths: Sequence[int] = (2, 3, 4, 5, 6), seed: int = 0) -> dict[str, Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = torchvision_features(name, widths)
        for module in net:
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
                nn.init.normal_(module.bias, 0.1, 0.1)
    return {f"features.{key}": value for key, value in net.state_dict().items()}


def vgg_file(path: Path, name: str = "vgg16", *, seed: int = 0, linear: bool = False) -> Path:
    """Such a file, with the rest that it holds in practice; `linear` adds the weights of LPIPS."""
    weights = {**vgg_weights(name, seed=seed), "classifier.0.weight": torch.zeros(2, 2)}
    if linear:
        widths = (2, 3, 4, 5, 6)
        weights |= {f"lin{i}.model.1.weight": torch.full((1, width, 1, 1), 0.5) for i, width in enumerate(widths)}
    save_file(weights, path)
    return path
