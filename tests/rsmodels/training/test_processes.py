"""Several processes that share each batch take the steps that one process takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rsmodels.training.log import read_lines
from rsmodels.training.run import train

STEPS = 4
SLOW = {f"{name}_optimiser": {"lr": 1e-6} for name in ("generator", "discriminator", "conductor")}
"""Adam without its first moment takes a step of full length for a gradient of rounding errors, too."""


class Watcher:
    def __init__(self) -> None:
        self.told: list[str] = []
        self.done = 0

    def stage(self, name: str, total: int | None = None, unit: str = "") -> None:
        self.told.append(name)

    def advance(self, amount: int = 1) -> None:
        self.done += amount

    def note(self, text: str) -> None:
        self.told.append(text)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ("rs-spade", {"losses": {"feature_matching": 1.0, "sam": 1.0}}),
        ("csebgan", {"clip": 1.0, **SLOW}),
    ],
)
def test_two_processes_are_as_one(small: Callable[..., dict[str, Any]], model: str, settings: dict[str, Any]) -> None:
    """Batch norm over both, dropout, noise and augmentation by position, means over the valid pixels of both."""
    more = {"steps": STEPS, "save_every": STEPS, "augment": {"turn": True}, **settings}
    one, two = small(model, "one", **more), small(model, "two", **more, devices=2)
    train(one)
    watcher = Watcher()
    outcome = train(two, progress=watcher)
    assert outcome.finished
    assert watcher.done == STEPS
    assert "train" in watcher.told
    lines = [[line for line in read_lines(Path(run["out"])) if line["kind"] == "train"] for run in (one, two)]
    for alone, shared in zip(*lines, strict=True):
        for name in alone:
            if name.startswith("loss/"):
                assert shared[name] == pytest.approx(alone[name], rel=2e-4, abs=2e-6), (name, alone["step"])
