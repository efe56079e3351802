"""Settings of models under a name: tiny for a CPU and minutes, base for a GPU and hours, paper as published.

What a preset does not name is the default. RS-SPADE's paper gives neither widths nor optimisers: ``paper`` there is
pix2pix's plan, which the paper builds on, with the data it names (four bands, 256 x 256 pixels, batch and steps ours).
CSEBGAN's gives rates, weights and epochs; widths are SPADE's. Its perceptual loss needs a file of VGG's weights, which
``paper`` asks for and the others do without. HRNet of width 32 is what was published on LoveDA; its training is ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rsmodels.tasks.colorization_presets import COLORIZE
from rsmodels.tasks.inpainting_presets import INPAINT, INPAINT_UNET
from rsmodels.tasks.scene_presets import SCENES

RGBN = ("B02", "B03", "B04", "B08")
_GAN_TINY = {
    "steps": 1500,
    "batch": 8,
    "precision": "bf16",
    "bands": RGBN,
    "save_every": 500,
    "schedule": {"shape": "linear", "hold": 0.5},
    "discriminator": {"width": 24},
}
_GAN_BASE = {
    "epochs": 60,
    "batch": 16,
    "precision": "bf16",
    "bands": RGBN,
    "ema": 0.999,
    "schedule": {"shape": "linear", "hold": 0.5},
    "discriminator": {"width": 48},
}
_GAN_PAPER = {"epochs": 200, "batch": 1, "bands": RGBN, "schedule": {"shape": "linear", "hold": 0.5}}

# Of label-driven generators: published widths and rates are for a GPU and days; narrow nets learn faster with more.
_SEMANTIC_TINY = {
    "steps": 4000,
    "batch": 4,
    "precision": "bf16",
    "ema": 0.995,
    "save_every": 1000,
    "schedule": {"shape": "linear", "hold": 0.5},
    "generator_optimiser": {"lr": 4e-4},
    "discriminator_optimiser": {"lr": 8e-4},
    "network": {"width": 16},
    "discriminator": {"width": 24},
    "perceptual": {"weight": 0.0},
}
_SEMANTIC_BASE = {
    "epochs": 200,
    "batch": 16,
    "precision": "bf16",
    "ema": 0.999,
    "schedule": {"shape": "linear", "hold": 0.5},
    "network": {"width": 32},
    "discriminator": {"width": 48},
    "perceptual": {"weight": 0.0},
}
_SEMANTIC_PAPER = {"epochs": 200, "batch": 4, "schedule": {"shape": "linear", "hold": 0.5}}
_CONDUCTED = {"conductor_optimiser": {"lr": 1e-3}, "conductor": {"network": {"width": 8}}}
_ABLATIONS: dict[str, Mapping[str, Any]] = {
    "without-sharing": {"network": {"share": False}},
    "without-conductor": {"conductor": {"kind": "none"}},
    "frozen-conductor": {"conductor": {"kind": "frozen"}},
    "without-real": {"conductor": {"on_real": False}},
    "without-discriminator": {"losses": {"adversarial_weight": 0.0, "feature_matching": 0.0}},
}
"""Table II of CSEBGAN's paper, each to be laid over another preset: ``tiny,without-sharing``."""


def _compared(**network: Mapping[str, int]) -> dict[str, Mapping[str, Any]]:
    """Presets of a system that CSEBGAN is measured against, of the same width; `network` is what it sets besides."""
    base: dict[str, dict[str, Any]] = {"tiny": _SEMANTIC_TINY, "base": _SEMANTIC_BASE, "paper": _SEMANTIC_PAPER}
    return {
        name: {**values, "network": {**values.get("network", {}), **network.get(name, {})}}
        for name, values in base.items()
    }


# Features between label map and modulation: twice the width, as in the paper.
_HIDDEN: dict[str, dict[str, int]] = {"tiny": {"hidden": 32}, "base": {"hidden": 64}}

_SEGMENT_TINY = {
    "steps": 600,
    "batch": 16,
    "precision": "bf16",
    "augment": {"turn": True},
    "save_every": 200,
    "schedule": {"shape": "cosine", "hold": 0.0},
}
_SEGMENT_BASE = {
    "epochs": 50,
    "batch": 16,
    "precision": "bf16",
    "augment": {"turn": True},
    "schedule": {"shape": "cosine", "hold": 0.0},
}

_RETRIEVE = {"precision": "bf16", "schedule": {"shape": "cosine", "hold": 0.0}}

PRESETS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "pix2pix": {
        "tiny": {**_GAN_TINY, "network": {"width": 24}},
        "base": {**_GAN_BASE, "network": {"width": 48}},
        "paper": _GAN_PAPER,
    },
    "rs-spade": {
        "tiny": {**_GAN_TINY, "network": {"width": 24, "hidden": 16}},
        "base": {**_GAN_BASE, "network": {"width": 48, "hidden": 32}},
        "paper": _GAN_PAPER,
    },
    "csebgan": {
        "tiny": {**_SEMANTIC_TINY, **_CONDUCTED},
        "base": {**_SEMANTIC_BASE, "conductor": {"network": {"width": 32}}},
        "paper": _SEMANTIC_PAPER,
        **_ABLATIONS,
    },
    "spade": _compared(**_HIDDEN),
    "vspade": _compared(tiny={"hidden": 32, "z": 64, "encoder": 16}, base={"hidden": 64, "encoder": 32}),
    "clade": _compared(),
    "inade": _compared(),
    "pix2pixhd": _compared(),
    "bmmaenet": COLORIZE,
    "inpaint": INPAINT,
    "inpaint-unet": INPAINT_UNET,
    "segmentation": {
        "tiny": {**_SEGMENT_TINY, "network": {"width": 16}},
        "base": _SEGMENT_BASE,
        "paper": {"epochs": 50, "batch": 16},
    },
    "retrieval": {
        "tiny": {
            **_RETRIEVE,
            "steps": 1500,
            "batch": 16,
            "save_every": 150,
            "network": {"width": 16, "embedding": 96, "dropout": 0.2},
        },
        "base": {**_RETRIEVE, "epochs": 200, "batch": 32},
        "paper": {"epochs": 120, "batch": 16, "network": {"width": 128}},
    },
    "hrnet": {
        "tiny": {**_SEGMENT_TINY, "network": {"width": 12, "stem": 16, "blocks": 2, "modules": (1, 1, 1)}},
        "base": {**_SEGMENT_BASE, "network": {"width": 18}},
        "paper": {"epochs": 50, "batch": 16, "schedule": {"shape": "linear", "hold": 0.0}},
    },
    "classification": SCENES,
}
