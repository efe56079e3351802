"""A generator that has hardly learned anything: enough to make chips with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from rsmodels.training.run import train
from tests.rsmodels import conftest as tiny


def train_tiny(data: Path, out: Path, **changes: Any) -> Path:
    """A run of one step; returns its folder."""
    values = {
        "model": "pix2pix",
        "data": [str(data)],
        "out": str(out),
        "steps": 1,
        "batch": 2,
        "device": "cpu",
        "network": {"width": 4},
        "discriminator": {"width": 4},
        "validate_chips": 1,
    }
    return train({**values, **changes}).run


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def run(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generator of the tiny data set."""
    return train_tiny(tiny_dataset, tmp_path_factory.mktemp("generator") / "run")


@pytest.fixture(scope="session")
def all_train(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chips of the tiny data set, all in its train split."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiny, "tiny_split", lambda number: "train")
        return tiny.build_tiny(tmp_path_factory.mktemp("leaky") / "leaky")


NOISY = {
    "model": "csebgan",
    "network": {"width": 2, "ups": 3, "dim": 8},
    "discriminator": {"width": 4, "downs": 2},
    "conductor": {"network": {"width": 4}},
    "perceptual": {"weight": 0.0},
}


@pytest.fixture(scope="session")
def noisy(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generator that draws noise, of the tiny data set."""
    return train_tiny(tiny_dataset, tmp_path_factory.mktemp("noisy") / "run", **NOISY)
