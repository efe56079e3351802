"""`rsmodels train` and `rsmodels config` as they are typed."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import yaml

from rsmodels.cli.main import main
from rsmodels.cli.recipe import COMMANDS, MODELS
from rsmodels.cli.train import seconds
from rsmodels.errors import ModelError
from rsmodels.tasks import models
from rsmodels.training import checkpoint
from rsprep.errors import ConfigError
from rsprep.settings import make_settings


def recipe(tmp_path: Path) -> str:
    path = tmp_path / "recipe.yaml"
    small = {"network": {"width": 4}, "discriminator": {"width": 4, "downs": 2}, "batch": 4, "save_every": 3}
    path.write_text(yaml.safe_dump({"model": "pix2pix", "steps": 5, "validate_chips": 4, **small}))
    return str(path)


def test_train_and_go_on(tiny_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["train", "--config", recipe(tmp_path), "--data", str(tiny_dataset), "--out", str(tmp_path / "run")]
    assert main([*given, "--bands", "B04,B03", "--conditions", "landcover", "--max-steps", "2"]) == 0
    assert "step 2 of 5: stopped as told; the same command goes on" in capsys.readouterr().out
    assert main([*given, "--bands", "B04,B03", "--conditions", "landcover"]) == 0
    shown = capsys.readouterr()
    assert "step 5 of 5: done" in shown.out
    assert "psnr" in shown.out
    assert "goes on at step 2 of 5" in shown.err
    assert checkpoint.find(tmp_path / "run").step == 5


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["train"], "model/no-such-model"),
        (["train", "pix2pix", "--out", "x"], "config/missing"),
        (["train", "pix2pix", "--data", "nowhere", "--out", "x", "--steps", "3"], "store/not-found"),
        (["train", "pix2pix", "--data", "a", "--out", "x", "--max-time", "soon"], "model/bad-time"),
        (["train", "pix2pix", "--data", "a", "--out", "x", "--steps", "3", "--ratio", "1:a"], "config/bad-ratio"),
        (["config", "rs-spade", "--preset", "mini"], "model/no-such-preset"),
        (["train", "--colour", "red"], "No such option"),
    ],
)
def test_what_is_wrong_is_named(
    arguments: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert told in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", MODELS)
def test_recipes_can_be_given_back(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    from rsmodels.tasks.models import resolve

    assert main(["config", name]) == 0
    values = yaml.safe_load(capsys.readouterr().out)
    least = {"model": name, "data": ["chips"], "out": "run", "steps": 4}
    assert resolve({**values, "steps": 4}) == resolve(least)  # the printed defaults are those that hold
    assert main(["config", name, "--preset", "paper"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["model"] == name


@pytest.mark.parametrize(
    ("command", "needs"),
    [
        ("evaluate", {"checkpoint": "a", "data": "b"}),
        ("synth-augment", {"data": "a", "checkpoint": "b", "out": "c"}),
        ("downstream", {"real": "a", "out": "b"}),
        ("reproduce", {"data": "a", "out": "b", "systems": [{"name": "a", "model": "pix2pix"}]}),
    ],
)
def test_recipes_of_commands(command: str, needs: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", command]) == 0
    values = yaml.safe_load(capsys.readouterr().out)
    module, name = COMMANDS[command].split(":")
    settings = getattr(importlib.import_module(module), name)
    checked = make_settings(settings, {**values, **needs})
    assert checked == make_settings(settings, needs)
    with pytest.raises(ConfigError, match=f"`rsmodels config {command}` lists every key"):
        make_settings(settings, {**needs, "qqqqq": 1})


def test_times() -> None:
    assert [seconds(text) for text in ("90s", "30m", "1.5h", "45")] == [90, 1800, 5400, 45]
    for wrong in ("", "m", "-3s", "inf", "nan"):
        with pytest.raises(ModelError, match="bad-time"):
            seconds(wrong)


def test_help_names_all_models() -> None:
    assert set(MODELS) == set(models.MODELS)
