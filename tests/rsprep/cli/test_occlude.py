"""`rsprep occlude` from the command line: the whole job, and every bad input with an error of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import rsprep
from rsprep.cli.main import main
from rsprep.resources import shipped
from tests.rsprep.corpus.occluding import SIDE, ground, save, shape_of, write_images, write_mask_dataset, write_masks
from tests.rsprep.corpus.test_inputs import tiff

Spoil = Callable[[Path], tuple[str, ...] | None]
"""Spoils the folders images and masks; gives the options that are added to the command, if any."""
CASES: dict[str, tuple[str, str, Spoil]] = {}


def case(title: str, name: str, shown: str = "") -> Callable[[Spoil], Spoil]:
    def enter(spoil: Spoil) -> Spoil:
        assert title not in CASES
        CASES[title] = (name, shown, spoil)
        return spoil

    return enter


def options(title: str, name: str, shown: str, *arguments: str) -> None:
    case(title, name, shown)(lambda _: arguments)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with images and masks in it."""
    write_images(tmp_path / "images", {"train/field": 4, "test/field": 2})
    write_masks(tmp_path / "masks", 6)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> int:
    return main(["occlude", "images", "masks", "pairs", "--size", str(SIDE), *arguments])


# -- images ---------------------------------------------------------------------------------------

options("a wrong size", "config/bad-size", "8", "--size", "8")
options("no such variable of settings", "config/bad-bands", "rgba", "--bands", "rgba")


@case("no images at all", "input/not-found", "images")
def _(root: Path) -> None:
    shutil.rmtree(root / "images")


@case("an empty folder of images", "input/empty-folder", "images")
def _(root: Path) -> None:
    shutil.rmtree(root / "images")
    (root / "images").mkdir()


@case("greyscale where RGB is needed", "input/needs-rgb", "train/field/01.png (grey, 1 band(s))")
def _(root: Path) -> None:
    save(root / "images/train/field/01.png", ground(0, (SIDE, SIDE)))


@case("transparency where RGB is needed", "input/needs-rgb", "rgba")
def _(root: Path) -> None:
    save(root / "images/train/field/01.png", ground(0, (4, SIDE, SIDE)))


@case("images of two kinds", "input/unlike-images", "1 × uint8, no nodata: test/field/00.png")
def _(root: Path) -> tuple[str, ...]:
    save(root / "images/test/field/00.png", ground(0, (SIDE, SIDE)))
    return ("--bands", "any")


@case("an image smaller than a chip", "input/image-too-small", "train/field/01.png 40 × 64")
def _(root: Path) -> None:
    save(root / "images/train/field/01.png", ground(0, (3, 40, SIDE)))


@case("a cut PNG", "input/corrupt-picture", "02.png")
def _(root: Path) -> None:
    path = root / "images/train/field/02.png"
    path.write_bytes(path.read_bytes()[:4000])


@case("a cut JPEG", "input/corrupt-picture", "09.jpg")
def _(root: Path) -> None:
    path = save(root / "images/train/field/09.jpg", ground(0))
    path.write_bytes(path.read_bytes()[:-500])


@case("several damaged pictures", "input/corrupt-images", "2 pictures")
def _(root: Path) -> None:
    for name in ("01", "02"):
        path = root / f"images/train/field/{name}.png"
        path.write_bytes(path.read_bytes()[:4000])


@case("a text that is called PNG", "input/unsupported-picture", "x.png")
def _(root: Path) -> None:
    (root / "images/train/x.png").write_text("hello")


@case("images in no folder of a split", "input/split-unclear", "a.png")
def _(root: Path) -> None:
    save(root / "images/a.png", ground(0))


@case("a list of splits without an image", "input/not-in-split-file", "test/field/01.png")
def _(root: Path) -> tuple[str, ...]:
    (root / "list.csv").write_text("image,split\n" + "".join(f"train/field/0{i},val\n" for i in range(4)))
    return ("--split-file", "list.csv")


@case("a list of splits that is none", "input/split-file", "line 2")
def _(root: Path) -> tuple[str, ...]:
    (root / "list.csv").write_text("file,part\na,b\n")
    return ("--split-file", "list.csv")


@case("no list of splits there", "input/split-file", "absent.csv")
def _(_: Path) -> tuple[str, ...]:
    return ("--split-file", "absent.csv")


# -- masks ----------------------------------------------------------------------------------------

options("bounds the wrong way round", "config/bad-settings", "lower one first", "--area", "0.6", "0.15")
options("bounds that no mask meets", "input/no-mask-in-bounds", "20 to 49.8 %", "--area", "0.7", "0.9")


@case("an empty folder of masks", "input/empty-folder", "masks")
def _(root: Path) -> None:
    shutil.rmtree(root / "masks")
    (root / "masks").mkdir()


@case("a mask with other values", "input/mask-values", "0, 1, 2")
def _(root: Path) -> None:
    mask = shape_of(0, 0.3)
    mask[0, 0] = 2
    save(root / "masks/odd.png", mask)


@case("a mask with colours", "input/mask-bands", "3 bands")
def _(root: Path) -> None:
    save(root / "masks/odd.png", ground(0))


@case("a damaged mask", "input/corrupt-picture", "mask02.png")
def _(root: Path) -> None:
    path = root / "masks/mask02.png"
    path.write_bytes(path.read_bytes()[:60])


@case("masks of another size", "input/mask-sizes", "odd.png 40 × 40")
def _(root: Path) -> tuple[str, ...]:
    save(root / "masks/odd.png", shape_of(0, 0.3, 40))
    return ("--place", "as-is")


@case("bounds that no resized mask meets", "input/no-mask-in-bounds", "resized to hide 15 to 60 %")
def _(root: Path) -> tuple[str, ...]:
    shutil.rmtree(root / "masks")
    write_masks(root / "masks", 3, side=8)
    return ("--place", "random")


@case("fewer masks than splits", "input/too-few-masks", "test 0")
def _(root: Path) -> None:
    shutil.rmtree(root / "masks")
    write_masks(root / "masks", 1)


@case("one shape under two names", "input/too-few-masks", "test 0")
def _(root: Path) -> None:
    shutil.rmtree(root / "masks")
    write_masks(root / "masks", 1)
    shutil.copy(root / "masks/mask00.png", root / "masks/again.png")


@case("more masks an image than there are", "input/too-few-masks", "at least 5")
def _(_: Path) -> tuple[str, ...]:
    return ("--per-image", "5")


@case("masks for training only", "input/too-few-masks", "--mask-split hash")
def _(root: Path) -> None:
    shutil.rmtree(root / "masks")
    write_mask_dataset(root / "masks", ["train"] * 8)
    shutil.rmtree(root / "catalog")


@case("a data set that holds no masks", "input/no-variable", "occluded, mask, clean")
def _(root: Path) -> tuple[str, ...]:
    assert run() == 0
    (root / "pairs").rename(root / "other")
    shutil.rmtree(root / "catalog")
    shutil.rmtree(root / "images")
    (root / "other").rename(root / "images")
    return ("--variable", "s2")


# -- fill -----------------------------------------------------------------------------------------

options("a fill that does not fit", "input/unfit-fill", "256", "--fill", "256")
options("a fill for other bands", "input/unfit-fill", "3 band(s)", "--fill", "1,2")
options("a fill that is no number", "config/bad-fill-option", "blue", "--fill", "blue")
options("clouds without a folder", "config/bad-settings", "go together", "--fill", "clouds")
options("no clouds there", "input/not-found", "sky", "--clouds", "sky")


@case("16 bit, of which no white is known", "input/fill-needed", "--fill NUMBER")
def _(root: Path) -> tuple[str, ...]:
    shutil.rmtree(root / "images")
    (root / "images").mkdir()
    tiff(root / "images/a.tif", ground(0).astype(np.uint16))
    return ("--split", "train")


@case("clouds without masks", "input/no-cloud-mask", "NAME_mask.png")
def _(root: Path) -> tuple[str, ...]:
    save(root / "sky/a.png", ground(0))
    return ("--clouds", "sky")


@case("clouds of other bands", "input/clouds-unlike-images", "1 × uint8")
def _(root: Path) -> tuple[str, ...]:
    save(root / "sky/a.png", ground(0, (SIDE, SIDE)))
    save(root / "sky/a_mask.png", np.ones((SIDE, SIDE), np.uint8))
    return ("--clouds", "sky")


@case("hardly a cloud", "input/too-little-cloud", "a")
def _(root: Path) -> tuple[str, ...]:
    save(root / "sky/a.png", ground(0))
    save(root / "sky/a_mask.png", shape_of(0, 0.05))
    return ("--clouds", "sky")


@case("one cloud for two splits", "input/too-few-clouds", "1 with enough")
def _(root: Path) -> tuple[str, ...]:
    save(root / "sky/a.png", ground(0))
    save(root / "sky/a_mask.png", np.ones((SIDE, SIDE), np.uint8))
    return ("--clouds", "sky")


# -- running them ---------------------------------------------------------------------------------


@pytest.mark.parametrize("title", CASES)
def test_bad_input_is_named_and_nothing_is_written(place: Path, title: str, capsys: pytest.CaptureFixture[str]) -> None:
    name, shown, spoil = CASES[title]
    arguments = spoil(place) or ()
    before = sorted(place.rglob("*"))
    capsys.readouterr()
    assert run(*arguments) == 2
    said = capsys.readouterr().err
    assert f"error {name} " in " ".join(said.split())
    assert shown in " ".join(said.split())
    assert "fix:" in said
    assert sorted(place.rglob("*")) == before


def test_the_whole_job(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--fill", "255,254,0") == 0
    assert "6 chips" in capsys.readouterr().out
    chips = rsprep.open(place / "pairs")
    hidden = chips["mask"].to_numpy()[0] == 1
    assert (chips["occluded"].to_numpy()[0][:, hidden].T == [255, 254, 0]).all()
    lock = yaml.safe_load((place / "pairs" / "config.lock.yaml").read_text(encoding="utf-8"))
    assert lock["fill"] == [255.0, 254.0, 0.0]
    assert main(["verify", "pairs"]) == 0
    assert main(["inspect", "pairs"]) == 0
    assert "Masks" in capsys.readouterr().out
    assert run("--fill", "255,254,0") == 0
    assert run("--fill", "255") == 2


def test_the_recipe_is_a_whole_recipe(place: Path) -> None:
    recipe = str(shipped("pipelines/occlude.yaml"))
    assert run("--config", recipe, "--per-image", "2") == 0
    chips = rsprep.open(place / "pairs")
    assert len(chips.chip) == 12
    assert len(np.unique(chips["mask"].to_numpy().reshape(12, -1), axis=0)) == 12


def test_jpegs_in_their_stored_orientation(place: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    save(place / "images/train/field/00.png", ground(0))
    turned = save(place / "images/train/field/turned.jpg", ground(7), exif=exif)
    assert run() == 0
    with Image.open(turned) as image:
        stored = np.moveaxis(np.asarray(image), 2, 0)
    chip = rsprep.chip(rsprep.open(place / "pairs"), "train-field-turned")
    assert (chip["clean"].to_numpy() == stored).all()


def test_clouds_beside_their_masks_or_in_a_folder_of_their_own(place: Path) -> None:
    shutil.rmtree(place / "images" / "test")
    for i in range(2):
        save(place / f"sky/{i}.png", np.full((3, 100, 100), 200 + i, np.uint8))
        save(place / f"sky/{i}_mask.png", np.ones((100, 100), np.uint8))
    assert run("--clouds", "sky") == 0
    (place / "cloudy").mkdir()
    for path in sorted((place / "sky").glob("*_mask.png")):
        path.rename(place / "cloudy" / path.name.replace("_mask", ""))
    again = ["occlude", "images", "masks", "again", "--size", str(SIDE)]
    assert main([*again, "--clouds", "sky", "--cloud-masks", "cloudy"]) == 0
    one, two = (rsprep.open(place / name) for name in ("pairs", "again"))
    assert (one["occluded"].to_numpy() == two["occluded"].to_numpy()).all()
    hidden = np.broadcast_to(one["mask"].to_numpy()[:, None] == 1, one["occluded"].shape)
    assert set(np.unique(one["occluded"].to_numpy()[hidden])) <= {200, 201}
