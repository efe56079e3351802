"""`rsmodels inpaint`: what it prints and how it ends."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rsmodels.cli.main import main


@pytest.fixture
def picture(tmp_path: Path) -> list[str]:
    y, x = np.mgrid[:60, :70]
    Image.fromarray((x + 2 * y).astype(np.uint8)).save(tmp_path / "a.png")
    mask = np.zeros((60, 70), np.uint8)
    mask[10:40, 20:50] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    return ["inpaint", str(tmp_path / "a.png"), str(tmp_path / "out"), "--mask", str(tmp_path / "mask.png")]


def test_it_says_what_was_filled(picture: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*picture, "--method", "telea"]) == 0
    assert "900 of 900 hidden pixels filled" in capsys.readouterr().out
    assert main([*picture, "--method", "telea"]) == 0  # done already
    assert "900 of 900" in capsys.readouterr().out
    assert (tmp_path / "out" / "images" / "a.png").is_file()


def test_pixels_that_are_left_are_a_failure(picture: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*picture, "--method", "telea", "--tile", "16", "--grow", "5"]) == 1
    assert "left as they are" in capsys.readouterr().out


def test_wrong_input_is_named(picture: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(picture) == 2
    assert "telea" in capsys.readouterr().err
    assert main([*picture, "--method", "telea", "--mask-codes", "a"]) == 2
    assert not (tmp_path / "out").exists()


def test_its_recipe_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "filling"]) == 0
    assert "mask_codes" in capsys.readouterr().out
