"""`rsprep maskmix` from the command line: the whole job, and every bad input with an error of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import rsprep
from rsprep.cli.main import main
from rsprep.resources import shipped

SIDE = 64


def picture(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(values).save(path)


def round_cloud(number: int) -> np.ndarray:
    y, x = np.indices((SIDE, SIDE)) - SIDE / 2
    return np.where(np.hypot(y, x + number) < 16 + 2 * number, np.uint8(255), np.uint8(0))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with three seeds in it."""
    for number in range(3):
        picture(tmp_path / "seeds" / f"{number}.png", round_cloud(number))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command_does_the_whole_job(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--n", "25", "--size", "48", "--area", "0.2", "0.4", "--seed", "3", "--split", "val", "--png"]
    assert main(["maskmix", "seeds", "masks", *options]) == 0
    shown = capsys.readouterr().out
    assert "acceptance rate" in shown
    assert "25 of 25" in shown
    dataset = rsprep.open(place / "masks")
    area = dataset["mask"].to_numpy().mean((1, 2))
    assert dataset["mask"].shape == (25, 48, 48)
    assert 0.2 <= area.min() < area.max() <= 0.4
    assert set(dataset["split"].to_numpy().tolist()) == {"val"}
    assert len(list((place / "masks" / "masks").iterdir())) == 25
    assert "acceptance rate" in (place / "masks" / "report.html").read_text()
    before = dataset["mask"].to_numpy()
    assert main(["maskmix", "seeds", "masks", *options]) == 0  # nothing left to do
    assert (rsprep.open(place / "masks")["mask"].to_numpy() == before).all()
    assert main(["verify", "masks"]) == 0


def test_options_win_over_a_recipe(place: Path) -> None:
    recipe = {"n": 5, "size": 64, "mix": {"area": [0.3, 0.5], "branches": 2, "ops": ["rotate", "translate"]}}
    (place / "mine.yaml").write_text(yaml.safe_dump(recipe))
    assert main(["maskmix", "seeds", "masks", "--config", "mine.yaml", "--n", "4"]) == 0
    lock = yaml.safe_load((place / "masks" / "config.lock.yaml").read_text())
    assert (lock["n"], lock["size"], lock["mix"]["branches"], lock["mix"]["area"]) == (4, 64, 2, [0.3, 0.5])


def test_the_shipped_recipe_is_the_papers(place: Path) -> None:
    recipe = str(shipped("pipelines") / "maskmix.yaml")
    assert main(["maskmix", "seeds", "masks", "--config", recipe, "--n", "3", "--size", "32"]) == 0
    assert rsprep.open(place / "masks")["mask"].shape == (3, 32, 32)


def nothing(_: Path) -> None:
    pass


def clear(root: Path) -> None:
    for path in (root / "seeds").iterdir():
        path.unlink()


def all_one_value(value: int) -> Callable[[Path], None]:
    def spoil(root: Path) -> None:
        for path in (root / "seeds").iterdir():
            picture(path, np.full((SIDE, SIDE), value, np.uint8))

    return spoil


def grey(root: Path) -> None:
    picture(root / "seeds" / "grey.png", np.full((8, 8), 128, np.uint8))


def corrupt(root: Path) -> None:
    path = root / "seeds" / "1.png"
    path.write_bytes(path.read_bytes()[:60])


@pytest.mark.parametrize(
    ("spoil", "options", "name", "shown"),
    [
        (clear, [], "input/empty-folder", "seeds"),
        (all_one_value(0), [], "input/no-usable-seed", "0.png"),
        (all_one_value(255), [], "input/no-usable-seed", "0.png"),
        (grey, [], "input/mask-values", "grey.png: 128"),
        (corrupt, [], "input/corrupt-picture", "1.png"),
        (nothing, ["--area", "0.6", "0.15"], "config/bad-area", "the least first"),
        (nothing, ["--area", "0.15", "1.5"], "config/bad-area", "1.5"),
        (nothing, ["--area", "0.9999", "1"], "config/area-unreachable", "best area reached: 0."),
        (nothing, ["--n", "0"], "config/bad-n", "1"),
        (nothing, ["--size", "8"], "config/bad-size", "16"),
        (nothing, ["--size", "9000"], "config/bad-size", "4096"),
        (nothing, ["--seed", "-1"], "config/bad-seed", "0"),
        (nothing, ["--split", "dev"], "config/bad-split", "train"),
    ],
)
def test_bad_input_is_named_and_leaves_nothing(
    place: Path,
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[Path], None],
    options: list[str],
    name: str,
    shown: str,
) -> None:
    spoil(place)
    assert main(["maskmix", "seeds", "masks", *options]) == 2
    said = capsys.readouterr().err
    assert name in said
    assert shown in said
    assert not (place / "masks").exists()
    assert not (place / "catalog").exists()


def test_a_folder_that_is_not_there(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["maskmix", "sedes", "masks"]) == 2
    assert "input/not-found" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("mix", "name", "hint"),
    [
        ({"rotat": 3}, "config/unknown-key", "rotate"),
        ({"ops": [["translate", "flip"]]}, "config/bad-ops", "translate"),
        ({"weights": "fixed", "fixed": [0.5, 0.5]}, "config/fixed-weights-sum", "4 weights"),
        ({"area": None}, "config/no-aim", "resize"),
    ],
)
def test_bad_recipes(
    place: Path, capsys: pytest.CaptureFixture[str], mix: dict[str, object], name: str, hint: str
) -> None:
    (place / "mine.yaml").write_text(yaml.safe_dump({"mix": mix}))
    assert main(["maskmix", "seeds", "masks", "--config", "mine.yaml"]) == 2
    said = capsys.readouterr().err
    assert name in said
    assert hint in said
