"""Presets of inpainting: sizes, and every variant of the paper's Tables I and IV to VIII to be laid over a size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TINY = {
    "steps": 3000,
    "batch": 8,
    "precision": "bf16",
    "save_every": 500,
    "schedule": {"shape": "linear", "hold": 0.5},
    "augment": {"turn": True},
    # narrow networks learn faster with more, and in few steps lose their way to discriminators and task without a hold
    "generator_optimiser": {"lr": 4e-4},
    "losses": {"l1": 10.0},
    "network": {"width": 12, "blocks": (1, 2, 2, 2, 1, 1), "convs": 1},
    "coarse_critic": {"width": 16},
    "refined_critic": {"width": 16},
    "perceptual": {"weight": 0.0},
}
_BASE = {
    "epochs": 100,
    "batch": 16,
    "precision": "bf16",
    "ema": 0.999,
    "schedule": {"shape": "linear", "hold": 0.5},
    "augment": {"turn": True},
    "network": {"width": 32, "convs": 2},
    "coarse_critic": {"width": 48},
    "refined_critic": {"width": 48},
    "perceptual": {"weight": 0.0},
}
_PAPER = {"epochs": 200, "batch": 4, "schedule": {"shape": "linear", "hold": 0.5}}

_NO_TASK = {"task": {"checkpoint": None}}
_NO_MASKMIX = {"augment": {"maskmix": None}}
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "baseline-b": {**_NO_TASK, **_NO_MASKMIX},
    "without-maskmix": _NO_MASKMIX,
    "augmix": {"augment": {"maskmix": None, "augmix": {}}},
    **{f"lambda-{value}": {"task": {"weight": float(value)}} for value in (0, 3, 5, 10)},
    **{
        f"alpha-{deep}-{adversarial}": {
            "perceptual": {"weight": float(deep)},
            "losses": {"adversarial_weight": float(adversarial)},
        }
        for deep in (1, 5, 10)
        for adversarial in (1, 5, 10)
    },
    "coarse-downs-4": {"coarse_critic": {"downs": 4}},
    "refined-downs-4": {"refined_critic": {"downs": 4}},
    "dcgan": {"coarse_critic": {"kind": "dcgan"}},
    # a panorama that is turned or mirrored without its place shows another one
    "geolocation": {"task": {"weight": 1.2}, "augment": {"turn": False}},
    "lsgan": {"losses": {"adversarial": "lsgan"}},
}
"""Tables I (baseline_b, no MaskMix), IV (λ), V (α₁, α₂), VI, VII (discriminators) and VIII (AugMix) of the paper."""

INPAINT: Mapping[str, Mapping[str, Any]] = {"tiny": _TINY, "base": _BASE, "paper": _PAPER, **VARIANTS}


def _plain(size: Mapping[str, Any], width: int, **more: Any) -> dict[str, Any]:
    """The same without what the U-Net has not, and `more`."""
    left_out = ("network", "coarse_critic", "refined_critic", "perceptual", "losses", "discriminator_optimiser")
    return {key: value for key, value in size.items() if key not in left_out} | {"network": {"width": width}} | more


INPAINT_UNET: Mapping[str, Mapping[str, Any]] = {
    "tiny": _plain(_TINY, 24, generator_optimiser={"lr": 1e-3}),
    "base": _plain(_BASE, 64),
    "paper": _plain(_PAPER, 64),
    "without-maskmix": _NO_MASKMIX,
}
