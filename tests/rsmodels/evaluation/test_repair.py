"""Repaired images, held against clean ones and against what a planted task makes of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from torch import Tensor, nn

from rsmodels.cli.main import main
from rsmodels.data.lineage import seen_by
from rsmodels.data.loader import sweep
from rsmodels.data.normalise import Normaliser
from rsmodels.data.source import ChipSource, field
from rsmodels.errors import ModelError
from rsmodels.evaluation.evaluate import EvaluateSettings, Evaluation, evaluate_model
from rsmodels.filling.classic import telea
from rsmodels.metrics.image import ImageScores, by_parts
from rsmodels.nets.inpainting import Inpainted
from rsmodels.tasks.models import resolve
from rsmodels.training.load import Trained
from rsmodels.training.run import train
from tests.rsmodels.scenes import build_scenes

TEST_CHIPS = 6
Maps = Callable[[Tensor, Tensor], Inpainted]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> ChipSource:
    return ChipSource.open(build_scenes(tmp_path_factory.mktemp("scenes") / "pairs"))


class Task:
    """Stands in for InpaintTask: two maps of the image and its mask."""

    kind = "inpainting"
    main = "generator"

    def __init__(self, fields: Any, maps: Maps) -> None:
        self.fields, self._maps = fields, maps

    def maps(self, network: nn.Module, images: Tensor, mask: Tensor) -> Inpainted:
        return self._maps(images, mask)


def inpainter(source: ChipSource, maps: Maps) -> Trained:
    settings = resolve({"model": "inpaint", "data": ["x"], "out": "y", "steps": 1, "perceptual": {"weight": 0}})
    fields = settings.fields(source)
    return Trained(
        path=Path("run/checkpoints/step-00000500"),
        address="run/checkpoints/step-00000500",
        task=Task(fields, maps),  # type: ignore[arg-type]  # only what evaluation uses
        network=nn.Identity(),
        normaliser=Normaliser.fit([source], fields),
        settings=settings,
        chip_px=source.schema.chip_px,
        manifest_hash="0123456789abcdef" * 4,
        parents=(),
        seen=seen_by([source]),
        device=torch.device("cpu"),
    )


def perfect(images: Tensor, mask: Tensor) -> Inpainted:
    """Grey at first, then what lay there: a planted network may look under the mask."""
    return Inpainted(torch.zeros_like(images), images.clone())


class Stripes(nn.Module):
    """Tells the scenes of `build_scenes` by the brightest band: right on clean images, at a loss under white."""

    def forward(self, images: Tensor) -> Tensor:
        return images.amax(dim=(2, 3))


def classifier(source: ChipSource) -> Trained:
    fields = [field(source, "image"), field(source, "scene")]
    settings = resolve({"model": "classification", "data": ["x"], "out": "y", "steps": 1})
    base = planted_like(source, fields)
    return replace(base, settings=settings, network=Stripes(), manifest_hash="fedcba" * 10)


def planted_like(source: ChipSource, fields: Any) -> Trained:
    one = inpainter(source, perfect)
    task = Task(fields, perfect)
    task.kind = "classification"
    return replace(one, task=task, normaliser=Normaliser.fit([source], fields))  # type: ignore[arg-type]


def run(trained: Trained, source: ChipSource, out: Path, **values: Any) -> Evaluation:
    settings = EvaluateSettings(checkpoint="run", data="data", out=str(out), **{"batch": 4, **values})
    return evaluate_model(trained, source, settings)


def rows_of(found: Evaluation) -> dict[str, Mapping[str, Any]]:
    return {row["key"]: row for row in found.record["rows"]}


@pytest.fixture
def with_task(source: ChipSource, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of a task that is found without a run."""
    monkeypatch.setattr("rsmodels.evaluation.bench.load", lambda *_, **__: classifier(source))
    return "classifier"


def test_a_perfect_repair_wins_everything_back(source: ChipSource, with_task: str, tmp_path: Path) -> None:
    found = run(inpainter(source, perfect), source, tmp_path, task=with_task)
    rows = rows_of(found)
    assert list(rows) == ["clean", "occluded", "telea", "navier-stokes", "coarse", "repaired"]
    assert rows["repaired"]["whole"]["psnr"] == float("inf")
    assert found.record["figures"]["equal"] == TEST_CHIPS
    assert rows["clean"]["task"]["accuracy"] == rows["repaired"]["task"]["accuracy"] == 1.0
    assert rows["occluded"]["task"]["accuracy"] < 1.0
    assert rows["repaired"]["won_back"]["accuracy"] == 1.0
    assert rows["occluded"]["won_back"]["accuracy"] == 0.0
    assert rows["clean"]["whole"] == {}
    page = found.page.read_text()
    assert "accuracy 1.000 (occluded" in page
    assert "won back" in page
    written = json.loads((tmp_path / "metrics.json").read_text())
    assert written["task"] == {"model": "classification", "hash": "fedcba" * 10, "headline": "accuracy"}


def test_figures_are_those_of_the_store(source: ChipSource, tmp_path: Path) -> None:
    """Occluded as the store has it, Telea as it is, both against the clean image; the hole alone as well."""
    trained = inpainter(source, perfect)
    found = run(trained, source, tmp_path, against="telea", task="none")
    rows, normaliser = rows_of(found), trained.normaliser
    fields = (*trained.fields, replace(normaliser.field("image"), name="occluded", variable="occluded"))
    scalings = {**normaliser.scalings, "occluded": replace(normaliser["image"], field=fields[-1])}
    (batch,) = sweep(source, "test", fields, Normaliser(scalings=scalings), batch=8)
    clean, mask, valid = batch.values["image"], batch.values["mask"], batch.valid["image"]
    images = {"occluded": batch.values["occluded"], "telea": telea(clean, mask)}
    for key, made in images.items():
        whole, hole = ImageScores(), ImageScores()
        # of 8 bit: by the numbers of the pictures themselves
        pair = normaliser.stored("image", made) / 255, normaliser.stored("image", clean) / 255
        whole.update(*pair, valid)
        (each,) = by_parts(*pair, valid, (mask > 0.5,))
        hole.add(each)
        for name in ("psnr", "ssim", "mse"):
            assert rows[key]["whole"][name] == pytest.approx(whole.compute()[name])
            assert rows[key]["hole"][name] == pytest.approx(hole.compute()[name])
        error = (pair[0] - pair[1]).double().square().mean(dim=1)
        by_hand = [float(one[where[0] > 0.5].mean()) * 255**2 for one, where in zip(error, mask, strict=True)]
        np.testing.assert_allclose(each["mse"].numpy(), by_hand, rtol=1e-5)
        table = pq.read_table(tmp_path / "chips.parquet")
        np.testing.assert_allclose(table[f"{key}_hole_mse"].to_numpy(), by_hand, rtol=1e-5)
    assert rows["occluded"]["whole"]["psnr"] < rows["telea"]["whole"]["psnr"]
    assert found.record["hidden"] == pytest.approx(float(mask.mean()))
    assert found.record["task"] is None
    assert rows["repaired"]["task"] == {}


def test_a_run_is_its_own_equal_as_a_rival(source: ChipSource, tmp_path: Path, capsys: Any) -> None:
    """A rival's images come through the numbers of the store: half a grey level away at most."""
    values = {"model": "inpaint-unet", "data": [str(source.folder)], "network": {"width": 4}, "batch": 4}
    train({**values, "steps": 2, "out": str(tmp_path / "run"), "loading": {"threads": 1}, "augment": {"maskmix": None}})
    other = str(tmp_path / "run")
    asked = ["evaluate", other, "--data", str(source.folder), "--out", str(tmp_path / "out"), "--task", "none"]
    assert main([*asked, "--against", f"{other},telea"]) == 0
    told = capsys.readouterr().out
    assert "U-Net inpainting (run)" in told
    rows = {row["key"]: row for row in json.loads((tmp_path / "out" / "metrics.json").read_text())["rows"]}
    assert list(rows) == ["clean", "occluded", "run", "telea", "repaired"]  # one stage: no coarse map
    assert rows["run"]["whole"]["psnr"] == pytest.approx(rows["repaired"]["whole"]["psnr"], abs=0.05)
    assert rows["run"]["whole"]["mse"] != rows["repaired"]["whole"]["mse"]
    assert "While it was trained: PSNR" in (tmp_path / "out" / "report.html").read_text()


def test_images_of_a_store_without_occluded_ones_are_white_in_the_hole(source: ChipSource, tmp_path: Path) -> None:
    trained = inpainter(source, perfect)
    bare = replace(source, schema=replace(source.schema, variables=source.schema.variables[1:]))
    found = rows_of(run(trained, bare, tmp_path, against="none", task="none"))["occluded"]
    (batch,) = sweep(source, "test", trained.fields, trained.normaliser, batch=8)
    clean, white = (trained.normaliser.stored("image", one) / 255 for one in (batch.values["image"], torch.ones(1)))
    error = 255**2 * (clean - white).double().square().mean(dim=1)
    by_hand = [float(one[where[0] > 0.5].mean()) for one, where in zip(error, batch.values["mask"], strict=True)]
    assert found["hole"]["mse"] == pytest.approx(np.mean(by_hand), rel=1e-6)


def test_what_is_shown(source: ChipSource, tmp_path: Path) -> None:
    page = run(inpainter(source, perfect), source, tmp_path, random_chips=1, task="none").page.read_text()
    for name in ("occluded", "mask", "Telea", "Navier-Stokes", "coarse", "repaired", "clean", "difference"):
        assert f">{name}<" in page
    assert "% hidden" in page


def test_what_does_not_fit_is_refused_by_name(
    source: ChipSource, with_task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = inpainter(source, perfect)
    with pytest.raises(ModelError, match="no-such-filler"):
        run(trained, source, tmp_path, against="patchmatch", task="none")
    with pytest.raises(ModelError, match="not-an-inpainter"):  # found is the classifier
        run(trained, source, tmp_path, against=str(tmp_path), task="none")
    with pytest.raises(ModelError, match="idle-task"):
        run(classifier(source), source, tmp_path, task=with_task)
    peeping = replace(inpainter(source, perfect), seen=seen_by([source], "test"))
    monkeypatch.setattr("rsmodels.evaluation.bench.load", lambda *_, **__: peeping)
    with pytest.raises(ModelError, match="saw-held-out"):
        run(trained, source, tmp_path, against=str(tmp_path), task="none")
    warned = run(trained, source, tmp_path, against=str(tmp_path), task="none", allow_seen=True)
    assert len(warned.record["warnings"]) == 1
