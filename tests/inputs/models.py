"""What the commands of rsmodels are given: data sets, runs, recipes, masks, rasters."""

from __future__ import annotations

from typing import Any

from rsprep.settings import make_settings
from tests.inputs.table import Kit, bad, command, odd

TINY, RUN, P = "{shared}/tiny", "{shared}/run", "{shared}/pictures"


def train(title: str, name: str, shown: str, *given: str) -> None:
    sound = ("train", "pix2pix", "--preset", "tiny", "--data", TINY, "--out", "out", "--steps", "1")
    command("train", title, name, shown, *sound, *given, program="rsmodels")


command("train", "no model of that name", "model/no-such-model", "gpt", "train", "gpt", program="rsmodels")
command("train", "no folder", "config/missing", "out", "train", "pix2pix", "--data", TINY, program="rsmodels")
command("train", "no data", "store/not-found", "nowhere",
        "train", "pix2pix", "--data", "nowhere", "--out", "out", "--steps", "1", program="rsmodels")  # fmt: skip
command("train", "a table for data", "store/not-found", "scores.csv",
        "train", "pix2pix", "--data", f"{P}/scores.csv", "--out", "out", "--steps", "1",
        program="rsmodels")  # fmt: skip
train("no steps", "config/how-long", "steps 0", "--steps", "0")
train("fewer than no steps", "config/bad-steps", "-1", "--steps", "-1")
train("steps and epochs", "config/how-long", "epochs 1", "--epochs", "1")
train("a data set twice", "model/same-data-set", "tiny", "--data", TINY)
train("parts of one", "config/bad-ratio", "1:1", "--ratio", "1:1")
train("parts that are words", "config/bad-ratio", "half", "--ratio", "half")
train("a condition of nobody", "config/bad-conditions", "snow", "--conditions", "snow")
train("no conditions", "config/bad-conditions", "[]", "--conditions", "")
train("a condition twice", "config/bad-conditions", "named twice", "--conditions", "radar,radar")
train("a band that the data lack", "model/no-such-band", "B99", "--bands", "B99")
train("a band twice", "model/no-such-band", "B04, B04", "--bands", "B04,B04")
train("a preset of nobody", "model/no-such-preset", "huge", "--preset", "huge")
train("more chips at a time than there are", "model/batch-too-large", "100000", "--batch", "100000")
train("no chips at a time", "config/bad-batch", "0", "--batch", "0")
train("eighths of a number", "config/bad-precision", "int8", "--precision", "int8")
train("another device", "config/bad-device", "tpu", "--device", "tpu")
train("on no device", "config/bad-devices", "0", "--devices", "0")
train("never saved", "config/bad-save-every", "0", "--save-every", "0")
train("a day", "model/bad-time", "1d", "--max-time", "1d")
for title, text, name, shown in (
    ("a list for a network", "network: [1]", "config/bad-network", "[1]"),
    ("a misspelt width", "network: {widht: 4}", "config/unknown-key", "did you mean"),
    ("no width", "network: {width: 0}", "config/bad-width", "0"),
    ("a word for how it is read, and an option of it", "loading: fast", "config/bad-loading", "fast"),
    ("yes for steps", "steps: yes", "config/bad-steps", "True"),
):
    bad("train", title, name, shown, lambda kit, text=text: [  # type: ignore[misc]
        "train", "pix2pix", "--data", str(kit.shared / "tiny"), "--out", "out", "--window", "4",
        "--config", kit.write("r.yaml", text)], program="rsmodels")  # fmt: skip


def checkpoints(verb: str, before: tuple[str, ...], after: tuple[str, ...]) -> None:
    """What is no checkpoint."""
    for title, given, name, shown in (
        ("nothing", "nowhere", "model/no-checkpoint", "nowhere"),
        ("pictures", f"{P}/images", "model/no-checkpoint", "images"),
        ("a data set", TINY, "model/no-checkpoint", "tiny"),
        ("a pickle", f"{P}/weights.pt", "model/pickled-checkpoint", "weights.pt"),
        ("a name without end", "x" * 400, "input/name-too-long", "xxxx"),
    ):
        command(verb, f"checkpoint: {title}", name, shown, *before, given, *after, program="rsmodels")


checkpoints("evaluate", ("evaluate",), ("--data", TINY))
checkpoints("synth-augment", ("synth-augment", "--data", TINY, "--out", "out", "--checkpoint"), ())
checkpoints("edit", ("edit",), ("--data", TINY, "--chip", "tiny-000", "--replace", "water=trees", "--out", "out"))
checkpoints("colorize", ("colorize", f"{P}/images", "out", "--checkpoint"), ())


def evaluate(title: str, name: str, shown: str, *given: str) -> None:
    command("evaluate", title, name, shown, "evaluate", RUN, "--data", TINY, "--out", "out", *given, program="rsmodels")


evaluate("another split", "config/bad-split", "dev", "--split", "dev")
evaluate("no chips at once", "config/bad-batch", "0", "--batch", "0")
evaluate("one image is not diverse", "config/bad-samples", "1", "--samples", "1")
evaluate("no such data", "store/not-found", "nowhere", "--data", "nowhere")
evaluate("seen by nobody", "config/bad-perceptual", "eyes", "--perceptual", "eyes")


def synth(title: str, name: str, shown: str, *given: str) -> None:
    sound = ("synth-augment", "--data", TINY, "--checkpoint", RUN, "--out", "out")
    command("synth-augment", title, name, shown, *sound, *given, program="rsmodels")


for amount in ("0", "x", "0x", "-1", "1.5", "two", "infx", "1e3"):
    synth(f"{amount} chips", "config/bad-n", amount, "--n", amount)
synth("less than a chip", "model/too-few", "0.001x", "--n", "0.001x")
synth("samples without noise", "model/no-noise", "samples: 3", "--samples", "3")
synth("a share of nothing", "config/bad-share", "0.0", "--share", "0")
synth("into pictures", "store/not-empty", "0.png", "--out", f"{P}/images")


def edit(title: str, name: str, shown: str, *given: str) -> None:
    sound = ("edit", RUN, "--data", TINY, "--chip", "tiny-000", "--out", "out")
    command("edit", title, name, shown, *sound, *given, program="rsmodels")


edit("nothing", "model/nothing-to-edit", "redraw")
edit("a chip of nobody", "model/no-such-chip", "nope", "--chip", "nope", "--replace", "water=trees")
edit("half a pair", "config/bad-replace", "water", "--replace", "water")
edit("a class that becomes two", "config/bad-replace", "one other only", "--replace", "water=trees,water=crops")
edit("a class of nobody", "model/unknown-class", "lava", "--replace", "lava=trees")
edit("a seed below zero", "config/bad-seed", "-1", "--seed", "-1", "--redraw", "all")
edit("a mask that is not there", "model/not-a-mask", "nope.png", "--mask", "nope.png")
edit("text for a mask", "model/not-a-mask", "a.png", "--mask", f"{P}/text/a.png")
edit("a mask of another size", "model/mask-size", "64", "--mask", f"{P}/masks/0.png")


def inpaint(title: str, name: str, shown: str, *given: str) -> None:
    command("inpaint", title, name, shown, "inpaint", f"{P}/images", "out", *given, program="rsmodels")


MASKED = ("--method", "telea", "--mask", f"{P}/masks")
inpaint("by nobody", "config/bad-settings", "one of the two", "--mask", f"{P}/masks")
inpaint("by two", "config/bad-settings", "one of the two", *MASKED, "--checkpoint", RUN)
inpaint("by another", "config/bad-method", "magic", "--method", "magic")
inpaint("with no mask", "model/no-mask", "images", "--method", "telea")
inpaint("with masks of nowhere", "input/not-found", "nowhere", "--method", "telea", "--mask", "nowhere")
inpaint("codes that are words", "config/bad-mask-codes", "cloud", *MASKED, "--mask-codes", "cloud")
inpaint("shrunk", "config/bad-grow", "-1", *MASKED, "--grow", "-1")
inpaint("tiles that share all", "config/bad-settings", "overlap", *MASKED, "--tile", "32", "--overlap", "30")
inpaint("times nothing", "config/bad-settings", "scale", *MASKED, "--scale", "0")


def colorize(title: str, name: str, shown: str, *given: str) -> None:
    sound = ("colorize", f"{P}/images", "out", "--checkpoint", RUN)
    command("colorize", title, name, shown, *sound, *given, program="rsmodels")


colorize("two bands", "config/bad-settings", "got 2", "--bands", "1,2")
colorize("a range the wrong way", "config/bad-settings", "9,2", "--range", "9,2")
colorize("a range of one", "config/bad-range", "9", "--range", "9")
colorize("a range and a scale", "config/bad-settings", "one of the two", "--range", "0,9", "--scale", "2")
colorize("a window of a pixel", "config/bad-window", "1", "--window", "1")


def downstream(title: str, name: str, shown: str, *given: str) -> None:
    sound = ("downstream", "--real", TINY, "--out", "out", "--preset", "tiny", "--steps", "1")
    command("downstream", title, name, shown, *sound, *given, program="rsmodels")


downstream("no such data", "store/not-found", "nowhere", "--real", "nowhere")
downstream("three parts", "config/bad-ratio", "1:1:1", "--ratio", "1:1:1")
downstream("no part", "config/bad-ratio", "0:1", "--ratio", "0:1")
downstream("two of one name", "config/same-name", "tiny", "--synthetic", TINY, "--synthetic", "other/tiny")
downstream("no runs", "config/bad-seeds", "0", "--seeds", "0")
downstream("judged on train chips", "config/bad-split", "train", "--split", "train")


def blind(title: str, name: str, shown: str, *given: str) -> None:
    command("report", title, name, shown, "report", *given, program="rsmodels")


blind("neither", "model/no-such-report", "neither")
blind("both", "model/no-such-report", "both", "--blind", "--scores")
blind("one folder", "config/bad-settings", "at least one more", "--blind", f"{P}/images")
blind("nothing", "config/bad-settings", "folders", "--blind")
blind("folders and data", "config/bad-settings", "data", "--blind", f"{P}/images", f"{P}/rgba", "--data", TINY)
blind("scores of no page", "model/no-key", "scores.csv", "--scores", f"{P}/scores.csv")
blind("no scores", "model/no-scores", "scores", "--scores", "--key", f"{P}/page.html")
blind("a page of something else", "model/not-a-blind-test", "page.html",
      "--scores", f"{P}/scores.csv", "--key", f"{P}/page.html")  # fmt: skip
command("reproduce", "no recipe", "config/not-found", "nowhere.yaml", "reproduce", "nowhere.yaml", program="rsmodels")
for title, recipe, name, shown in (
    ("no systems", {"systems": []}, "config/bad-systems", "[]"),
    ("a system without a model", {"systems": [{"name": "a"}]}, "config/bad-systems", "systems.0.model"),
    ("a name with a slash", {"systems": [{"name": "../a", "model": "pix2pix"}]}, "config/bad-systems", "../a"),
    ("a model of nobody", {"systems": [{"name": "a", "model": "gpt"}]}, "model/no-such-model", "gpt"),
    ("two of one name", {"systems": [{"name": "a", "model": "pix2pix"}] * 2}, "config/same-name", "a"),
    ("a seed of its own", {"systems": [{"name": "a", "model": "pix2pix", "seed": 3}]}, "config/decided-elsewhere",
     "systems.seed"),
    ("systems by name", {"systems": {"a": "pix2pix"}}, "config/bad-systems", "pix2pix"),
):  # fmt: skip
    bad("reproduce", title, name, shown, lambda kit, recipe=recipe: [  # type: ignore[misc]
        "reproduce", kit.write("table.yaml", recipe), "--data", str(kit.shared / "tiny"), "--out", "out"],
        program="rsmodels")  # fmt: skip
command("config", "no model of that name", "model/no-such-model", "gpt", "config", "gpt", program="rsmodels")
command("config", "no preset of that name", "model/no-such-preset", "mini",
        "config", "rs-spade", "--preset", "mini", program="rsmodels")  # fmt: skip


# -- odd but valid --------------------------------------------------------------------------------


def settings(name: str, **given: Any) -> Any:
    """Settings of a command, as its recipe gives them."""
    import importlib

    from rsmodels.cli.recipe import COMMANDS

    module, kind = COMMANDS[name].split(":")
    return make_settings(getattr(importlib.import_module(module), kind), given)


@odd("synth-augment", "amounts as a number, with a capital X, with blanks")
def _(_: Kit) -> None:
    given = {"data": "a", "checkpoint": "b"}
    assert settings("synth-augment", **given, n=5000).count(10) == 5000
    assert settings("synth-augment", **given, n=" 1.5X ").count(10) == 15


@odd("edit", "pairs with blanks and a comma at the end")
def _(_: Kit) -> None:
    given = {"checkpoint": "a", "data": "b", "chip": "c"}
    assert settings("edit", **given, replace=" water = trees, ").replace == {"water": "trees"}
    assert settings("edit", **given, redraw="water, ,trees").redraw == ("water", "trees")


@odd("inpaint", "one code, one band, as numbers")
def _(_: Kit) -> None:
    found = settings("filling", input="a", method="telea", mask_codes=9, bands=[1, "B04"])
    assert (found.mask_codes, found.bands) == ((9,), ("1", "B04"))


@odd("colorize", "a range that begins below zero")
def _(_: Kit) -> None:
    assert settings("colorize", input="a", checkpoint="b", range="-9,2").range == (-9.0, 2.0)


@odd("evaluate", "against nobody")
def _(_: Kit) -> None:
    assert settings("evaluate", checkpoint="a", data="b", against="none").against == ()


@odd("downstream", "one synthetic data set as a word, parts with blanks")
def _(_: Kit) -> None:
    found = settings("downstream", real="a", out="b", synthetic="c", ratio="2 : 1")
    assert (found.synthetic, found.ratio) == (("c",), (2, 1))


@odd("train", "lengths of time")
def _(_: Kit) -> None:
    from rsmodels.cli.train import seconds

    assert [seconds(text) for text in ("90", "1.5m", "0.5h")] == [90, 90, 1800]


@odd("reproduce", "keys of the model beside those of the row")
def _(_: Kit) -> None:
    row = {"name": "a+b", "model": "pix2pix", "steps": 3, "settings": {"batch": 2}}
    found = settings("reproduce", data="a", out="b", systems=[row]).systems[0]
    assert found.settings == {"batch": 2, "steps": 3}
