"""`rsprep semantic-masks` from the command line: the whole job, and every bad input with an error of its own."""

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
from tests.rsprep.corpus.scenes import SIZE, UTM, coloured, draw, plant, save, save_palette

Spoil = Callable[[Path], tuple[str, ...] | None]
"""Spoils a folder of scenes; gives the options that are added to the command, if any."""
CASES: dict[str, tuple[str, str, Spoil]] = {}


def case(title: str, name: str, shown: str = "") -> Callable[[Spoil], Spoil]:
    def enter(spoil: Spoil) -> Spoil:
        assert title not in CASES
        CASES[title] = (name, shown, spoil)
        return spoil

    return enter


def options(title: str, name: str, shown: str, *arguments: str) -> None:
    case(title, name, shown)(lambda _: arguments)


def grey(path: Path, shape: tuple[int, int] = (40, 50)) -> None:
    Image.fromarray(np.zeros(shape, np.uint8)).save(path)


# -- folders --------------------------------------------------------------------------------------

options("no class table named", "catalog/bad-crosswalk", "corine", "--classes", "corine")
options("no class table there", "catalog/bad-class-table", "mine.yaml", "--classes", "mine.yaml")
options("no such target table", "catalog/bad-crosswalk", "known crosswalks", "--to", "corine")
options("no such folder of masks", "input/no-scenes-folder", "labels", "--masks", "labels")
options("images are their own masks", "input/same-files", "images", "--masks", "images")
options("suffix that no file has", "input/no-such-suffix", "_label", "--mask-suffix", "_label")


@case("empty folder", "input/no-scenes-folder", "--images")
def _(scenes: Path) -> None:
    shutil.rmtree(scenes / "images")
    shutil.rmtree(scenes / "masks")


@case("empty folder of images", "input/empty-folder", "images")
def _(scenes: Path) -> None:
    for path in (scenes / "images").iterdir():
        path.unlink()


@case("an image without its mask", "input/unpaired-scenes", "without a mask: s1.png")
def _(scenes: Path) -> None:
    (scenes / "masks" / "s1.png").unlink()


@case("many masks without an image", "input/unpaired-scenes", "and 3 more")
def _(scenes: Path) -> None:
    for path in (scenes / "images").iterdir():
        path.rename(path.with_stem(path.stem.replace("s", "t") if path.stem != "s0" else "s0"))
    shutil.copy(scenes / "masks" / "s0.png", scenes / "masks" / "z.png")


@case("two images of one name", "input/duplicate-scene", "s0.png, s0.tif")
def _(scenes: Path) -> None:
    save(scenes / "images" / "s0.tif", draw((40, 50), 0)[0])


# -- images ---------------------------------------------------------------------------------------


@case("greyscale where RGB is needed", "input/not-rgb", "1 band")
def _(scenes: Path) -> None:
    for path in (scenes / "images").iterdir():
        Image.open(path).convert("L").save(path)


@case("palette pictures as images", "input/not-rgb", "a palette")
def _(scenes: Path) -> None:
    for path in (scenes / "images").iterdir():
        Image.open(path).convert("P").save(path)


@case("one greyscale image among RGB", "input/mixed-images", "s4.png")
def _(scenes: Path) -> None:
    grey(scenes / "images" / "s4.png", (50, 18))


@case("mixed dtypes", "input/mixed-images", "uint16")
def _(scenes: Path) -> None:
    (scenes / "images" / "s3.png").unlink()
    save(scenes / "images" / "s3.tif", draw((16, 16), 3, dtype="uint16")[0])


@case("bands in another order", "input/mixed-images", "blue, green, red")
def _(scenes: Path) -> None:
    for path in sorted((scenes / "images").iterdir()):
        names = ("blue", "green", "red") if path.stem == "s2" else ("red", "green", "blue")
        save(path.with_suffix(".tif"), np.moveaxis(np.asarray(Image.open(path)), 2, 0), names=names)
        path.unlink()


@case("floats as images", "input/image-type", "float32")
def _(scenes: Path) -> None:
    for path in sorted((scenes / "images").iterdir()):
        save(path.with_suffix(".tif"), np.moveaxis(np.asarray(Image.open(path)), 2, 0).astype("float32"))
        path.unlink()


@case("pixels of two sizes", "input/mixed-pixel-sizes", "20 m: s5.tif")
def _(scenes: Path) -> None:
    for path in sorted((scenes / "images").iterdir()):
        place = dict(UTM)
        if path.stem == "s5":
            place["transform"] = UTM["transform"] * UTM["transform"].scale(2)  # type: ignore[operator, attr-defined]
        save(path.with_suffix(".tif"), np.moveaxis(np.asarray(Image.open(path)), 2, 0), **place)
        path.unlink()


options("names for fewer bands", "input/band-names", "2 name(s) for 3", "--bands", "red,green")
options("a band named twice", "config/bad-bands", "a name of its own", "--bands", "red,red,blue")


@case("corrupt PNG", "input/corrupt-picture", "s2.png")
def _(scenes: Path) -> None:
    path = scenes / "images" / "s2.png"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


@case("cut-off mask", "input/corrupt-picture", "s1.png")
def _(scenes: Path) -> None:
    path = scenes / "masks" / "s1.png"
    path.write_bytes(path.read_bytes()[:-30])


@case("cut-off GeoTIFF", "input/corrupt-picture", "s6.tif")
def _(scenes: Path) -> None:
    path = scenes / "images" / "s6.png"
    save(path.with_suffix(".tif"), np.moveaxis(np.asarray(Image.open(path)), 2, 0))
    path.unlink()
    path = path.with_suffix(".tif")
    path.write_bytes(path.read_bytes()[:-3000])


@case("text for a picture", "input/unsupported-picture", "s0.png")
def _(scenes: Path) -> None:
    (scenes / "images" / "s0.png").write_text("not a picture at all")


# -- masks ----------------------------------------------------------------------------------------


@case("sizes that differ", "input/scene-sizes", "s0.png 40 × 50, s0.png 41 × 50")
def _(scenes: Path) -> None:
    grey(scenes / "masks" / "s0.png", (41, 50))


@case("mask with an unknown code", "input/unknown-code", "9, 77 in s0.png, s5.png")
def _(scenes: Path) -> None:
    for name, code in (("s0", 9), ("s5", 77)):
        path = scenes / "masks" / f"{name}.png"
        codes = np.array(Image.open(path))
        codes[-1, -1] = code  # at the edge, where no chip comes from
        Image.fromarray(codes).save(path)


@case("mask with a code above 255", "input/unknown-code", "300")
def _(scenes: Path) -> None:
    codes = np.asarray(Image.open(scenes / "masks" / "s0.png")).astype(np.uint16)
    (scenes / "masks" / "s0.png").unlink()
    codes[0, 0] = 300
    save(scenes / "masks" / "s0.tif", codes)


@case("mask with an unknown colour", "input/unknown-colour", "(1, 2, 3) in s0.png")
def _(scenes: Path) -> tuple[str, ...]:
    for path in (scenes / "masks").iterdir():
        picture = coloured(np.array(Image.open(path)), "gid-15")
        if path.stem == "s0":
            picture[:, 3, 3] = 1, 2, 3
        save(path, picture)
    return ("--classes", "gid-15")


@case("palette with an unknown colour", "input/unknown-colour", "(9, 9, 9)")
def _(scenes: Path) -> tuple[str, ...]:
    for path in (scenes / "masks").iterdir():
        save_palette(path, np.array(Image.open(path)), {0: (0, 0, 0), 1: (128, 0, 0), 2: (0, 128, 0), 3: (9, 9, 9)})
    return ("--mask-palette",)


@case("colours, but a table without a palette", "input/no-palette", "s0.png")
def _(scenes: Path) -> tuple[str, ...]:
    for path in (scenes / "masks").iterdir():
        save(path, coloured(np.array(Image.open(path)), "gid-15"))
    return ("--classes", "loveda")


@case("JPEG masks", "input/lossy-mask", "s0.jpg")
def _(scenes: Path) -> None:
    for path in sorted((scenes / "masks").iterdir()):
        save(path.with_suffix(".jpg"), np.array(Image.open(path)))
        path.unlink()


@case("probabilities for a mask", "input/mask-type", "s7.tif: 1 × float32")
def _(scenes: Path) -> None:
    (scenes / "masks" / "s7.png").unlink()
    save(scenes / "masks" / "s7.tif", np.zeros((20, 35), np.float32))


# -- settings -------------------------------------------------------------------------------------

options("a size of nothing", "config/bad-size", "size", "--size", "0")
options("chips larger than all scenes", "input/nothing-kept", "8 scenes, 0 chips", "--size", "512")
options("a share above one", "config/bad-max-unknown", "max_unknown", "--max-unknown", "80")
options("a ratio of two", "config/bad-ratio", "ratio", "--ratio", "4:1")
options("a ratio of nothing", "config/bad-ratio", "ratio", "--ratio", "0:0:0")
options("a ratio in words", "config/bad-ratio", "ratio", "--ratio", "most:few:few")
options("an unknown kind of split", "config/bad-split", "split", "--split", "tile")
options("an unknown kind of edge", "config/bad-edge", "edge", "--edge", "mirror")


@case("everything is unknown", "input/nothing-kept", "--max-unknown")
def _(scenes: Path) -> None:
    for path in (scenes / "masks").iterdir():
        grey(path, np.asarray(Image.open(path)).shape)


@case("fewer scenes than splits", "input/too-few-units", "2 scene(s)")
def _(scenes: Path) -> None:
    for folder in ("images", "masks"):
        for path in (scenes / folder).iterdir():
            if path.stem not in ("s0", "s1"):
                path.unlink()


@case("a ratio that YAML takes for a time", "config/bad-ratio", "in quotes")
def _(scenes: Path) -> tuple[str, ...]:
    (scenes / "recipe.yaml").write_text("ratio: 4:1:1\n")
    return ("--config", str(scenes / "recipe.yaml"))


@case("an unknown key", "config/unknown-key", "did you mean 'max_unknown'")
def _(scenes: Path) -> tuple[str, ...]:
    (scenes / "recipe.yaml").write_text("max_unknwon: 0.5\n")
    return ("--config", str(scenes / "recipe.yaml"))


@pytest.mark.parametrize("title", CASES)
def test_bad_input_is_named_and_leaves_nothing(
    title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    name, shown, spoil = CASES[title]
    plant(tmp_path / "scenes")
    added = spoil(tmp_path / "scenes") or ()
    before = sorted(path for path in tmp_path.rglob("*"))
    given = ("--classes", "scenes-lulc4") if "--classes" not in added else ()
    size = ("--size", str(SIZE)) if "--size" not in added else ()
    assert main(["semantic-masks", "scenes", "out", *given, *size, *added]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert f"error {name} " in error.replace(":", " ")
    assert shown in error
    assert "fix:" in error
    assert sorted(path for path in tmp_path.rglob("*")) == before


def test_a_missing_setting_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["semantic-masks", str(tmp_path), str(tmp_path / "out")]) == 2
    assert "--classes" in capsys.readouterr().err


def test_the_whole_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Options win over the recipe that comes with rsprep; the data set is catalogued, reported and verified."""
    monkeypatch.chdir(tmp_path)
    plant(tmp_path / "scenes")
    recipe = str(shipped("pipelines/semantic-masks.yaml"))
    command = ["semantic-masks", "scenes", "out", "--config", recipe, "--classes", "scenes-lulc4", "--size", str(SIZE)]
    assert main([*command, "--max-unknown", "0.5", "--ratio", "2:1:1", "--seed", "7", "--workers", "2"]) == 0
    assert "chips committed of" in capsys.readouterr().out
    lock = yaml.safe_load((tmp_path / "out" / "config.lock.yaml").read_text())
    assert (lock["max_unknown"], lock["ratio"], lock["seed"], lock["size"]) == (0.5, [2.0, 1.0, 1.0], 7, SIZE)
    assert {path.name for path in (tmp_path / "out").iterdir()} >= {"report.html", "items.parquet", "collection.json"}
    report = (tmp_path / "out" / "report.html").read_text()
    for said in ("Where the pixels went", "they add up", "Classes and their weights", "built-up", "Contact sheet"):
        assert said in report
    assert main(["verify", "out"]) == 0
    assert len(rsprep.open("out").chip_id) > 0


def test_greyscale_may_be_meant_so(tmp_path: Path) -> None:
    plant(tmp_path / "scenes")
    for path in (tmp_path / "scenes" / "images").iterdir():
        Image.open(path).convert("L").save(path)
    place = [str(tmp_path / "scenes"), str(tmp_path / "out"), "--catalog", str(tmp_path / "catalog")]
    options = ["--classes", "scenes-lulc4", "--size", str(SIZE), "--bands", "pan"]
    assert main(["semantic-masks", *place, *options]) == 0
    assert rsprep.open(tmp_path / "out").image.shape[1:] == (1, SIZE, SIZE)
