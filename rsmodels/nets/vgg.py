"""VGG16 and VGG19 (Simonyan and Zisserman 2014) as they see an image: maps after some of their layers, never trained.

The weights come from a file of the user: safetensors in the layout of torchvision's state dicts. Nothing here is
random, and nothing is fetched.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from rsmodels.errors import ModelError

Taps = Literal["first", "lpips"]
PLANS: Mapping[str, tuple[int, ...]] = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
"""Convolutions of each block; a pooling of 2 x 2 pixels follows every block."""
LPIPS_TAPS = (2, 2, 3, 3, 3)
"""The convolution of each block after which LPIPS looks, counted from 1; of VGG16 these are the last ones."""
LEAST = 16
"""Pixels along the shorter side: what four poolings leave something of."""
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's, of red, green and blue on 0 to 1: what the weights were trained with."""
PICKLED = (".pth", ".pt", ".bin", ".pkl", ".ckpt")
HOW_TO_GET = (
    "VGG16 and VGG19 are published with torchvision and, as safetensors in this very layout, as timm/vgg16.tv_in1k and "
    "timm/vgg19.tv_in1k on Hugging Face"
)
HOW_TO_CONVERT = (
    'convert it once, where you trust it: python -c "import torch, safetensors.torch as s; '
    "s.save_file(torch.load('vgg.pth', weights_only=True), 'vgg.safetensors')\"; "
)


class Vgg(nn.Module):
    """Images (B, 3, y, x) in [-1, 1] (red, green, blue) to five maps after a ReLU, (B, C, y / 2^n, x / 2^n).

    Frozen: gradients run through it to the images, and none to its weights.

    Parameters
    ----------
    weights : ``features.N.weight`` and ``features.N.bias`` of all convolutions of one of `PLANS`. Widths are theirs.
    taps : ``first`` for relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1, as perceptual losses look; ``lpips`` for
        relu1_2, relu2_2, relu3_3, relu4_3 and relu5_3.

    Raises
    ------
    ModelError : ``not-vgg`` for other layers, ``vgg-shapes`` for layers that do not fit on one another; in use
        ``unlike-rgb``.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, weights: Mapping[str, Tensor], taps: Taps = "first") -> None:
        super().__init__()
        self.name = _which(weights)
        self.blocks = blocks = PLANS[self.name]
        self.taps = LPIPS_TAPS if taps == "lpips" else (1,) * len(blocks)
        layers, before = [], len(MEAN)
        for index in (index for some in _indices(blocks) for index in some):
            layers.append(_layer(weights, index, before))
            before = layers[-1].out_channels
        self.layers = nn.ModuleList(layers)
        starts = itertools.accumulate(blocks, initial=-1)
        self.widths = tuple(layers[start + tap].out_channels for start, tap in zip(starts, self.taps, strict=False))
        """Channels of the five maps."""
        # on [-1, 1] rather than [0, 1], hence twice as wide
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None] * 2 - 1, persistent=False)
        self.register_buffer("std", torch.tensor(STD)[:, None, None] * 2, persistent=False)
        self.requires_grad_(False)

    def forward(self, images: Tensor) -> list[Tensor]:
        if images.ndim != 4 or images.shape[1] != len(MEAN) or min(images.shape[-2:]) < LEAST:
            raise ModelError(
                "unlike-rgb",
                f"VGG looks at three bands of {LEAST} x {LEAST} pixels or more",
                value=tuple(images.shape),
                remedy="(batch, 3, y, x); choose three bands",
            )
        x = (images - self.mean) / self.std
        maps: list[Tensor] = []
        layers = iter(self.layers)
        for count, tap in zip(self.blocks, self.taps, strict=True):
            x = F.max_pool2d(x, 2) if maps else x
            for place in range(1, count + 1):
                x = F.relu(next(layers)(x))
                if place == tap:
                    maps.append(x)
                    if len(maps) == len(self.blocks):  # nothing deeper is looked at
                        break
        return maps


def load_vgg(path: str | Path, taps: Taps = "first") -> Vgg:
    """VGG16 or VGG19, whichever the file holds, on the CPU.

    Parameters
    ----------
    path : safetensors in the layout of torchvision's state dicts; what else is in it is not looked at.
    taps : see `Vgg`.

    Raises
    ------
    ModelError : ``no-weights`` where there is no file, ``pickled-weights`` for a pickle, ``torn-weights`` for anything
        else that is not safetensors, and those of `Vgg`.
    """
    return Vgg(read_weights(path, ("features.",)), taps)


def read_weights(path: str | Path, prefixes: Sequence[str]) -> dict[str, Tensor]:
    """The tensors of a safetensors file whose names begin with one of `prefixes`; raises as `load_vgg`."""
    file = Path(path)
    if not file.is_file():
        raise ModelError("no-weights", "there is no file of weights here", value=str(path), remedy=HOW_TO_GET)
    with file.open("rb") as opened:
        start = opened.read(4)
    if file.suffix in PICKLED or start == b"PK\x03\x04" or start[:1] == b"\x80":
        raise ModelError(
            "pickled-weights",
            "a pickle can run any program when it is read, so weights are taken as safetensors only",
            value=str(path),
            remedy=HOW_TO_CONVERT + HOW_TO_GET,
        )
    try:
        with safe_open(file, framework="pt") as opened:
            return {name: opened.get_tensor(name).float() for name in opened.keys() if name.startswith(tuple(prefixes))}  # noqa: SIM118  # no mapping
    except SafetensorError as error:
        raise ModelError(
            "torn-weights", f"the file of weights cannot be read ({error})", value=str(path), remedy="copy it again"
        ) from None


def _which(weights: Mapping[str, Tensor]) -> str:
    there = {name for name in weights if name.startswith("features.")}
    for name, blocks in PLANS.items():
        if there == {f"features.{i}.{what}" for some in _indices(blocks) for i in some for what in ("weight", "bias")}:
            return name
    raise ModelError(
        "not-vgg",
        "the file holds neither the convolutions of VGG16 nor those of VGG19 (without batch norm)",
        value=", ".join(sorted(there)) or "no features.N.weight",
        remedy=HOW_TO_GET,
    )


def _indices(blocks: Sequence[int]) -> list[list[int]]:
    """Positions of the convolutions in torchvision's list of layers: a ReLU follows each, a pooling each block."""
    found, start = [], 0
    for count in blocks:
        found.append([start + 2 * i for i in range(count)])
        start += 2 * count + 1
    return found


def _layer(weights: Mapping[str, Tensor], index: int, before: int) -> nn.Conv2d:
    """The convolution at `index`, which follows one of `before` channels."""
    weight, bias = weights[f"features.{index}.weight"], weights[f"features.{index}.bias"]
    width = weight.shape[0]
    if weight.shape != (width, before, 3, 3) or bias.shape != (width,):
        raise ModelError(
            "vgg-shapes",
            f"the weights of features.{index} do not fit",
            value=f"{tuple(weight.shape)}, {tuple(bias.shape)}",
            remedy=f"(n, {before}, 3, 3) and (n,); {HOW_TO_GET}",
        )
    layer = nn.Conv2d(before, width, 3, padding=1, device="meta")  # nothing is drawn
    layer.load_state_dict({"weight": weight, "bias": bias}, assign=True)
    return layer
