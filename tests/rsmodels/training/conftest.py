"""Runs that take a second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

SMALL: dict[str, dict[str, Any]] = {
    "pix2pix": {"network": {"width": 4}, "discriminator": {"width": 4, "downs": 2}},
    "rs-spade": {"network": {"width": 4, "hidden": 4}, "discriminator": {"width": 4, "downs": 2}},
    "csebgan": {
        "network": {"width": 2, "dim": 4},
        "discriminator": {"width": 4, "downs": 2, "scales": 1},
        "conductor": {"network": {"width": 2}},
        "perceptual": {"weight": 0.0},
    },
    "segmentation": {"network": {"width": 4}, "augment": {"turn": True}, "class_weights": "root"},
}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Sums over several threads may come in another order; two tests at a time have a core each anyway."""
    torch.set_num_threads(1)


@pytest.fixture
def small(tiny_dataset: Path, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Settings of a run of a model on the tiny data set."""

    def settings(model: str, out: str = "run", **more: Any) -> dict[str, Any]:
        base = {
            "model": model,
            "data": [str(tiny_dataset)],
            "out": str(tmp_path / out),
            "batch": 4,
            "steps": 12,
            "log_every": 1,
            "save_every": 6,
            "validate_chips": 4,
        }
        return {**base, **SMALL[model], **more}

    return settings
