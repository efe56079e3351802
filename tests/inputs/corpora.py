"""Pictures, masks, scenes and the options of the commands that make corpora of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from rsprep.cli.main import main
from rsprep.corpus.clouds.settings import CloudSettings
from rsprep.corpus.inputs import list_files, slugs
from rsprep.corpus.occlusion.settings import OccludeSettings
from rsprep.corpus.pictures import read_mask
from rsprep.corpus.semantic.settings import SemanticSettings
from rsprep.settings import make_settings
from rsprep.store.read import open_dataset
from tests.inputs.table import Kit, bad, command, odd
from tests.rsprep.corpus.scenes import draw, save

P = "{shared}/pictures"


def maskmix(title: str, name: str, shown: str, *given: str, seeds: str = f"{P}/masks", out: str = "out") -> None:
    command("maskmix", title, name, shown, "maskmix", seeds, out, *given)


maskmix("no such folder", "input/not-found", "nowhere", seeds="nowhere")
maskmix("an empty folder", "input/empty-folder", "nothing", seeds=f"{P}/nothing")
maskmix("pictures of another kind", "input/empty-folder", "gif", seeds=f"{P}/gif")
maskmix("a table for masks", "input/empty-folder", "scores.csv", seeds=f"{P}/scores.csv")
maskmix("text called PNG", "input/unsupported-picture", "a.png", seeds=f"{P}/text")
maskmix("an empty file", "input/corrupt-picture", "a.png", seeds=f"{P}/empty-file")
maskmix("a header only", "input/corrupt-picture", "a.png", seeds=f"{P}/head")
maskmix("half a file", "input/corrupt-picture", "a.png", seeds=f"{P}/cut")
maskmix("nothing masked", "input/no-usable-seed", "a.png", seeds=f"{P}/clear")
maskmix("all masked", "input/no-usable-seed", "a.png", seeds=f"{P}/full")
maskmix("greys", "input/mask-values", "a.png", seeds=f"{P}/grey")
maskmix("four bands", "input/mask-bands", "4 bands", seeds=f"{P}/rgba")
maskmix("none", "config/bad-n", "0", "--n", "0")
maskmix("more than ten million", "config/bad-n", "1000000000000", "--n", str(10**12))
maskmix("one pixel", "config/bad-size", "1", "--size", "1")
maskmix("bounds the wrong way", "config/bad-area", "0.6", "--area", "0.6", "0.15")
maskmix("more than all", "config/bad-area", "2.0", "--area", "0.5", "2")
maskmix("a bound that is no number", "config/bad-area", "nan", "--area", "nan", "0.5")
maskmix("a seed below zero", "config/bad-seed", "-1", "--seed", "-1")
maskmix("a seed beyond 63 bits", "config/bad-seed", str(2**63), "--seed", str(2**63))
maskmix("another split", "config/bad-split", "dev", "--split", "dev")
maskmix("into its own input", "store/not-empty", "masks", out=f"{P}/masks")
maskmix("into a file", "store/not-a-folder", "scores.csv", out=f"{P}/scores.csv")
maskmix("nowhere", "config/bad-out", "at least 1", out="")
maskmix("a catalog that is a file", "store/not-a-folder", "scores.csv", "--catalog", f"{P}/scores.csv")
maskmix("seeds on a server", "config/bad-address", "ftp://", seeds="ftp://host/masks")
for title, text, name, shown in (
    ("a list for its rules", "mix: [1]", "bad-mix", "[1]"),
    ("a misspelt rule", "mix: {aera: [0.1, 0.5]}", "unknown-key", "did you mean"),
    ("half a mask", "n: 2.5", "bad-n", "2.5"),
    ("yes for a number", "n: yes", "bad-n", "True"),
    ("a seed that is a word", "seed: lucky", "bad-seed", "lucky"),
):
    bad("maskmix", title, f"config/{name}", shown, lambda kit, text=text: [  # type: ignore[misc]
        "maskmix", str(kit.shared / "pictures/masks"), "out", "--config", kit.write("r.yaml", text)])  # fmt: skip


def occlude(
    title: str, name: str, shown: str, *given: str, images: str = f"{P}/images", masks: str = f"{P}/masks"
) -> None:
    command("occlude", title, name, shown, "occlude", images, masks, "out", "--size", "64", *given)


occlude("no images", "input/not-found", "nowhere", images="nowhere")
occlude("no masks", "input/not-found", "nowhere", masks="nowhere")
occlude("half an image", "input/corrupt-picture", "a.png", images=f"{P}/head")
occlude("small images", "input/image-too-small", "8 × 8", images=f"{P}/tiny")
occlude("grey images", "input/needs-rgb", "grey", images=f"{P}/grey")
occlude("images with alpha", "input/needs-rgb", "rgba", images=f"{P}/rgba")
occlude("grey masks", "input/mask-values", "a.png", masks=f"{P}/grey")
occlude("clear masks", "input/no-mask-in-bounds", "0 to 0 %", "--split", "train", masks=f"{P}/clear")
occlude("full masks", "input/no-mask-in-bounds", "100 to 100 %", "--split", "train", masks=f"{P}/full")
occlude("a colour by name", "config/bad-fill-option", "black", "--fill", "black")
occlude("two numbers for three bands", "input/unfit-fill", "1, 2", "--fill", "1,2")
occlude("a number that bytes lack", "input/unfit-fill", "300", "--fill", "300")
occlude("clouds without a folder", "config/bad-settings", "go together", "--fill", "clouds")
occlude("another split", "config/bad-split", "dev", "--split", "dev")
occlude("no folders of splits", "input/split-unclear", "0.png", "--split", "folder")
occlude("a list that is not there", "input/split-file", "nowhere.csv", "--split-file", "nowhere.csv")
occlude("a list of something else", "input/split-file", "scores.csv", "--split-file", f"{P}/scores.csv")
occlude("an empty list", "input/split-file", "none.csv", "--split-file", f"{P}/none.csv")
occlude("a list with another split", "input/split-file", "dev.csv, line 2", "--split-file", f"{P}/dev.csv")
occlude("an image in two splits", "input/split-file", "line 3", "--split-file", f"{P}/twice.csv")
occlude("a list in UTF-16", "input/split-file", "utf16.csv", "--split-file", f"{P}/utf16.csv")
occlude("a picture for a list", "input/split-file", "0.png", "--split-file", f"{P}/images/0.png")
occlude("a folder for a list", "input/split-file", "images", "--split-file", f"{P}/images")
occlude("a list of one", "input/not-in-split-file", "1.png", "--split-file", f"{P}/one.csv")
occlude("no masks of an image", "config/bad-per-image", "0", "--per-image", "0")
occlude("classes of pictures", "input/carry-folder", "lulc", "--carry", "lulc")
occlude("a share of two", "config/bad-min-valid", "2.0", "--min-valid", "2")
occlude("three shares are too many", "config/bad-settings", "lower one first", "--area", "0.6", "0.1")


def semantic(title: str, name: str, shown: str, *given: str, scenes: str = "{shared}/scenes") -> None:
    command("semantic-masks", title, name, shown,
            "semantic-masks", scenes, "out", "--classes", "gid-15", "--size", "16", *given)  # fmt: skip


semantic("no scenes", "input/no-scenes-folder", "nowhere", scenes="nowhere")
semantic("no folder of that name", "input/no-scenes-folder", "pictures", "--images", "pictures")
semantic("one folder for both", "input/same-files", "masks", "--images", "masks")
semantic("a suffix that none has", "input/no-such-suffix", "_sat", "--image-suffix", "_sat")
semantic("two names for three bands", "input/band-names", "2 name(s)", "--bands", "a,b")
semantic("one name for two bands", "config/bad-bands", "name of its own", "--bands", "a,a,b")
semantic("chips larger than scenes", "input/nothing-kept", "0 chips", "--size", "4096")
semantic("a share of two", "config/bad-max-unknown", "2.0", "--max-unknown", "2")
semantic("two parts", "config/bad-ratio", "4", "--ratio", "4:1")
semantic("parts of nothing", "config/bad-ratio", "0:0:0", "--ratio", "0:0:0")
semantic("a part below zero", "config/bad-ratio", "4:-1:1", "--ratio", "4:-1:1")
semantic("a part that is a word", "config/bad-ratio", "most", "--ratio", "most")
semantic("no metres", "config/bad-resolution", "0.0", "--resolution", "0")
semantic("no such classes", "catalog/bad-crosswalk", "martian", "--classes", "martian")
semantic("no such table", "catalog/bad-class-table", "nowhere.yaml", "--classes", "./nowhere.yaml")
semantic("no such classes to go to", "catalog/bad-crosswalk", "martian", "--to", "martian")
bad("semantic-masks", "parts as YAML reads them", "config/bad-ratio", "14461", lambda kit: [
    "semantic-masks", str(kit.shared / "scenes"), "out", "--classes", "gid-15",
    "--config", kit.write("r.yaml", "ratio: 4:1:1")])  # fmt: skip
for title, text in {
    "empty": "",
    "a list": "- a",
    "a number": "5",
    "classes are a number": "title: x\nclasses: 5",
}.items():
    bad("semantic-masks", f"class table: {title}", "catalog/bad-class-table", "table.yaml", lambda kit, text=text: [  # type: ignore[misc]
        "semantic-masks", str(kit.shared / "scenes"), "out", "--classes",
        "./" + kit.write("table.yaml", text)])  # fmt: skip


def scene(title: str, name: str, shown: str, change: Callable[[Path], object]) -> None:
    """The scenes with one file otherwise."""

    def make(kit: Kit) -> list[str]:
        change(kit.copy("scenes"))
        return ["semantic-masks", "scenes", "out", "--classes", "gid-15", "--size", "16"]

    bad("semantic-masks", title, f"input/{name}", shown, make)


CODES = draw((40, 50), 0)[1]
scene("an image without a mask", "unpaired-scenes", "s0.png", lambda at: (at / "masks/s0.png").unlink())
scene("a mask without an image", "unpaired-scenes", "s0.png", lambda at: (at / "images/s0.png").unlink())
scene("a code without a class", "unknown-code", "200", lambda at: save(at / "masks/s0.png", CODES * 0 + np.uint8(200)))
scene("a mask of another size", "scene-sizes", "20 × 50", lambda at: save(at / "masks/s0.png", CODES[:20]))
scene("half an image", "corrupt-picture", "s0.png", lambda at: (at / "images/s0.png").write_bytes(b"\x89PNG\r\n\x1a\n"))
scene("a scene twice", "duplicate-scene", "s0.tif", lambda at: save(at / "images/s0.tif", np.stack([CODES] * 3)))
scene("one grey image", "mixed-images", "s0.png", lambda at: save(at / "images/s0.png", CODES))
scene("colours without a class", "unknown-colour", "(7, 7, 7)",
      lambda at: save(at / "masks/s0.png", np.stack([CODES * 0 + np.uint8(7)] * 3)))  # fmt: skip
scene("a mask as JPEG", "lossy-mask", "s0.jpg",
      lambda at: ((at / "masks/s0.png").unlink(), save(at / "masks/s0.jpg", CODES)))  # fmt: skip
scene("a mask of fractions", "mask-type", "float32",
      lambda at: ((at / "masks/s0.png").unlink(), save(at / "masks/s0.tif", CODES.astype("float32"))))  # fmt: skip


def clouds(title: str, name: str, shown: str, *given: str, scenes: str = "{shared}/sky") -> None:
    command("cloud-masks", title, name, shown, "cloud-masks", scenes, "out", "--size", "48", *given)


CODING = ("--classes", "omnicloudmask")
clouds("no scenes", "input/not-found", "nowhere", *CODING, scenes="nowhere")
clouds("codes without a meaning", "config/no-class-map", "sky.tif")
clouds("a coding of nobody", "config/bad-classes", "x", "--classes", "x")
clouds("half a coding", "config/no-class-map", "sky.tif", "--thick", "1")
clouds("a code by name", "config/bad-thick", "cloud", "--thick", "cloud", "--clear", "0")
clouds("a code beyond bytes", "config/bad-thick", "300", "--thick", "300", "--clear", "0")
clouds("a code for two things", "config/bad-settings", "named twice", "--thick", "1", "--clear", "1")
clouds("codes that the coding lacks", "input/unknown-cloud-code", "a.png", "--classes", "binary", scenes=f"{P}/grey")
clouds("bounds the wrong way", "config/bad-settings", "0.9", *CODING, "--min-area", "0.9", "--max-area", "0.1")
clouds("a bridge of 99 pixels", "config/bad-opening", "99", *CODING, "--opening", "99")
clouds("pixels of a micrometre", "input/resolution-too-fine", "1e-06", *CODING, "--resolution", "1e-6")
clouds("pixels of a million km", "input/no-seeds", "1 scenes", *CODING, "--resolution", "1e9")
clouds("colours for codes", "input/not-class-rasters", "3 × uint8", *CODING, scenes=f"{P}/images")
clouds("scenes on a server", "input/remote-scenes", "https://", *CODING, scenes="https://host/x.tif")
clouds("a detector of nobody", "config/bad-detector", "eyes", "--detector", "eyes")
command("cloud-masks", "one folder alone", "config/missing", "out", "cloud-masks", "{shared}/sky", *CODING)
for title, name, shown, given in (
    ("no folder", "config/missing", "out", ()),
    ("two places", "config/bad-n", "2", ("out", "--n", "2")),
    ("a pixel", "config/bad-size", "1", ("out", "--size", "1")),
    ("a turn too far", "config/bad-heading", "200", ("out", "--heading", "200")),
    ("into a file", "store/not-a-folder", "scores.csv", (f"{P}/scores.csv",)),
    ("into pictures", "store/not-empty", "0.png", (f"{P}/images",)),
    ("by nobody", "config/bad-scheduler", "x", ("out", "--scheduler", "x")),
):
    command("simulate-views", title, name, shown, "simulate-views", *given)
command("simulate", "into a file", "store/not-a-folder", "scores.csv", "simulate", f"{P}/scores.csv")
command("simulate", "into pictures", "config/not-empty", "images", "simulate", f"{P}/images")


# -- odd but valid --------------------------------------------------------------------------------


@odd("pictures", "masks of ones, of bits, and of three equal bands")
def _(kit: Kit) -> None:
    root = kit.shared / "pictures"
    wanted = read_mask(root / "masks" / "0.png")
    for name in ("ones/a.png", "ones/b.png", "rgb-mask/a.png"):
        assert np.array_equal(read_mask(root / name), wanted), name


@odd("pictures", "hidden files and other kinds beside them, endings in capitals")
def _(kit: Kit) -> None:
    for name in ("b.PNG", ".thumb.png", "notes.txt", "sub/a.JPeG", ".git/x.png"):
        kit.write(f"in/{name}", b"")
    assert [path.name for path in list_files(kit.here / "in")] == ["b.PNG", "a.JPeG"]


@odd("pictures", "names that no chip can have")
def _(_: Kit) -> None:
    found = slugs(["a b", "a-b", "ü", "../x", "A-B"])
    assert len({name.lower() for name in found.values()}) == 5
    assert not any(set(name) & set("/\\ ") for name in found.values())


@odd("maskmix", "seeds of several sizes")
def _(kit: Kit) -> None:
    seeds = str(kit.shared / "pictures" / "sizes")
    assert main(["maskmix", seeds, "out", "--catalog", "catalog", "--n", "2", "--size", "63"]) == 0
    chips = open_dataset(kit.here / "out")
    assert chips["mask"].shape == (2, 63, 63)


@odd("occlude", "one number for all bands, as a number")
def _(_: Kit) -> None:
    given = {"images": "a", "masks": "b", "out": "c"}
    assert make_settings(OccludeSettings, {**given, "fill": 7}).fill == (7.0,)


@odd("semantic-masks", "parts in quotes")
def _(_: Kit) -> None:
    given = {"scenes": "a", "classes": "b", "out": "c"}
    assert make_settings(SemanticSettings, {**given, "ratio": "4:1:1"}).ratio == (4.0, 1.0, 1.0)


@odd("cloud-masks", "one scene as a word, codes in quotes")
def _(_: Kit) -> None:
    settings = make_settings(CloudSettings, {"scenes": "a", "out": "b", "thick": ["1", "2"], "clear": ["0"]})
    assert settings.scenes == ("a",)
    assert settings.raster_codes is not None
    assert settings.raster_codes.thick == (1, 2)
