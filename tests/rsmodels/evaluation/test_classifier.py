"""Evaluation of a classifier: one confusion matrix of chips."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from torch import Tensor, nn

from rsmodels.cli.main import main
from rsmodels.data.batch import ChipBatch
from rsmodels.data.lineage import seen_by
from rsmodels.data.normalise import Normaliser
from rsmodels.data.source import ChipSource, field
from rsmodels.errors import ModelError
from rsmodels.tasks.models import resolve
from rsmodels.training.load import Trained
from rsmodels.training.run import train
from tests.rsmodels.evaluation.planted import Planted, run
from tests.rsmodels.scenes import LABELS, build_scenes


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six chips to test, of which two have no label."""
    return build_scenes(tmp_path_factory.mktemp("scenes") / "scenes", labels=(*LABELS, ""), chips=40)


def confident(batch: ChipBatch) -> Tensor:
    """The true class with 3/5; bField is taken for aGrass."""
    said = batch.values["scene"].clone()
    said[said >= 3] = 2
    said[said == 1] = 0
    return torch.log(nn.functional.one_hot(said, 3) * 2 + 1.0)


def planted(source: ChipSource) -> Trained:
    fields = [field(source, "image"), field(source, "scene")]
    return Trained(
        path=Path("run/checkpoints/step-00000500"),
        address="run/checkpoints/step-00000500",
        task=Planted("classification", fields, confident),  # type: ignore[arg-type]  # only what evaluation uses
        network=nn.Identity(),
        normaliser=Normaliser.fit([source], fields),
        settings=resolve({"model": "classification", "data": ["x"], "out": "y", "steps": 1}),
        chip_px=source.schema.chip_px,
        manifest_hash="0123456789abcdef" * 4,
        parents=(),
        seen=seen_by([source]),
        device=torch.device("cpu"),
    )


def test_chips_are_counted_in_one_matrix(data: Path, tmp_path: Path) -> None:
    source = ChipSource.open(data)
    found = run(planted(source), source, tmp_path / "out", batch=3)
    labels = source.column("label")[source.chips.split == "test"].tolist()
    counts = [labels.count(name) for name in LABELS]
    assert min(counts) > 0
    assert labels.count("") > 0
    assert found.record["confusion"] == [[counts[0], 0, 0], [counts[1], 0, 0], [0, 0, counts[2]]]
    figures = found.record["figures"]
    assert figures["accuracy"] == pytest.approx((counts[0] + counts[2]) / sum(counts))
    assert figures["mean_accuracy"] == pytest.approx(2 / 3)
    entropy = [math.log(5 / (3 if name != "bField" else 1)) for name in labels if name]
    assert figures["cross_entropy"] == pytest.approx(np.mean(entropy))
    assert (figures["chips"], figures["ignored"]) == (sum(counts), labels.count(""))
    written = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert [one["recall"] for one in written["classes"]] == [1.0, 0.0, 1.0]
    assert written["classes"][1]["precision"] is None
    table = pq.read_table(tmp_path / "out" / "chips.parquet").to_pydict()
    wanted = [None if not name else 0.2 if name == "bField" else 0.6 for name in labels]
    assert table["probability"] == [None if one is None else pytest.approx(one) for one in wanted]
    page = found.page.read_text()
    assert f"VGG16-BN: accuracy {figures['accuracy']:.3f}" in page
    assert "aGrass, right" in page
    assert "bField, taken for aGrass" in page


def test_what_judges_images_is_of_no_use(data: Path, tmp_path: Path) -> None:
    source = ChipSource.open(data)
    with pytest.raises(ModelError, match="model/no-use"):
        run(planted(source), source, tmp_path / "out", vgg="vgg.safetensors")


def test_from_the_command_line(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.set_num_threads(1)
    small = {"network": {"width": 2}, "batch": 8, "steps": 2, "device": "cpu"}
    train({"model": "classification", "data": [str(data)], "out": str(tmp_path / "run"), **small})
    command = ["evaluate", str(tmp_path / "run"), "--data", str(data), "--device", "cpu", "--random-chips", "0"]
    assert main(command) == 0
    told = capsys.readouterr().out
    assert "accuracy" in told
    assert all(f"  {name}" in told for name in LABELS)
    assert main([*command, "--split", "val", "--out", str(tmp_path / "val")]) == 0
