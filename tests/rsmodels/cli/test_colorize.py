"""`rsmodels colorize`: what it prints and how it ends."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rsmodels.cli.main import main
from rsmodels.training.run import train
from tests.rsmodels.colouring.conftest import SMALL
from tests.rsmodels.scenes import build_scenes


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("colorize")
    scenes = build_scenes(folder / "scenes", chips=20)
    return str(train({**SMALL, "data": [str(scenes)], "out": str(folder / "run")}).run)


@pytest.fixture
def picture(tmp_path: Path) -> list[str]:
    y, x = np.mgrid[:40, :50]
    Image.fromarray((x + 2 * y).astype(np.uint8)).save(tmp_path / "a.png")
    return ["colorize", str(tmp_path / "a.png"), str(tmp_path / "out")]


def test_it_says_what_was_coloured(
    picture: list[str], checkpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [*picture, "--checkpoint", checkpoint, "--keep-lightness", "--device", "cpu"]
    assert main(command) == 0
    told = capsys.readouterr().out
    assert "1 image coloured" in told
    assert "2,000 of 2,000 pixels, from their lightness, which stays" in told
    assert main(command) == 0  # done already
    assert "1 image coloured" in capsys.readouterr().out
    assert (tmp_path / "out" / "images" / "a.png").is_file()
    assert main([*picture, "--checkpoint", checkpoint, "--own-lightness", "--device", "cpu"]) == 2
    assert "other-colorization" in capsys.readouterr().err


def test_wrong_input_is_named(picture: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(picture) == 2
    assert "--checkpoint" in capsys.readouterr().err
    assert main([*picture, "--checkpoint", str(tmp_path / "nothing")]) == 2
    assert "no-checkpoint" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_its_recipe_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "colorize"]) == 0
    assert "keep_lightness" in capsys.readouterr().out
