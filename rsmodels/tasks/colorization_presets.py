"""Presets of colorization: sizes, and every row of the paper's Tables 3 and 4 to be laid over a size.

The baselines are the same code: ``unet`` (Ronneberger et al.) is one branch without a discriminator, ``pix2pix``
(Isola et al.) one branch with a mean absolute difference, ``1-b`` (Nazeri et al.) the paper's own first row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TINY = {
    "steps": 3000,
    "batch": 8,
    "precision": "bf16",
    "ema": 0.995,
    "save_every": 500,
    "schedule": {"shape": "linear", "hold": 0.5},
    "augment": {"turn": True},
    # narrow networks learn faster with more
    "generator_optimiser": {"lr": 1e-3},
    "network": {"width": 16},
    "discriminator": {"width": 16},
    # at 1, networks of this size paint to please the discriminator: PSNR fell while they trained
    "losses": {"adversarial_weight": 0.1},
}
_BASE = {
    "epochs": 60,
    "batch": 16,
    "precision": "bf16",
    "ema": 0.999,
    "schedule": {"shape": "linear", "hold": 0.5},
    "augment": {"turn": True},
    "network": {"width": 32},
    "discriminator": {"width": 32},
}
_PAPER = {"epochs": 30, "batch": 8}


def _row(branches: int, *modules: str) -> dict[str, Any]:
    """One row: how many branches, and which modules are in."""
    fusion = "adaptive" if "uame" in modules else "attention" if "cca" in modules else "concat"
    network = {"branches": branches, "dme": "dme" in modules, "fusion": fusion, "mmb": "mmb" in modules}
    return {"network": network}


_STEPS = ((), ("dme",), ("dme", "cca"), ("dme", "uame"), ("dme", "uame", "mmb"))
ROWS: Mapping[str, Mapping[str, Any]] = {
    "1-b": _row(1),
    "1-b-mmb": _row(1, "mmb"),
    **{"-".join((f"{count}-b", *modules)): _row(count, *modules) for count in (2, 3) for modules in _STEPS},
}
"""The twelve rows of Tables 3 and 4; ``cca`` is UAME without adaptive selection."""
_UNET = {**_row(1), "losses": {"adversarial_weight": 0.0}}
_PIX2PIX = {**_row(1), "losses": {"colour": "l1", "adversarial_weight": 1.0}}

COLORIZE: Mapping[str, Mapping[str, Any]] = {
    "tiny": _TINY,
    "base": _BASE,
    "paper": _PAPER,
    **ROWS,
    "unet": _UNET,
    "pix2pix": _PIX2PIX,
}
