"""Generators to edit images with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rsmodels.synth.conftest import NOISY, one_thread, train_tiny

__all__ = ["one_thread"]


@pytest.fixture(scope="session")
def noisy(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generator that draws noise for each class."""
    return train_tiny(tiny_dataset, tmp_path_factory.mktemp("noisy") / "run", **NOISY)


@pytest.fixture(scope="session")
def quiet(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generator without noise."""
    return train_tiny(tiny_dataset, tmp_path_factory.mktemp("quiet") / "run")
