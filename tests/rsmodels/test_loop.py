"""The whole loop in small, command by command: data set, generator, synthetic chips, True against Mix."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import torch
import yaml
from numpy.typing import NDArray
from scipy import stats

import rsprep
from rsmodels.cli.main import main
from rsmodels.data.source import ChipSource
from rsmodels.training.load import load
from rsmodels.training.log import read_lines
from rsprep.job.verify import verify
from tests.rsmodels.conftest import CLASSES, build_tiny

SEEDS = 2
GENERATOR = {"model": "rs-spade", "network": {"width": 4, "hidden": 4}, "discriminator": {"width": 4}}
SEGMENTER = {"network": {"width": 4}, "optimiser": {"lr": 0.01}, "batch": 8}


@dataclass(frozen=True)
class Loop:
    """Where everything of the loop is."""

    home: Path
    record: dict[str, Any]
    printed: str

    def downstream(self) -> int:
        """The last command of the loop."""
        data = ["--real", str(self.home / "tiny"), "--synthetic", str(self.home / "synthetic")]
        how = ["--config", str(self.home / "segmenter.yaml"), "--steps", "12", "--seeds", str(SEEDS)]
        return main(["downstream", *data, *how, "--out", str(self.home / "downstream")])


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def loop(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Loop:
    home = tmp_path_factory.mktemp("loop")
    data, catalog = str(build_tiny(home / "tiny")), str(home / "catalog")
    (home / "generator.yaml").write_text(yaml.safe_dump(GENERATOR))
    (home / "segmenter.yaml").write_text(yaml.safe_dump({"train": {**SEGMENTER, "device": "cpu"}}))
    generator = ["--config", str(home / "generator.yaml"), "--steps", "6", "--batch", "4", "--device", "cpu"]
    assert main(["train", *generator, "--data", data, "--out", str(home / "generator")]) == 0
    assert main(["evaluate", str(home / "generator"), "--data", data, "--random-chips", "1", "--device", "cpu"]) == 0
    made = ["--data", data, "--checkpoint", str(home / "generator"), "--n", "1x", "--device", "cpu"]
    assert main(["synth-augment", *made, "--out", str(home / "synthetic"), "--catalog", catalog]) == 0
    with pytest.MonkeyPatch.context() as patch:
        lines: list[str] = []
        patch.setattr("builtins.print", lambda *words, **_: lines.append(" ".join(map(str, words))))
        assert Loop(home, {}, "").downstream() == 0
    record = json.loads((home / "downstream" / "downstream.json").read_text())
    return Loop(home, record, "\n".join(lines))


def test_synthetic_chips_say_what_they_are_and_where_they_come_from(loop: Loop) -> None:
    assert verify(loop.home / "synthetic").ok
    real, made = (ChipSource.open(loop.home / name) for name in ("tiny", "synthetic"))
    assert made.chips.synthetic.all()
    assert not real.chips.synthetic.any()
    assert set(made.chips.split) == {"train"}
    assert len(made.chips) == len(real.of_split("train"))
    catalog = pystac.Catalog.from_file(str(loop.home / "catalog" / "catalog.json"))
    collections = {Path(one.get_self_href() or "").parent.name: one for one in catalog.get_children()}
    assert set(collections) == {"tiny", "synthetic"}
    parents = [Path(link.get_absolute_href() or "") for link in collections["synthetic"].get_links("derived_from")]
    assert loop.home / "tiny" / "collection.json" in parents


def test_true_saw_real_chips_alone_and_mix_both(loop: Loop) -> None:
    for run in loop.record["runs"]:
        parents = load(loop.home / "downstream" / run["folder"]).parents
        found = [(one["name"], one["synthetic"], one["split"], one["share"]) for one in parents]
        alone = [("tiny", False, "train", 1)]
        assert found == (alone if run["arm"] == "true" else [*alone, ("synthetic", True, "train", 1)])
    steps = {arm["key"]: (arm["steps"], arm["passes"]) for arm in loop.record["arms"]}
    chips = len(ChipSource.open(loop.home / "tiny").of_split("train"))
    passes = 12 * 8 / chips
    assert steps == {
        "true": (12, pytest.approx(passes)),
        "mix-synthetic-steps": (12, pytest.approx(passes / 2)),
        "mix-synthetic-epochs": (24, pytest.approx(passes)),
    }


def test_the_figures_are_those_of_the_checkpoints(loop: Loop) -> None:
    page = (loop.home / "downstream" / "report.html").read_text()
    scores: dict[str, list[float]] = {}
    for run in loop.record["runs"]:
        matrix = counted(loop.home / "tiny", loop.home / "downstream" / run["folder"])
        right, union = np.diag(matrix), matrix.sum(0) + matrix.sum(1) - np.diag(matrix)
        known = union > 0
        miou = float((right[known] / union[known]).mean())
        assert run["figures"]["miou"] == pytest.approx(miou, abs=1e-9)
        assert run["figures"]["accuracy"] == pytest.approx(right.sum() / matrix.sum(), abs=1e-9)
        each = [math.nan if one["iou"] is None else one["iou"] for one in run["classes"]]
        np.testing.assert_allclose(each, np.where(known, right / np.where(known, union, 1), np.nan))
        assert f"{miou:.3f}" in page
        scores.setdefault(run["arm"], []).append(miou)
    for arm in loop.record["arms"]:
        mean = float(np.mean(scores[arm["key"]]))
        assert arm["scores"]["miou"]["mean"] == pytest.approx(mean)
        assert f"{mean:.3f} ±" in page
        assert f"{mean:.3f} ±" in loop.printed
    for key, gains in loop.record["gains"].items():
        gain = gains["scores"]["miou"]
        true, mix = np.array(scores["true"]), np.array(scores[key])
        interval = stats.ttest_rel(mix, true).confidence_interval(0.95)
        assert (gain["low"], gain["high"]) == pytest.approx((interval.low, interval.high))
        assert gain["relative"] == pytest.approx(100 * (mix.mean() - true.mean()) / true.mean())
        for text in (f"{gain['mean']:+.3f}", f"[{gain['low']:+.3f}, {gain['high']:+.3f}]"):
            assert text in page
            assert text in loop.printed


def test_curves_have_the_scores_of_the_log(loop: Loop) -> None:
    logs = [
        list(read_lines(loop.home / "downstream" / run["folder"]))
        for run in loop.record["runs"]
        if run["arm"] == "mix-synthetic-epochs"
    ]
    scored = [[line["step"] for line in log if line["kind"] == "validation"] for log in logs]
    assert scored == [list(range(2, 25, 2))] * SEEDS
    assert "mIoU while training" in (loop.home / "downstream" / "report.html").read_text()


def test_the_same_command_again_changes_nothing(loop: Loop) -> None:
    before = contents(loop.home)
    assert loop.downstream() == 0
    assert contents(loop.home) == before


def counted(data: Path, run: Path) -> NDArray[np.int64]:
    """(true, predicted) pixels of the test chips, read with xarray and counted one by one."""
    trained = load(run, device="cpu")
    chips = rsprep.open(data)
    chips = chips.isel(chip=chips.split.values == "test").load()
    matrix = np.zeros((CLASSES, CLASSES), np.int64)
    for number in range(chips.sizes["chip"]):
        one = chips.isel(chip=number)
        seen = (one.s2_valid.values == 1) & (one.s2.values != one.s2.attrs["nodata"]).all(axis=0)
        values, _ = trained.normaliser.encode("image", one.s2.values[None])
        image = torch.from_numpy(np.where(seen, values, 0).astype(np.float32))
        found = trained.network(image)[0].argmax(0).numpy()
        truth = one.lulc.values
        for true, said in zip(truth[seen & (truth != 255)], found[seen & (truth != 255)], strict=True):
            matrix[true, said] += 1
    return matrix


def contents(home: Path) -> dict[str, str]:
    """Hash of every file."""
    files = sorted(path for path in home.rglob("*") if path.is_file())
    return {str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
