"""Images of a blind test that models make themselves."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rsmodels.blind.job import blind_test
from rsmodels.blind.key import read_key
from rsmodels.cli.main import main
from rsmodels.data.loader import sweep
from rsmodels.data.source import ChipSource
from rsmodels.errors import ModelError
from rsmodels.report.pictures import paint
from rsmodels.training.load import load
from rsmodels.training.run import train
from tests.rsmodels.blind.test_job import shown
from tests.rsmodels.scenes import build_scenes

TINY = {"network": {"width": 4, "downs": 3}, "discriminator": {"width": 4, "downs": 2}}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_scenes(tmp_path_factory.mktemp("blind-models") / "scenes", chips=30)


@pytest.fixture(scope="module")
def run(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    out = tmp_path_factory.mktemp("runs") / "painter"
    return train({"model": "bmmaenet", "data": [str(scenes)], "out": str(out), "batch": 4, "steps": 1, **TINY}).run


def given(run: Path, scenes: Path, out: Path, **more: Any) -> dict[str, Any]:
    how = {"checkpoint": [str(run)], "data": str(scenes), "out": str(out / "b.html"), "device": "cpu"}
    return {**how, "real": 2, "generated": 3, **more}


def test_images_are_those_of_the_data_set_and_of_the_model(run: Path, scenes: Path, tmp_path: Path) -> None:
    made = blind_test(given(run, scenes, tmp_path))
    assert made.generated == {"painter": 3}
    key, images = read_key(made.page), shown(made.page.read_text(encoding="utf-8"))
    trained, source = load(run, device="cpu"), ChipSource.open(scenes)
    assert key["systems"]["painter"]["checkpoint"] == trained.manifest_hash
    slots = source.of_split("test").tolist()
    names = dict(zip(source.chips.slot.tolist(), source.chips.chip_id.tolist(), strict=True))
    image = trained.normaliser.field("image")
    with closing(sweep(source, slots, trained.fields, trained.normaliser, batch=len(slots), threads=0)) as batches:
        batch = next(batches)
    real = dict(zip(map(names.get, slots), paint(image, batch.values["image"], trained.normaliser), strict=True))
    painted = dict(zip(map(names.get, slots), paint(image, trained.colorize(batch), trained.normaliser), strict=True))
    for n, one in key["images"].items():
        wanted = (real if one["system"] is None else painted)[one["name"]]
        # the same pixels in a batch of another size: a level at most
        assert np.abs(images[n].astype(int) - wanted.astype(int)).max() <= (one["system"] is not None)


def test_several_runs_show_the_same_scenes(run: Path, scenes: Path, tmp_path: Path) -> None:
    out = tmp_path / "two.html"
    command = ["report", "--blind", "--checkpoint", str(run), "--checkpoint", f"other={run}", "--data", str(scenes)]
    assert main([*command, "--real", "2", "--generated", "4", "--out", str(out), "--device", "cpu"]) == 0
    key = read_key(out)
    met = {name: {one["name"] for one in key["images"].values() if one["system"] == name} for name in key["systems"]}
    assert list(key["systems"]) == ["painter", "other"]
    assert met["painter"] == met["other"]


def test_too_small_a_split_is_told(run: Path, scenes: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="too-few-images"):
        blind_test(given(run, scenes, tmp_path, generated=20))


def test_models_that_make_no_images_are_refused(tiny_dataset: Path, tmp_path: Path) -> None:
    settings = {"model": "segmentation", "data": [str(tiny_dataset)], "steps": 1, "batch": 2, "network": {"width": 4}}
    run = train({**settings, "out": str(tmp_path / "run"), "validate_chips": 1}).run
    with pytest.raises(ModelError, match="makes-no-images"):
        blind_test(given(run, tiny_dataset, tmp_path))
