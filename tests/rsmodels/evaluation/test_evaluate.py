from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from torch import Tensor

from rsmodels.cli.main import main
from rsmodels.data.batch import ChipBatch
from rsmodels.data.lineage import Seen, seen_by
from rsmodels.data.loader import sweep
from rsmodels.data.normalise import Normaliser
from rsmodels.data.source import ChipSource, field
from rsmodels.errors import ModelError
from rsmodels.evaluation.evaluate import EvaluateSettings, evaluate_model
from rsmodels.metrics.image import ImageScores
from rsmodels.metrics.segmentation import Confusion
from rsmodels.tasks.segmentation import seen_labels
from rsprep.job.progress import Silent
from tests.rsmodels.evaluation.planted import batches, blurred, by_network, noisy_labels, planted, run, small_unet

TEST_CHIPS = 4


@pytest.fixture(scope="module")
def source(tiny_dataset: Path) -> ChipSource:
    return ChipSource.open(tiny_dataset)


def test_a_generator_gets_the_figures_of_its_images(source: ChipSource, tmp_path: Path) -> None:
    trained = planted(source, "generator", blurred)
    found = run(trained, source, tmp_path / "out")
    scores, normaliser = ImageScores(), trained.normaliser
    (batch,) = batches(trained, source)
    made, real = blurred(batch), batch.values["image"]
    each = scores.update(
        normaliser.unit("image", made),
        normaliser.unit("image", real),
        batch.valid["image"],
        normaliser.physical("image", made),
        normaliser.physical("image", real),
    )
    assert found.record["figures"] == pytest.approx(scores.compute())
    written = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert written["figures"]["psnr"] == pytest.approx(scores.compute()["psnr"])
    assert written["data"] == {"name": "tiny", "identity": source.identity, "split": "test", "chips": TEST_CHIPS}
    assert written["warnings"] == []
    table = pq.read_table(tmp_path / "out" / "chips.parquet")
    assert table["slot"].to_pylist() == source.of_split("test").tolist()
    np.testing.assert_allclose(table["psnr"].to_numpy(), each["psnr"].numpy(), rtol=1e-12)
    page = found.page.read_text()
    assert f"pix2pix: PSNR {scores.compute()['psnr']:.2f} dB" in page
    assert "http" not in re.sub(r"http://www.w3.org\S*", "", page)


def test_distances_tell_their_features_and_refuse_few_images(source: ChipSource, tmp_path: Path) -> None:
    net = small_unet()
    segmenter = planted(source, "segmentation", by_network(net), network=net)
    # Equal where there is data; what is made of the rest must not count.
    trained = planted(source, "generator", lambda batch: batch.values["image"].where(batch.valid["image"], 0.7))
    found = run(trained, source, tmp_path / "a", segmenter).record["distances"]
    assert [one["extractor"] for one in found] == ["band-statistics-4", "segmentation 0123456789ab"]
    assert [one["dim"] for one in found] == [24, 16]
    assert all(one["frechet"] is None and "25" in one["no_frechet"] for one in found[:1])
    # Equal sets: nothing between them, and less than nothing by an unbiased estimate.
    allowed = run(trained, source, tmp_path / "b", segmenter, allow_few=True).record["distances"]
    assert [one["frechet"] for one in allowed] == pytest.approx([0.0, 0.0], abs=1e-9)
    assert all(one["kernel"] < 1e-9 for one in allowed)
    other = planted(source, "generator", blurred)
    further = run(other, source, tmp_path / "c", segmenter, allow_few=True).record["distances"]
    assert all(one["frechet"] > 1e-6 for one in further)


def test_a_segmenter_of_other_bands_is_refused(source: ChipSource, tmp_path: Path) -> None:
    trained = planted(source, "generator", blurred)
    net = small_unet()
    segmenter = planted(source, "segmentation", by_network(net), network=net)
    one_band = field(source, "image", None, ("B08",))
    few = replace(trained, normaliser=Normaliser.fit([source], [one_band, *trained.fields[1:]]))
    with pytest.raises(ModelError, match="unlike-bands"):
        run(few, source, tmp_path, segmenter)
    with pytest.raises(ModelError, match="not-a-segmenter"):
        run(trained, source, tmp_path, trained)
    with pytest.raises(ModelError, match="no-use"):
        run(segmenter, source, tmp_path, segmenter)


def test_a_segmenter_gets_one_confusion_matrix(source: ChipSource, tmp_path: Path) -> None:
    trained = planted(source, "segmentation", noisy_labels)
    found = run(trained, source, tmp_path / "out")
    confusion = Confusion(9)
    for batch in batches(trained, source):
        confusion.update(noisy_labels(batch).argmax(1), seen_labels(batch))
    wanted = confusion.compute()
    assert found.record["confusion"] == confusion.matrix.tolist()
    assert found.record["figures"]["miou"] == pytest.approx(wanted["miou"])
    np.testing.assert_allclose([one["iou"] for one in found.record["classes"]], wanted["iou"])
    written = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert written["classes"][0]["colour"] == "#419bdf"
    absent = [one["name"] for one in written["classes"] if one["iou"] is None]
    assert absent == [name["name"] for name, iou in zip(written["classes"], wanted["iou"], strict=True) if iou != iou]
    page = found.page.read_text()
    assert f"RS-UNet: mIoU {wanted['miou']:.3f}, accuracy {wanted['accuracy']:.3f}" in page
    assert "What was taken for what" in page


def test_best_median_and_worst_are_shown_each_as_it_was_scored(source: ChipSource, tmp_path: Path) -> None:
    """Also where batch norm makes a chip depend on its neighbours: here an image gets the mean of its batch."""

    def by_neighbours(batch: ChipBatch) -> Tensor:
        return batch.values["image"] * 0.5 + batch.values["image"].mean(dim=0, keepdim=True)

    trained = planted(source, "generator", by_neighbours)
    found = run(trained, source, tmp_path, split="train", random_chips=2)
    table = pq.read_table(tmp_path / "chips.parquet").to_pandas()
    page = found.page.read_text()
    ranked = table.sort_values("psnr", ascending=False, kind="stable")
    for role, place in (("best", 0), ("worst", len(ranked) - 1), ("median", (len(ranked) - 1) // 2)):
        row = ranked.iloc[place]
        caption = rf"{role} of {len(ranked)}.{{0,40}}<span>{row.chip_id}</span> <span>PSNR {row.psnr:.2f} dB"
        assert re.search(caption, page, re.DOTALL), role
    assert page.count("<code>at random</code>") == 2


def test_pictures_are_of_the_batches_that_were_scored(source: ChipSource, tmp_path: Path) -> None:
    calls: list[tuple[int, ...]] = []

    def watched(batch: ChipBatch) -> Tensor:
        calls.append(tuple(key.slot for key in batch.chips))
        return blurred(batch)

    trained = planted(source, "generator", watched)
    run(trained, source, tmp_path, split="train", random_chips=1, batch=4)
    scored = -(-len(source.of_split("train")) // 4)
    assert len(calls) > scored
    assert set(calls[scored:]) <= set(calls[:scored])


def test_the_same_evaluation_gives_the_same_bytes(source: ChipSource, tmp_path: Path) -> None:
    trained = planted(source, "generator", blurred)
    for name in ("a", "b"):
        run(trained, source, tmp_path / name, threads=0 if name == "a" else 2)
    for name in ("metrics.json", "chips.parquet", "report.html"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_chips_that_were_seen_are_refused_or_told(source: ChipSource, tmp_path: Path) -> None:
    trained = planted(source, "generator", blurred)
    honest = run(trained, source, tmp_path / "train", split="train")
    assert "on chips that it was trained on" in honest.page.read_text()
    assert honest.record["warnings"]
    peeping = replace(trained, seen=seen_by([source], "test"))
    with pytest.raises(ModelError, match=r"saw-held-out[\s\S]*allow_seen"):
        run(peeping, source, tmp_path / "no")
    assert not (tmp_path / "no").exists()
    allowed = run(peeping, source, tmp_path / "yes", allow_seen=True)
    assert "on chips that it was trained on" in allowed.page.read_text()
    # Without any lineage in common nothing is said.
    other = run(replace(trained, seen=Seen.nothing()), source, tmp_path / "other", split="train")
    assert other.record["warnings"] == []


def test_chips_without_a_pixel_to_score_are_counted_and_not_shown(
    source: ChipSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hidden(*args: Any, **values: Any) -> Iterable[ChipBatch]:
        for batch in sweep(*args, **values):
            for name in ("image",):
                batch.valid[name][:1] = False
            yield batch

    monkeypatch.setattr("rsmodels.evaluation.evaluate.sweep", hidden)
    trained = planted(source, "generator", blurred)
    found = run(trained, source, tmp_path, batch=8)
    assert found.record["figures"]["skipped"] == 1
    assert found.record["figures"]["images"] == TEST_CHIPS - 1
    assert found.record["distances"][0]["real"] == TEST_CHIPS - 1
    assert f"best of {TEST_CHIPS - 1}" in found.page.read_text()
    assert pq.read_table(tmp_path / "chips.parquet")["psnr"].null_count == 1


def test_where_figures_go_unless_told(source: ChipSource, tmp_path: Path) -> None:
    trained = replace(planted(source, "generator", blurred), path=tmp_path / "run" / "checkpoints" / "step-00000500")
    settings = EvaluateSettings(checkpoint="run", data="data")
    seen: list[int] = []

    class Watcher(Silent):
        def advance(self, amount: int = 1) -> None:
            seen.append(amount)

    found = evaluate_model(trained, source, settings, progress=Watcher())
    assert found.out == tmp_path / "run" / "evaluations" / "step-00000500-tiny-test"
    assert sum(seen) == TEST_CHIPS


def test_the_command_names_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(tmp_path), "--data", "nowhere", "--allow-few"]) == 2
    assert "no-checkpoint" in capsys.readouterr().err
    assert main(["evaluate", "--data", "nowhere"]) == 2
    assert "checkpoint" in capsys.readouterr().err


def test_a_data_set_without_what_the_model_needs_is_refused_by_name(source: ChipSource, tmp_path: Path) -> None:
    trained = planted(source, "generator", blurred)
    elsewhere = replace(trained.task.fields[1], variable="mask")
    trained.task.fields = (trained.task.fields[0], elsewhere)  # type: ignore[misc]  # a planted one
    with pytest.raises(ModelError, match="no-such-field"):
        run(trained, source, tmp_path)
