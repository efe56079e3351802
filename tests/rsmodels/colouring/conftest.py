"""Two colorization networks that have hardly learned anything, and a planted one whose colours are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from rsmodels.colouring import files
from rsmodels.colouring.painter import Painter, painter_of
from rsmodels.colouring.settings import ColorizeSettings
from rsmodels.training.run import train
from tests.rsmodels.scenes import build_scenes

SMALL = {
    "model": "bmmaenet", "batch": 2, "steps": 1, "save_every": 1, "network": {"width": 4, "downs": 3},
    "discriminator": {"width": 4, "downs": 2}, "device": "cpu",
}  # fmt: skip


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Learned lightness of pictures of 8 bit, 32 pixels a side."""
    folder = tmp_path_factory.mktemp("colouring")
    scenes = build_scenes(folder / "scenes", chips=20)
    return train({**SMALL, "data": [str(scenes)], "out": str(folder / "run")}).run


@pytest.fixture(scope="session")
def band_run(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Learned to colour B08 of Sentinel-2, 16 bit."""
    out = tmp_path_factory.mktemp("band") / "run"
    return train({**SMALL, "data": [str(tiny_dataset)], "out": str(out), "grey": "B08"}).run


class Plain(nn.Module):
    """Pixel by pixel: lightness as it is, a and b that follow from it."""

    def forward(self, grey: Tensor) -> list[Tensor]:
        return [torch.cat([grey * 0.8, grey * 0.15, 0.05 - grey * 0.1], dim=1)]


class Uneven(nn.Module):
    """Differs as much as can be from tile to tile: each becomes one colour."""

    def forward(self, grey: Tensor) -> list[Tensor]:
        mean = grey.mean(dim=(2, 3), keepdim=True).expand_as(grey)
        return [torch.cat([mean, mean, -mean], dim=1)]


Plant = Callable[[nn.Module], None]


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Plant:
    """Put a network in place of the one that was trained."""

    def planted(network: nn.Module) -> None:
        def painter(settings: ColorizeSettings) -> Painter:
            made = painter_of(settings)
            return replace(made, trained=replace(made.trained, network=network))

        monkeypatch.setattr(files, "painter_of", painter)

    return planted
