"""Generators and segmentation networks trained on rsprep chip stores.

>>> import rsmodels
>>> run = rsmodels.train({"model": "rs-spade", "preset": "tiny", "data": ["chips"], "out": "run"})  # doctest: +SKIP
>>> generator = rsmodels.load("run")  # doctest: +SKIP
>>> found = rsmodels.evaluate({"checkpoint": "run", "data": "chips"})  # doctest: +SKIP
>>> made = rsmodels.synth_augment({"data": "chips", "checkpoint": "run", "n": "2x", "out": "more"})  # doctest: +SKIP
>>> whole = rsmodels.inpaint({"input": "scene.tif", "mask": "clouds.tif", "checkpoint": "run"})  # doctest: +SKIP
>>> painted = rsmodels.colorize({"input": "grey.tif", "checkpoint": "run"})  # doctest: +SKIP
>>> edited = rsmodels.edit({"checkpoint": "run", "data": "chips", "chip": "a", "redraw": "water"})  # doctest: +SKIP
>>> asked = rsmodels.blind_test({"checkpoint": "run", "data": "chips", "out": "blind.html"})  # doctest: +SKIP
>>> found = rsmodels.blind_scores("blind.html", ["ada.csv", "ben.csv"])  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rsmodels.blind.job import blind_test
    from rsmodels.blind.told import blind_scores
    from rsmodels.colouring.colorize import colorize
    from rsmodels.downstream.compare import compare
    from rsmodels.editing.edit import edit
    from rsmodels.evaluation.evaluate import evaluate
    from rsmodels.filling.inpaint import inpaint
    from rsmodels.synth.job import synth_augment
    from rsmodels.tables.job import reproduce
    from rsmodels.training.load import load
    from rsmodels.training.run import train

__all__ = [
    "blind_scores",
    "blind_test",
    "colorize",
    "compare",
    "edit",
    "evaluate",
    "inpaint",
    "load",
    "reproduce",
    "synth_augment",
    "train",
]

_HOMES = {
    "blind_scores": ("rsmodels.blind.told", "blind_scores"),
    "blind_test": ("rsmodels.blind.job", "blind_test"),
    "colorize": ("rsmodels.colouring.colorize", "colorize"),
    "compare": ("rsmodels.downstream.compare", "compare"),
    "edit": ("rsmodels.editing.edit", "edit"),
    "evaluate": ("rsmodels.evaluation.evaluate", "evaluate"),
    "inpaint": ("rsmodels.filling.inpaint", "inpaint"),
    "load": ("rsmodels.training.load", "load"),
    "reproduce": ("rsmodels.tables.job", "reproduce"),
    "synth_augment": ("rsmodels.synth.job", "synth_augment"),
    "train": ("rsmodels.training.run", "train"),
}


def __getattr__(name: str) -> Any:
    """Import on first use: torch takes seconds."""
    import importlib

    if name not in _HOMES:
        raise AttributeError(f"module 'rsmodels' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(importlib.import_module(module), attribute)
