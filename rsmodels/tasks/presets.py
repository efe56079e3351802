"""Settings of models under a name: tiny for a CPU and minutes, base for a GPU and hours, paper as published.

What a preset does not name is the default. RS-SPADE's paper gives neither widths nor optimisers: ``paper`` there is
pix2pix's plan, which the paper builds on, with the data it names (four bands, 256 x 256 pixels, batch and steps ours).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
    "segmentation": {
        "tiny": {
            "steps": 600,
            "batch": 16,
            "precision": "bf16",
            "network": {"width": 16},
            "augment": {"turn": True},
            "save_every": 200,
            "schedule": {"shape": "cosine", "hold": 0.0},
        },
        "base": {
            "epochs": 50,
            "batch": 16,
            "precision": "bf16",
            "augment": {"turn": True},
            "schedule": {"shape": "cosine", "hold": 0.0},
        },
        "paper": {"epochs": 50, "batch": 16},
    },
}
