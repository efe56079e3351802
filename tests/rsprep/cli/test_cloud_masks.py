"""`rsprep cloud-masks` from the command line: the whole job, and every bad input with an error of its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import rsprep
from rsprep.cli.main import main
from rsprep.resources import shipped
from tests.rsprep.corpus.scenes import save
from tests.rsprep.corpus.skies import SIZE, plain_sky, plant_sky, plant_stac, utm

Spoil = Callable[[Path], tuple[str, ...] | None]
"""Spoils a folder of scenes; gives the options that are added to the command, if any."""
CASES: dict[str, tuple[str, str, Spoil]] = {}
SETTINGS = ("--size", str(SIZE), "--min-area", "0.02", "--fill-holes", "0")


def case(title: str, name: str, shown: str = "") -> Callable[[Spoil], Spoil]:
    def enter(spoil: Spoil) -> Spoil:
        assert title not in CASES
        CASES[title] = (name, shown, spoil)
        return spoil

    return enter


def options(title: str, name: str, shown: str, *arguments: str) -> None:
    case(title, name, shown)(lambda _: arguments)


# -- scenes ---------------------------------------------------------------------------------------


@case("no such folder", "input/not-found", "scenes")
def _(scenes: Path) -> None:
    (scenes / "a.tif").unlink()
    (scenes / "b.tif").unlink()
    scenes.rmdir()


@case("empty folder", "input/empty-folder", "scenes")
def _(scenes: Path) -> None:
    (scenes / "a.tif").unlink()
    (scenes / "b.tif").unlink()


@case("mask with an unknown code", "input/unknown-cloud-code", "7, 88 in a.tif, b.tif")
def _(scenes: Path) -> None:
    codes = plain_sky()
    codes[-1, -1] = 7
    plant_sky(scenes, codes, "a.tif")
    codes[0, 0] = 88
    plant_sky(scenes, codes, "b.tif")


@case("mask with codes above 255", "input/unknown-cloud-code", "300 in b.tif")
def _(scenes: Path) -> None:
    codes = plain_sky().astype(np.uint16)
    codes[9, 9] = 300
    plant_sky(scenes, codes, "b.tif")


@case("the wrong map for all scenes", "input/unknown-cloud-code", "2 in a.tif")
def _(scenes: Path) -> tuple[str, ...]:
    codes = plain_sky()
    codes[9, 9] = 2
    plant_sky(scenes, codes, "a.tif")
    return ("--classes", "binary")


@case("no map at all", "config/no-class-map", "a.tif")
def _(scenes: Path) -> tuple[str, ...]:
    return ("--classes", "")


options("thick without the rest", "config/no-class-map", "--clear", "--classes", "", "--thick", "1")


@case("corrupt GeoTIFF", "input/corrupt-picture", "b.tif")
def _(scenes: Path) -> None:
    path = scenes / "b.tif"
    path.write_bytes(path.read_bytes()[:-3000])


@case("corrupt PNG", "input/corrupt-picture", "c.png")
def _(scenes: Path) -> tuple[str, ...]:
    path = scenes / "c.png"
    Image.fromarray(plain_sky()).save(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    return ("--resolution", "10")


@case("colours for codes", "input/not-class-rasters", "c.png: 3 × uint8")
def _(scenes: Path) -> None:
    Image.fromarray(np.zeros((40, 50, 3), np.uint8)).save(scenes / "c.png")


@case("probabilities for codes", "input/not-class-rasters", "c.tif: 1 × float32")
def _(scenes: Path) -> None:
    save(scenes / "c.tif", np.zeros((40, 50), np.float32), **utm())


@case("JPEG for codes", "input/not-class-rasters", "c.jpg")
def _(scenes: Path) -> None:
    Image.fromarray(plain_sky()).save(scenes / "c.jpg")


@case("pixels of two sizes", "input/mixed-resolutions", "10 m: a; 20 m: b")
def _(scenes: Path) -> None:
    plant_sky(scenes, plain_sky(), "b.tif", **utm(20.0))


@case("one scene without a place", "input/mixed-resolutions", "unknown: c")
def _(scenes: Path) -> None:
    Image.fromarray(plain_sky()).save(scenes / "c.png")


@case("clear skies", "input/no-seeds", "2 scenes, 0 shapes of 47 pixels or more")
def _(scenes: Path) -> None:
    for name in ("a.tif", "b.tif"):
        plant_sky(scenes, plain_sky() * np.uint8(0), name)


@case("one blanket", "input/no-seeds", "2: wider than 48 pixels")
def _(scenes: Path) -> None:
    for name in ("a.tif", "b.tif"):
        plant_sky(scenes, np.ones((200, 200), np.uint8), name)


# -- STAC and data sets ---------------------------------------------------------------------------


@case("a catalog without SCL", "input/no-scl", "1 items")
def _(scenes: Path) -> None:
    plant_stac(scenes, [plain_sky()])
    item = scenes / "s2" / "S2A_20210606" / "item.json"
    item.write_text(item.read_text().replace('"SCL"', '"B04"'))


@case("a catalog that is none", "catalog/not-stac", "catalog.json")
def _(scenes: Path) -> None:
    (scenes / "catalog.json").write_text(json.dumps({"type": 3}))


@case("an asset on a server", "input/remote-scenes", "https://host/SCL.tif")
def _(scenes: Path) -> None:
    plant_stac(scenes, [plain_sky()])
    item = scenes / "s2" / "S2A_20210606" / "item.json"
    item.write_text(item.read_text().replace("./SCL.tif", "https://host/SCL.tif"))


@case("a catalog whose file is gone", "input/no-such-picture", "SCL.tif")
def _(scenes: Path) -> None:
    plant_stac(scenes, [plain_sky()])
    (scenes / "s2" / "S2A_20210606" / "SCL.tif").unlink()


# -- detectors ------------------------------------------------------------------------------------

options("a detector that is not installed", "input/detector-missing", "rsprep[clouds]", "--detector", "s2cloudless")
options("an unknown detector", "config/bad-detector", "detector", "--detector", "fmask")


# -- settings -------------------------------------------------------------------------------------

options("a size of nothing", "config/bad-size", "size", "--size", "0")
options("an area above one", "config/bad-max-area", "max_area", "--max-area", "60")
options("area bounds the wrong way", "config/bad-settings", "min_area 0.6", "--min-area", "0.6", "--max-area", "0.15")
case("area bounds that nothing meets", "input/no-seeds", "0 shapes of 861 pixels or more")(
    lambda _: ("--min-area", "0.79", "--max-area", "0.8", "--size", "33")
)
options("codes in words", "config/bad-thick", "thick", "--thick", "cloud")
options("a code above 255", "config/bad-thick", "thick", "--thick", "1,300")
options("a code named twice", "config/bad-settings", "named twice", "--thick", "1", "--nodata", "1")
options("an unknown coding", "config/bad-classes", "classes", "--classes", "fmask")
options("an unknown way with wide clouds", "config/bad-large", "large", "--large", "squeeze")
options("an unknown kind of split", "config/bad-split", "split", "--split", "tile")


@case("an unknown key", "config/unknown-key", "did you mean 'min_area'")
def _(scenes: Path) -> tuple[str, ...]:
    (scenes / "recipe.yaml").write_text("min_aera: 0.5\n")
    return ("--config", str(scenes / "recipe.yaml"))


@pytest.mark.parametrize("title", CASES)
def test_bad_input_is_named_and_leaves_nothing(
    title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "s2cloudless", None)
    name, shown, spoil = CASES[title]
    for scene in ("a.tif", "b.tif"):
        plant_sky(tmp_path / "scenes", plain_sky(), scene)
    added = spoil(tmp_path / "scenes") or ()
    before = sorted(path for path in tmp_path.rglob("*"))
    given = ("--classes", "omnicloudmask") if "--classes" not in added else ()
    assert main(["cloud-masks", "scenes", "out", *given, *SETTINGS, *added]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert f"error {name} " in error.replace(":", " ")
    assert shown in error
    assert "fix:" in error
    assert sorted(path for path in tmp_path.rglob("*")) == before


def test_a_server_is_no_folder(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["cloud-masks", "https://host/catalog.json", str(tmp_path / "out")]) == 2
    assert "input/remote-scenes" in capsys.readouterr().err


def test_what_is_missing_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["cloud-masks", str(tmp_path)]) == 2
    assert "--out" in capsys.readouterr().err
    (tmp_path / "recipe.yaml").write_text(f"out: {tmp_path / 'out'}\n")
    assert main(["cloud-masks", "--config", str(tmp_path / "recipe.yaml")]) == 2
    assert "scenes is required" in capsys.readouterr().err


def test_the_whole_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Several scenes, then the data set; options win over the recipe that comes with rsprep."""
    monkeypatch.chdir(tmp_path)
    plant_sky(tmp_path / "scenes", plain_sky())
    plant_stac(tmp_path / "stac", [plain_sky()])
    recipe = str(shipped("pipelines/cloud-masks.yaml"))
    command = ["cloud-masks", "scenes", "stac", "out", "--config", recipe, *SETTINGS, "--classes", "omnicloudmask"]
    assert main([*command, "--resolution", "10", "--n-diverse", "2", "--workers", "2"]) == 0
    assert "chips committed of" in capsys.readouterr().out
    lock = yaml.safe_load((tmp_path / "out" / "config.lock.yaml").read_text())
    assert (lock["scenes"], lock["size"], lock["n_diverse"], lock["max_cut"]) == (["scenes", "stac"], SIZE, 2, 0.15)
    there = {path.name for path in (tmp_path / "out").iterdir()}
    assert there >= {"report.html", "items.parquet", "collection.json", "manifest.csv", "masks"}
    assert main(["verify", "out"]) == 0
    assert main(["inspect", "out"]) == 0
    seeds = rsprep.open("out")
    assert int(seeds.diverse.values.sum()) == 2
    assert main([*command, "--resolution", "10", "--n-diverse", "2"]) == 0
    assert main([*command, "--resolution", "10", "--n-diverse", "3"]) == 2


def test_the_recipe_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plant_sky(tmp_path / "scenes", plain_sky())
    recipe = {"scenes": "scenes", "out": "out", "classes": "omnicloudmask", "size": SIZE, "min_area": 0.02}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    assert main(["cloud-masks", "--config", "recipe.yaml", "--crowd"]) == 0
    assert len(rsprep.open("out").chip_id) == 3


def test_its_settings_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "cloud-masks"]) == 0
    text = capsys.readouterr().out
    assert yaml.safe_load(text)["n_diverse"] == 28
    assert "# least share of a seed that is cloud" in text
