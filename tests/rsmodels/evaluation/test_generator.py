from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from torch import Tensor

from rsmodels.data.batch import ChipBatch
from rsmodels.data.fit import Normalise
from rsmodels.data.loader import sweep
from rsmodels.data.normalise import Normaliser
from rsmodels.data.source import ChipSource, field
from rsmodels.metrics.segmentation import Confusion
from tests.rsmodels.evaluation.planted import blurred, planted, run, small_unet


@pytest.fixture(scope="module")
def source(tiny_dataset: Path) -> ChipSource:
    return ChipSource.open(tiny_dataset)


def painted(batch: ChipBatch) -> Tensor:
    """Every class at its level, but class 3 as if it were 4; the unknown one as 0."""
    classes = batch.values["landcover"]
    classes = torch.where(classes == 3, 4, torch.where(classes == 255, 0, classes))
    return (-0.8 + 0.2 * classes.float())[:, None].expand(-1, 4, -1, -1)


def read(batch: ChipBatch) -> Tensor:
    """Logits of the class whose level the first band has."""
    found = ((batch.values["image"][:, 0] + 0.8) / 0.2).round().clamp(0, 8).long()
    return torch.nn.functional.one_hot(found, 9).movedim(-1, 1).float()


def test_classes_of_generated_images_are_held_against_their_masks(source: ChipSource, tmp_path: Path) -> None:
    """Pitfall 46: one confusion matrix, unknown classes out of it."""
    segmenter = planted(source, "segmentation", read, network=small_unet())
    same = planted(source, "generator", painted)
    # Another normaliser: the same images have other numbers for it than for the segmenter.
    linear = Normaliser.fit([source], same.fields, how=Normalise(curve="linear"))

    def in_its_numbers(batch: ChipBatch) -> Tensor:
        return torch.from_numpy(linear.encode("image", same.normaliser.to_store("image", painted(batch)))[0])

    other = replace(planted(source, "generator", in_its_numbers), normaliser=linear)
    for trained in (same, other):
        found = run(trained, source, tmp_path, segmenter).record
        confusion = Confusion(9)
        for batch in sweep(source, "test", trained.fields, trained.normaliser, batch=8):
            truth = torch.where(batch.valid["image"][:, 0], batch.values["landcover"], 255)
            confusion.update(torch.where(truth == 3, 4, truth).clamp(max=8), truth)
        wanted = confusion.compute()
        for name in ("miou", "fwiou", "accuracy"):
            assert found["segmentation"]["made"][name] == pytest.approx(wanted[name])
            assert found["table"][name] == pytest.approx(wanted[name])
            assert found["segmentation"]["real"][name] < 0.9  # the planted segmenter knows nothing of real images
        assert found["segmentation"]["ignored"] == wanted["ignored"] > 0
        np.testing.assert_allclose([one["made"] for one in found["segmentation"]["classes"]], wanted["iou"])
        accuracy = pq.read_table(tmp_path / "chips.parquet")["accuracy"].to_numpy()
        assert 0.3 < accuracy.min() < 1


def test_a_segmenter_of_other_classes_only_lends_its_features(source: ChipSource, tmp_path: Path) -> None:
    segmenter = planted(source, "segmentation", read, network=small_unet())
    label = segmenter.normaliser["label"]
    fewer = replace(label, field=replace(label.field, classes=label.field.classes[:8], codes=label.field.codes[:8]))
    segmenter = replace(segmenter, normaliser=Normaliser(scalings={**segmenter.normaliser.scalings, "label": fewer}))
    found = run(planted(source, "generator", blurred), source, tmp_path, segmenter)
    assert "other classes" in found.record["segmentation"]["why"]
    assert found.record["table"]["miou"] is None
    assert len(found.record["distances"]) == 2
    assert "other classes" in found.page.read_text()


def test_a_generator_that_recites_train_chips_is_found(source: ChipSource, tmp_path: Path) -> None:
    """Pitfall 50."""
    train = source.of_split("train").tolist()
    names = dict(zip(source.chips.slot.tolist(), source.chips.chip_id.tolist(), strict=True))
    honest = planted(source, "generator", blurred)
    learned = [batch.values["image"] for batch in sweep(source, train, honest.fields, honest.normaliser, batch=1)]

    def recited(batch: ChipBatch) -> Tensor:
        return torch.cat([learned[key.slot % len(train)] for key in batch.chips]) + 0.02

    found = run(planted(source, "generator", recited), source, tmp_path / "a").record["nearest"]
    assert found["closer"] == 1.0
    assert found["made"]["median"] < 0.05 < found["real"]["lowest"]
    assert found["gallery"] == {"chips": len(train), "of_chips": len(train)}
    for one in found["nearest"]:
        assert one["train_chip"] == names[train[one["slot"] % len(train)]]
    # The real images themselves are as near as real images are.
    real = planted(source, "generator", lambda batch: batch.values["image"])
    same = run(real, source, tmp_path / "b").record["nearest"]
    assert same["made"] == same["real"]
    # Train chips are not held against themselves where they stand for real ones.
    on_train = run(real, source, tmp_path / "c", split="train").record["nearest"]
    assert on_train["real"]["lowest"] > 0 == on_train["made"]["lowest"]
    written = json.loads((tmp_path / "a" / "metrics.json").read_text())
    assert written["nearest"]["closer"] == 1.0
    assert "Nearest train chip" in (tmp_path / "a" / "report.html").read_text()
    assert "nearest" not in run(real, source, tmp_path / "d", gallery_mb=0).record


def test_images_of_no_map_of_classes_are_not_held_against_one(source: ChipSource, tmp_path: Path) -> None:
    bare = planted(source, "generator", blurred)
    task = bare.task
    fields = [field(source, name) for name in ("image", "terrain")]
    task.fields = tuple(fields)  # type: ignore[misc]  # a planted one
    segmenter = planted(source, "segmentation", read, network=small_unet())
    found = run(bare, source, tmp_path, segmenter).record
    assert "no map of classes" in found["segmentation"]["why"]
