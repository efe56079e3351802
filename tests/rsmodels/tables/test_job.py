"""A table by its recipe: every row there, nothing made twice, contradictions and failures told."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from rsmodels.cli.main import main
from rsmodels.data.source import ChipSource
from rsmodels.errors import ModelError
from rsmodels.evaluation.columns import COLUMNS
from rsmodels.tables import job, words
from rsmodels.tables.job import reproduce
from rsmodels.training.load import load
from rsmodels.training.run import train
from rsprep.errors import ConfigError

SMALL = {"network": {"width": 4}, "validate_chips": 1, "steps": 1}
RECIPE: dict[str, Any] = {
    "title": "Small ones",
    "device": "cpu",
    "train": {**SMALL, "batch": 4, "discriminator": {"width": 4}},
    "segmenter": {**SMALL, "batch": 4},
    "evaluate": {"random_chips": 0, "samples": 2, "pairs": 1, "diversity_chips": 1},
    "synthetic": {"n": "0.5x"},
    "downstream": {"seeds": 1, "steps": 1, "match": "steps", "ratio": "sizes", "train": {**SMALL, "batch": 4}},
    "systems": [
        {
            "name": "csebgan",
            "model": "csebgan",
            "network": {"ups": 3},
            "discriminator": {"downs": 2},
            "perceptual": {"weight": 0},
            "conductor": {"network": {"width": 4}},
        },
        {"name": "plain", "model": "pix2pix", "seeds": 2, "conditions": ["landcover"]},
    ],
}
del RECIPE["downstream"]["train"]["steps"]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def written(home: Path, **changes: Any) -> Path:
    """The recipe as a file."""
    path = home / "recipe-given.yaml"
    path.write_text(yaml.safe_dump({**RECIPE, **changes}))
    return path


@pytest.fixture(scope="module")
def table(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a table that was made by the command line."""
    home = tmp_path_factory.mktemp("table")
    command = ["reproduce", str(written(home)), "--data", str(tiny_dataset), "--out", str(home / "out")]
    assert main(command) == 0
    return home / "out"


def read(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "table.json").read_text())
    return found


def test_every_row_has_every_figure_of_its_runs(table: Path) -> None:
    record = read(table)
    assert [(row["name"], row["title"], len(row["runs"])) for row in record["systems"]] == [
        ("csebgan", "CSEBGAN", 1),
        ("plain", "pix2pix", 2),
    ]
    comparison = json.loads((table / "downstream" / "downstream.json").read_text())
    for row in record["systems"]:
        figures = [json.loads((table / run["evaluation"] / "metrics.json").read_text()) for run in row["runs"]]
        for key, *_ in COLUMNS:
            found = row["columns"][key]
            if key.startswith("d_"):
                gains = comparison["gains"][f"mix-{row['name']}-steps"]["scores"]
                wanted = [gains[key.removeprefix("d_")]["relative"]]
            else:
                wanted = [one["table"][key] for one in figures]
            known = [value for value in wanted if value is not None]
            assert found["n"] == len(known)
            assert found["mean"] == (pytest.approx(np.mean(known)) if known else None)
            assert found["deviation"] == (pytest.approx(np.std(known, ddof=1)) if len(known) > 1 else None)
        assert {one["table"]["features"] for one in figures} == {row["features"]}
        assert load(table / "segmenter", device="cpu").manifest_hash[:12] in row["features"]
    assert record["failures"] == []


def test_stars_are_where_the_means_are_best(table: Path) -> None:
    record = read(table)
    for column in record["columns"]:
        means = {row["name"]: row["columns"][column["key"]]["mean"] for row in record["systems"]}
        known = {name: mean for name, mean in means.items() if mean is not None}
        if len(known) < 2:
            assert column["best"] == []
        else:
            best = max(known.values()) if column["better"] == "↑" else min(known.values())
            assert column["best"] == [name for name, mean in known.items() if mean == best]


def test_costs_are_counted(table: Path) -> None:
    for row in read(table)["systems"]:
        trained = load(table / row["runs"][0]["folder"], device="cpu")
        weights = {name: sum(w.numel() for w in net.parameters()) for name, net in trained.task.networks.items()}
        costs = row["costs"]
        assert costs["parameters"] == weights["generator"]
        assert costs["parameters_trained"] == sum(weights.values())
        assert (costs["steps"], costs["chips_per_step"]) == (1, 4)
        line = json.loads((table / row["runs"][0]["folder"] / "metrics.jsonl").read_text().splitlines()[0])
        if row["seeds"] == 1:
            assert costs["seconds_per_step"] == pytest.approx(4 / line["chips_per_second"])
        assert costs["images_per_second"] > 0


def test_the_page_and_the_terminal_tell_the_same(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = (table / "report.html").read_text()
    record = reproduce(again(table)).record
    for keys in (words.FIDELITY, words.DIVERSITY, words.GAIN):
        for row in words.figures(record, keys)[1]:
            for cell in row:
                assert f">{cell}<" in page
    for text in ("The same chips by every system", "Several images of a mask, by csebgan", "One class drawn anew"):
        assert text in page
    assert "Learned from 20 train chips of 32 × 32 pixels; judged on 4 test chips." in page
    assert "1 step of 4 chips, width 4" in page


def again(table: Path, **changes: Any) -> dict[str, Any]:
    """What the table was made by."""
    return {**yaml.safe_load((table / "recipe.yaml").read_text()), **changes}


def test_the_same_again_makes_nothing(table: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in table.rglob("*.safetensors")}
    figures = {path: path.stat().st_mtime_ns for path in table.rglob("metrics.json")}
    record = read(table)
    reproduce(again(table))
    assert before == {path: path.stat().st_mtime_ns for path in table.rglob("*.safetensors")}
    assert figures == {path: path.stat().st_mtime_ns for path in table.rglob("metrics.json")}
    assert read(table) == record


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"train": {**RECIPE["train"], "batch": 2}}, "train.batch: 4 before, 2 now"),
        ({"segmenter": {**RECIPE["segmenter"], "steps": 2}}, "segmenter.steps: 1 before, 2 now"),
        ({"evaluate": {**RECIPE["evaluate"], "samples": 3}}, "evaluate.samples: 2 before, 3 now"),
        ({"synthetic": {"n": "1x"}}, "synthetic.n: '0.5x' before, '1x' now"),
        ({"share": 0.5}, "share: 1.0 before, 0.5 now"),
        ({"systems": [{**RECIPE["systems"][0], "batch": 3}]}, "systems.csebgan.batch: None before, 3 now"),
    ],
)
def test_another_recipe_is_refused_by_name(changes: Mapping[str, Any], told: str, table: Path) -> None:
    before = (table / "recipe.yaml").read_bytes()
    with pytest.raises(ModelError, match="other-recipe") as caught:
        reproduce(again(table, **changes))
    assert caught.value.value == told
    assert (table / "recipe.yaml").read_bytes() == before


def test_a_failing_system_is_listed_and_the_others_go_on(tiny_dataset: Path, tmp_path: Path) -> None:
    """Its discriminator cannot work on chips of this size, which shows only when it is made."""
    broken = {**RECIPE["systems"][0], "name": "broken", "discriminator": {"downs": 3}}
    whole = {**RECIPE["systems"][1], "seeds": 1}
    recipe = {"systems": [broken, whole], "synthetic": None, "downstream": None, "title": "One breaks"}
    path = written(tmp_path, **recipe)
    command = ["reproduce", str(path), "--data", str(tiny_dataset), "--out", str(tmp_path / "out")]
    assert main(command) == 1
    record = read(tmp_path / "out")
    assert [(one["system"], one["seed"], one["stage"]) for one in record["failures"]] == [("broken", 0, "train")]
    assert [len(row["runs"]) for row in record["systems"]] == [0, 1]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "What failed" in page
    assert record["failures"][0]["error"] in page
    mended = {**RECIPE, **recipe, "systems": [whole], "data": str(tiny_dataset), "out": str(tmp_path / "out")}
    assert reproduce(mended).failures == []


def test_what_failed_is_tried_again(tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails_once(values: Mapping[str, Any], **options: Any) -> Any:
        if "seed1" in values["out"]:
            raise RuntimeError("out of luck")
        return train(values, **options)

    recipe = {**RECIPE, "systems": [RECIPE["systems"][1]], "data": str(tiny_dataset), "out": str(tmp_path)}
    with monkeypatch.context() as patch:
        patch.setattr(job, "train", fails_once)
        first = reproduce(recipe, stages=["train", "evaluate"])
    told = {"system": "plain", "seed": 1, "stage": "train", "error": "RuntimeError", "cause": "out of luck"}
    assert first.failures == [{**told, "remedy": ""}]
    assert [run["seed"] for run in first.record["systems"][0]["runs"]] == [0]
    looked = reproduce(recipe, stages=["evaluate"])
    assert looked.failures == first.failures  # nobody has tried since
    again = reproduce(recipe, stages=["train", "evaluate"])
    assert again.failures == []
    assert [run["seed"] for run in again.record["systems"][0]["runs"]] == [0, 1]


def test_a_run_that_was_trained_by_hand_is_taken_up(
    tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {"model": "pix2pix", "conditions": ["landcover"], "data": [str(tiny_dataset)], "device": "cpu"}
    run = train({**values, **RECIPE["train"], "out": str(tmp_path / "runs" / "plain-seed0")}).run
    mine = load(run, device="cpu").manifest_hash
    recipe = {**RECIPE, "systems": [{**RECIPE["systems"][1], "seeds": 1}], "synthetic": None, "downstream": None}
    found = reproduce({**recipe, "data": str(tiny_dataset), "out": str(tmp_path)}, stages=("train", "evaluate"))
    assert found.record["systems"][0]["runs"][0]["checkpoint"]["hash"] == mine


def test_stages_and_systems_can_be_done_one_by_one(tiny_dataset: Path, tmp_path: Path) -> None:
    recipe = {**RECIPE, "data": str(tiny_dataset), "out": str(tmp_path), "share": 0.5}
    first = reproduce(recipe, only=["plain"], stages=["train"])
    assert not (tmp_path / "runs" / "csebgan-seed0").exists()
    assert all(not row["runs"] for row in first.record["systems"])
    assert words.figures(first.record, words.GAIN)[1] == [("csebgan", "–", "–", "–"), ("plain", "–", "–", "–")]
    part = len(ChipSource.open(tiny_dataset, share=0.5).of_split("train"))
    assert load(tmp_path / "runs" / "plain-seed1", device="cpu").parents[0]["chips"] == part
    assert load(tmp_path / "segmenter", device="cpu").parents[0]["chips"] == 20  # it judges, and learns from all
    second = reproduce(recipe, only=["plain"], stages=["evaluate"])
    assert [len(row["runs"]) for row in second.record["systems"]] == [0, 2]
    assert math.isnan(second.record["systems"][1]["columns"]["d_miou"]["mean"])


@pytest.mark.parametrize(
    ("changes", "slug"),
    [
        ({"sistems": []}, "unknown-key"),
        ({"systems": [{**RECIPE["systems"][0], "bach": 2}]}, "unknown-key"),
        ({"evaluate": {"sample": 2}}, "unknown-key"),
        ({"synthetic": {"edit": False}}, "unknown-key"),
        ({"downstream": {"steps": 1, "seedz": 1}}, "unknown-key"),
        ({"systems": [RECIPE["systems"][0]] * 2}, "same-name"),
        ({"systems": []}, "bad-systems"),
        ({"systems": [{**RECIPE["systems"][0], "name": "a/b"}]}, "bad-systems"),
        ({"train": {"seed": 3}}, "decided-elsewhere"),
        ({"systems": [{**RECIPE["systems"][0], "out": "here"}]}, "decided-elsewhere"),
        ({"systems": [{**RECIPE["systems"][0], "model": "cesbgan"}]}, "no-such-model"),
        ({"systems": [{**RECIPE["systems"][0], "conductor": {"checkpoint": "{helper}"}}]}, "no-helper"),
    ],
)
def test_what_is_wrong_in_a_recipe_is_named(
    changes: Mapping[str, Any], slug: str, tiny_dataset: Path, tmp_path: Path
) -> None:
    with pytest.raises((ConfigError, ModelError)) as caught:
        reproduce({**RECIPE, "data": str(tiny_dataset), "out": str(tmp_path / "out"), **changes})
    assert caught.value.slug == slug
    assert not (tmp_path / "out").exists()


def test_a_wrong_key_is_told_with_the_system_that_has_it(tiny_dataset: Path, tmp_path: Path) -> None:
    wrong = [{**RECIPE["systems"][0], "bach": 2}, RECIPE["systems"][1]]
    with pytest.raises(ConfigError, match=r"(?s)got: systems.csebgan: bach.*did you mean 'batch'"):
        reproduce({**RECIPE, "data": str(tiny_dataset), "out": str(tmp_path / "out"), "systems": wrong})


@pytest.mark.parametrize(("how", "slug"), [({"only": ["x"]}, "no-such-system"), ({"stages": ["x"]}, "no-such-stage")])
def test_only_what_there_is_can_be_chosen(how: dict[str, Any], slug: str, tiny_dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=slug):
        reproduce({**RECIPE, "data": str(tiny_dataset), "out": str(tmp_path / "out")}, **how)
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_left_alone(tiny_dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ModelError, match="not-a-table"):
        reproduce({**RECIPE, "data": str(tiny_dataset), "out": str(tmp_path)})
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_interrupt_stops_all(tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(job, "train", stopped)
    with pytest.raises(KeyboardInterrupt):
        reproduce({**RECIPE, "data": str(tiny_dataset), "out": str(tmp_path / "out")})
