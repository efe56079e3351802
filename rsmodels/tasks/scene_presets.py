"""Presets of classifiers of scenes.

``tiny`` looks at half the resolution with narrow layers: a thousand pictures of 256 pixels, a quarter of an hour on one
free core. ``paper`` is VGG16, the task network of Sun et al., with batch norm and its full head; rates and epochs are
ours. Set ``network.weights`` to begin with what ImageNet taught it, which the linear range is there for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_VARIED = {"turn": True, "jitter": {"brightness": 0.15, "contrast": 0.2, "noise": 0.02}}

SCENES: Mapping[str, Mapping[str, Any]] = {
    "tiny": {
        "steps": 2000,
        "batch": 16,
        "precision": "bf16",
        "network": {"width": 16, "shrink": 2, "dropout": 0.3},
        "augment": _VARIED,
        "save_every": 250,
        "validate_chips": 512,
        "schedule": {"shape": "cosine", "hold": 0.0, "warmup": 50},
        "optimiser": {"lr": 2e-3, "weight_decay": 0.05},
    },
    "base": {
        "epochs": 100,
        "batch": 32,
        "precision": "bf16",
        "network": {"width": 32, "dropout": 0.3},
        "augment": _VARIED,
        "validate_chips": 1024,
        "schedule": {"shape": "cosine", "hold": 0.0, "warmup": 200},
        "optimiser": {"lr": 1e-3, "weight_decay": 0.05},
    },
    "paper": {
        "epochs": 100,
        "batch": 32,
        "network": {"head": "full"},
        "normalise": {"curve": "linear", "low": 0.0, "high": 100.0},
        "augment": _VARIED,
        "validate_chips": 1024,
        "schedule": {"shape": "cosine", "hold": 0.0, "warmup": 200},
        "optimiser": {"lr": 1e-4, "weight_decay": 0.05},
    },
}
