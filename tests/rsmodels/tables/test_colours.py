"""A table of colorizers: figures of their own, box plots, and no segmenter."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import yaml

from rsmodels.cli.main import main
from rsmodels.errors import ModelError
from rsmodels.evaluation.columns import COLOUR_COLUMNS
from rsmodels.tables import pictures, words
from rsmodels.tables.job import reproduce
from tests.rsmodels.scenes import build_scenes

RECIPE: dict[str, Any] = {
    "title": "Colours",
    "device": "cpu",
    "train": {
        "steps": 1,
        "batch": 4,
        "validate_chips": 1,
        "network": {"width": 4, "downs": 3},
        "discriminator": {"width": 4, "downs": 2},
    },
    "evaluate": {"random_chips": 0},
    "systems": [
        {"name": "unet", "model": "bmmaenet", "preset": "unet", "seeds": 2},
        {"name": "whole", "model": "bmmaenet", "preset": "2-b-dme-uame-mmb"},
    ],
}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_scenes(tmp_path_factory.mktemp("scenes") / "scenes", chips=30)


@pytest.fixture(scope="module")
def table(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("table")
    recipe = home / "given.yaml"
    recipe.write_text(yaml.safe_dump(RECIPE))
    assert main(["reproduce", str(recipe), "--data", str(scenes), "--out", str(home / "out")]) == 0
    return home / "out"


def read(table: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((table / "table.json").read_text())
    return found


def again(table: Path) -> dict[str, Any]:
    """What the table was made by."""
    found: dict[str, Any] = yaml.safe_load((table / "recipe.yaml").read_text())
    return found


def test_means_are_those_of_the_evaluations(table: Path) -> None:
    record = read(table)
    assert record["kind"] == "colorization"
    assert [one["key"] for one in record["columns"]] == [key for key, *_ in COLOUR_COLUMNS]
    for row in record["systems"]:
        figures = [json.loads((table / run["evaluation"] / "metrics.json").read_text()) for run in row["runs"]]
        for key, *_ in COLOUR_COLUMNS:
            assert row["columns"][key]["mean"] == pytest.approx(np.mean([one["figures"][key] for one in figures]))
        assert record["left_grey"] == pytest.approx(figures[0]["left_grey"])
        assert record["real"]["colourfulness"] == pytest.approx(figures[0]["figures"]["colourfulness_real"])
    assert [len(row["runs"]) for row in record["systems"]] == [2, 1]
    assert next(one["best"] for one in record["columns"] if one["key"] == "colourfulness") == []
    assert not (table / "segmenter").exists()
    assert record["failures"] == []


def test_the_page_has_table_boxes_and_pictures(table: Path) -> None:
    page = (table / "report.html").read_text()
    record = reproduce(again(table)).record
    for row in words.figures(record, words.COLOURS)[1]:
        assert all(f">{cell}<" in page for cell in row)
    assert page.count('class="box"') == 4  # two scores of two systems
    assert "real images" in page
    assert "left grey" in page
    assert 'data-layer="grey"' in page
    assert 'data-layer="whole"' in page


def test_more_systems_than_fit_stand_in_several_rows(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "BESIDE", 1)
    page = reproduce(again(table)).page.read_text()
    assert "by every system: unet to unet" in page
    assert "by every system: whole to whole" in page
    assert page.count('data-layer="real"') == 2 * 6
    assert page.count('data-layer="whole"') == 6


def test_boxes_hold_every_image_of_every_run(table: Path) -> None:
    page = (table / "report.html").read_text()
    images = len(pq.read_table(table / "evaluations" / "unet-seed0" / "chips.parquet"))
    assert page.count(f"{2 * images} values") == 2
    assert page.count(f" {images} values") == 2


def test_the_same_again_makes_nothing(table: Path) -> None:
    record, stamps = read(table), {path: path.stat().st_mtime_ns for path in table.rglob("metrics.json")}
    reproduce(again(table))
    assert stamps == {path: path.stat().st_mtime_ns for path in table.rglob("metrics.json")}
    assert read(table) == record


@pytest.mark.parametrize(
    ("changes", "slug"),
    [
        ({"systems": [*RECIPE["systems"], {"name": "other", "model": "pix2pix"}]}, "mixed-table"),
        ({"synthetic": {"n": "1x"}}, "not-for-colours"),
        ({"downstream": {"seeds": 1}}, "not-for-colours"),
    ],
)
def test_what_is_not_for_colours_is_refused(
    changes: Mapping[str, Any], slug: str, scenes: Path, tmp_path: Path
) -> None:
    given = {**RECIPE, "train": {"steps": 1}, "data": str(scenes), "out": str(tmp_path / "out"), **changes}
    with pytest.raises(ModelError) as caught:
        reproduce(given)
    assert caught.value.slug == slug
    assert not (tmp_path / "out").exists()
