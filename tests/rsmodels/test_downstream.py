"""True against Mix: what is compared, for how long, and what its figures are."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import rsprep
from rsmodels.cli.main import main
from rsmodels.data.lineage import FILE_NAME, seen_by
from rsmodels.data.source import ChipSource
from rsmodels.downstream import compare as comparison
from rsmodels.downstream import words
from rsmodels.downstream.arms import plan
from rsmodels.downstream.compare import compare
from rsmodels.downstream.gains import paired_gain, spread
from rsmodels.downstream.settings import DownstreamSettings
from rsmodels.errors import ModelError
from rsmodels.evaluation.evaluate import evaluate_model
from rsmodels.synth.job import synth_augment
from rsmodels.training.load import load
from rsmodels.training.run import train
from rsprep.errors import ConfigError
from rsprep.settings import make_settings
from tests.rsmodels.conftest import build_tiny

SMALL = {"network": {"width": 4}, "batch": 8, "device": "cpu", "validate_chips": 1}
"""Segmenters that hardly learn anything."""
CHIPS = 20
"""Train chips of the tiny data set."""


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def synthesise(data: Path, home: Path, **changes: Any) -> Path:
    """Synthetic chips by a generator that hardly learned anything from `data`."""
    small = {"network": {"width": 4}, "discriminator": {"width": 4}, "validate_chips": 1, "device": "cpu", "steps": 1}
    run = train({"model": "pix2pix", "data": [str(data)], "out": str(home / "generator"), "batch": 2, **small}).run
    values = {"data": str(data), "checkpoint": str(run), "out": str(home / "synthetic"), "device": "cpu", "n": "1x"}
    return synth_augment({**values, "catalog": str(home / "catalog"), **changes}).dataset


@pytest.fixture(scope="module")
def synthetic(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthesise(tiny_dataset, tmp_path_factory.mktemp("synthetic"))


def settings(real: Path, synthetic: Path | list[Path] | None, out: Path, **changes: Any) -> DownstreamSettings:
    values: dict[str, Any] = {"real": str(real), "out": str(out), "steps": 1, "seeds": 1, "train": SMALL}
    if isinstance(synthetic, list):
        values["synthetic"] = [str(path) for path in synthetic]
    elif synthetic is not None:
        values["synthetic"] = str(synthetic)  # one path will do for a list of one
    return make_settings(DownstreamSettings, values | changes)


# -- how sure a gain is ---------------------------------------------------------------------------


@given(
    pairs=st.lists(st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)), min_size=2, max_size=8),
    confidence=st.sampled_from([0.5, 0.9, 0.95, 0.99]),
)
def test_the_interval_is_students_of_the_differences(pairs: list[tuple[float, float]], confidence: float) -> None:
    true, mix = np.array(pairs).T
    if np.ptp(mix - true) < 1e-9:
        return  # scipy has no interval of equal differences
    gain = paired_gain(true.tolist(), mix.tolist(), confidence)
    interval = stats.ttest_rel(mix, true).confidence_interval(confidence)
    assert gain.n == len(pairs)
    assert (gain.low, gain.high) == (pytest.approx(interval.low), pytest.approx(interval.high))
    assert gain.relative == pytest.approx(100 * (mix.mean() - true.mean()) / true.mean(), abs=1e-9)
    assert gain.clear == (not interval.low <= 0 <= interval.high)


def test_two_seeds_give_a_wide_interval_and_one_none() -> None:
    two = paired_gain([0.50, 0.50], [0.52, 0.54])
    assert two.mean == pytest.approx(0.03)
    assert (two.high - two.low) / 2 == pytest.approx(12.706 * 0.01, rel=1e-3)  # the table's t for one degree
    assert not two.clear
    one = paired_gain([0.50], [0.55])
    assert (one.mean, one.n) == (pytest.approx(0.05), 1)
    assert math.isnan(one.low)
    assert math.isnan(one.high)
    assert not one.clear


def test_a_class_that_is_nowhere_in_a_run_leaves_its_pair_out() -> None:
    gain = paired_gain([0.5, math.nan, 0.7], [0.6, 0.9, math.nan])
    assert (gain.n, gain.mean) == (1, pytest.approx(0.1))
    assert paired_gain([math.nan], [0.5]).n == 0
    assert spread([0.2, math.nan, 0.4]).mean == pytest.approx(0.3)


# -- what is compared -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "steps", "passes"),
    [
        ({"steps": 10}, (10, 10, 20), (4, 2, 4)),
        ({"epochs": 3}, (8, 8, 15), (3.2, 1.6, 3)),  # 60 chips in batches of 8, and 120
        ({"steps": 10, "ratio": "1:2"}, (10, 10, 30), (4, 4 / 3, 4)),
        ({"steps": 10, "ratio": "2:1"}, (10, 10, 15), (4, 8 / 3, 4)),
        ({"steps": 10, "ratio": "sizes"}, (10, 10, 20), (4, 2, 4)),
    ],
)
def test_mix_has_as_many_updates_or_as_many_passes(
    changes: dict[str, Any], steps: tuple[int, ...], passes: tuple[float, ...], tiny_dataset: Path, synthetic: Path
) -> None:
    chosen = plan(settings(tiny_dataset, synthetic, Path("nowhere"), **{"steps": 0, **changes}))
    assert chosen.real.of_split("train").size == CHIPS
    assert [arm.key for arm in chosen.arms] == ["true", "mix-synthetic-steps", "mix-synthetic-epochs"]
    assert tuple(arm.steps for arm in chosen.arms) == steps
    assert tuple(arm.passes for arm in chosen.arms) == pytest.approx(passes)


@pytest.mark.parametrize("match", ["steps", "epochs"])
def test_one_of_the_two_can_be_chosen(match: str, tiny_dataset: Path, synthetic: Path) -> None:
    chosen = plan(settings(tiny_dataset, synthetic, Path("nowhere"), match=match))
    assert [arm.key for arm in chosen.arms] == ["true", f"mix-synthetic-{match}"]


def test_runs_differ_in_data_seed_and_length_only(tiny_dataset: Path, synthetic: Path) -> None:
    chosen = plan(settings(tiny_dataset, synthetic, Path("nowhere"), preset="tiny", steps=20))
    true, *mixes = (arm.run(3, Path("out")) for arm in chosen.arms)
    assert true["batch"] == SMALL["batch"]  # over the preset's
    for mix in mixes:
        assert {key for key in mix if mix[key] != true.get(key)} <= {"data", "ratio", "steps", "out"}


@pytest.fixture(scope="module")
def twice(tiny_dataset: Path, synthetic: Path) -> Path:
    """Twice as many chips by the same generator."""
    home = synthetic.parent
    values = {"data": str(tiny_dataset), "checkpoint": str(home / "generator"), "device": "cpu", "n": "2x"}
    return synth_augment({**values, "out": str(home / "twice"), "catalog": str(home / "catalog")}).dataset


def test_by_sizes_a_chip_of_either_is_met_as_often(tiny_dataset: Path, synthetic: Path, twice: Path) -> None:
    chosen = plan(settings(tiny_dataset, [synthetic, twice], Path("nowhere"), steps=12, ratio="sizes"))
    assert [(arm.key, arm.steps, arm.ratio, arm.passes) for arm in chosen.arms] == [
        ("true", 12, (), pytest.approx(12 * 8 / CHIPS)),
        ("mix-synthetic-steps", 12, (1, 1), pytest.approx(12 * 8 / CHIPS / 2)),
        ("mix-synthetic-epochs", 24, (1, 1), pytest.approx(12 * 8 / CHIPS)),
        ("mix-twice-steps", 12, (1, 2), pytest.approx(12 * 8 / CHIPS / 3)),
        ("mix-twice-epochs", 36, (1, 2), pytest.approx(12 * 8 / CHIPS)),
    ]


def test_several_mixes_are_compared_with_one_true(
    tiny_dataset: Path, synthetic: Path, twice: Path, tmp_path: Path
) -> None:
    one = compare(settings(tiny_dataset, [synthetic], tmp_path, match="steps", seeds=2))
    both = compare(settings(tiny_dataset, [synthetic, twice], tmp_path, match="steps", seeds=2))
    record, before = both.record, one.record
    assert [run for run in record["runs"] if run["arm"] != "mix-twice-steps"] == before["runs"]  # nothing made anew
    assert set(record["gains"]) == {"mix-synthetic-steps", "mix-twice-steps"}
    assert [arm["title"] for arm in record["arms"]] == ["True", "+synthetic, equal steps", "+twice, equal steps"]
    generator = load(synthetic.parent / "generator", device="cpu").manifest_hash
    told = [(each["name"], each["chips"]["train"], each["checkpoints"]) for each in record["synthetic"]]
    assert told == [("synthetic", CHIPS, [generator]), ("twice", 2 * CHIPS, [generator])]
    for key in record["gains"]:
        for k, found in enumerate(record["classes"]):
            true, mix = (
                [run["classes"][k]["iou"] for run in record["runs"] if run["arm"] == arm] for arm in ("true", key)
            )
            gain = record["gains"][key]["classes"][found["name"]]
            assert vars(paired_gain(true, mix)) == pytest.approx(
                {name: gain[name] for name in ("mean", "low", "high", "relative", "n")}, nan_ok=True
            )
    page = both.page.read_text()
    assert "What the classes gain" in page
    assert f"{CHIPS} of synthetic, 1:1, {2 * CHIPS} of twice, 1:1" in page


def test_classes_are_told_by_their_share_of_the_train_pixels(
    tiny_dataset: Path, synthetic: Path, tmp_path: Path
) -> None:
    record = compare(settings(tiny_dataset, synthetic, tmp_path, match="steps")).record
    chips = rsprep.open(tiny_dataset)
    labels = chips.isel(chip=chips.split.values == "train").lulc.values
    known = labels[labels != 255]
    shares = [float((known == k).mean()) for k in range(len(record["classes"]))]
    assert [one["share"] for one in record["classes"]] == pytest.approx(shares)
    scores = [record["arms"][0]["classes"][one["name"]]["mean"] for one in words.by_score(record)]
    known_scores = [score for score in scores if not math.isnan(score)]
    assert known_scores == sorted(known_scores, reverse=True)
    assert all(math.isnan(score) for score in scores[len(known_scores) :])
    header, rows = words.class_table(record)
    assert header[:2] == ("class", "of train pixels")
    assert rows[0][1] == f"{100 * words.by_score(record)[0]['share']:.1f} %"


def test_a_share_of_the_real_chips_is_trained_on_and_what_lies_behind_the_others_is_told(
    tiny_dataset: Path, synthetic: Path, tmp_path: Path
) -> None:
    """The synthetic chips are made from all train chips, by a generator that saw all of them."""
    found = compare(settings(tiny_dataset, synthetic, tmp_path, match="steps", share=0.5, ratio="sizes"))
    some = ChipSource.open(tiny_dataset, share=0.5)
    kept = set(some.chips.chip_id[some.chips.split == "train"])
    assert 0 < len(kept) < CHIPS
    assert found.record["real"]["chips"]["train"] == len(kept)
    assert found.record["synthetic"][0]["beyond_share"] == CHIPS - len(kept)
    assert f"{CHIPS - len(kept)} real train chips that True was not given" in words.explained(found.record)
    shared = math.gcd(len(kept), CHIPS)
    assert found.record["arms"][1]["ratio"] == [len(kept) // shared, CHIPS // shared]
    for run in found.record["runs"]:
        seen = load(tmp_path / run["folder"]).parents[0]
        assert (seen["name"], seen["chips"]) == ("tiny", len(kept))


# -- what is refused ------------------------------------------------------------------------------


def test_synthetic_chips_that_know_held_out_ones_are_refused(tiny_dataset: Path, tmp_path: Path) -> None:
    """Their generator was trained on what the real data set holds out."""
    other = build_tiny(tmp_path / "other", shift=1)
    leaky = synthesise(other, tmp_path)
    out = tmp_path / "out"
    command = ["downstream", "--real", str(tiny_dataset), "--synthetic", str(leaky), "--steps", "1", "--out", str(out)]
    assert main(command) == 2
    with pytest.raises(ModelError, match="saw-held-out"):
        compare(settings(tiny_dataset, leaky, out))
    assert not out.exists()


def test_a_planted_test_chip_among_the_parents_is_refused(tiny_dataset: Path, synthetic: Path, tmp_path: Path) -> None:
    real, made = ChipSource.open(tiny_dataset), ChipSource.open(synthetic)
    list_of_seen = made.folder / FILE_NAME
    honest = list_of_seen.read_bytes()
    seen_by([made]).merge(seen_by([real], "test").take(np.array([0]))).write(list_of_seen)
    try:
        with pytest.raises(ModelError, match=r"saw-held-out.* 1 chip\(s\)"):
            compare(settings(tiny_dataset, synthetic, tmp_path / "out"))
    finally:
        list_of_seen.write_bytes(honest)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"train": {"seed": 3}}, "decided-elsewhere"),
        ({"train": {"learning_rate": 3}}, "unknown-key"),
        ({"ratio": "1:0"}, "bad-ratio"),
        ({"ratio": "1"}, "bad-ratio"),
        ({"ratio": "size"}, "bad-ratio"),
        ({"share": 0}, "bad-share"),
        ({"steps": 1, "epochs": 1}, "how-long"),
        ({"steps": 0}, "how-long"),
    ],
)
def test_wrong_settings_are_named(changes: Mapping[str, Any], name: str, tiny_dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        compare(settings(tiny_dataset, None, tmp_path / "out", **changes))
    assert caught.value.slug == name
    assert not (tmp_path / "out").exists()


def test_two_data_sets_of_one_name_are_refused(tiny_dataset: Path) -> None:
    with pytest.raises(ConfigError, match="same-name"):
        settings(tiny_dataset, [Path("a/made"), Path("b/made")], Path("nowhere"))


def test_both_data_sets_are_what_they_are_called(tiny_dataset: Path, synthetic: Path, tmp_path: Path) -> None:
    other = build_tiny(tmp_path / "other", chips=5, north=6e6)
    with pytest.raises(ModelError, match="not-synthetic"):
        compare(settings(tiny_dataset, other, tmp_path / "out"))
    with pytest.raises(ModelError, match=r"no-chips.* no test chip"):
        compare(settings(synthetic, None, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_left_alone(tiny_dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ModelError, match="not-a-comparison"):
        compare(settings(tiny_dataset, None, tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


# -- going on -------------------------------------------------------------------------------------


def test_a_stopped_comparison_goes_on_to_the_same_end(
    tiny_dataset: Path, synthetic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[str] = []
    judged: list[str] = []

    def watched(values: Mapping[str, Any], **options: Any) -> Any:
        trained.append(Path(values["out"]).name)
        if len(trained) == 3:
            raise KeyboardInterrupt
        return train(values, **options)

    def watched_judge(*given: Any, **options: Any) -> Any:
        judged.append(given[2].checkpoint)
        return evaluate_model(*given, **options)

    monkeypatch.setattr(comparison, "train", watched)
    monkeypatch.setattr(comparison, "evaluate_model", watched_judge)
    wanted = settings(tiny_dataset, synthetic, tmp_path / "out", match="steps", seeds=2)
    with pytest.raises(KeyboardInterrupt):
        compare(wanted)
    assert not (tmp_path / "out" / "downstream.json").exists()
    stopped = compare(wanted).record
    assert trained[:3] == ["true-seed0", "mix-synthetic-steps-seed0", "true-seed1"]
    assert trained[3:] == ["true-seed0", "mix-synthetic-steps-seed0", "true-seed1", "mix-synthetic-steps-seed1"]
    assert len(judged) == len(set(judged)) == 4  # what is judged is not judged again
    straight = compare(wanted.model_copy(update={"out": str(tmp_path / "straight")})).record
    for one in (stopped, straight):
        for run in one["runs"]:
            del run["checkpoint"]  # its card names the folder
    assert stopped == straight


def test_true_alone_is_a_beginning_that_mix_goes_on_from(tiny_dataset: Path, synthetic: Path, tmp_path: Path) -> None:
    alone = compare(settings(tiny_dataset, None, tmp_path / "out"))
    assert alone.record["synthetic"] == []
    assert alone.record["gains"] == {}
    assert "Real chips alone" in alone.page.read_text()
    both = compare(settings(tiny_dataset, synthetic, tmp_path / "out", match="steps"))
    assert both.record["runs"][0] == alone.record["runs"][0]
    assert set(both.record["gains"]) == {"mix-synthetic-steps"}
    written = json.loads((tmp_path / "out" / "downstream.json").read_text())
    assert written["gains"]["mix-synthetic-steps"]["scores"]["miou"]["low"] is None  # of one seed
    assert "no interval" in words.explained(both.record)


def test_other_settings_of_the_runs_are_refused(tiny_dataset: Path, tmp_path: Path) -> None:
    compare(settings(tiny_dataset, None, tmp_path / "out"))
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.is_file()}
    with pytest.raises(ModelError, match=r"(?s)other-settings.*batch: 8 before, 4 now"):
        compare(settings(tiny_dataset, None, tmp_path / "out", train={**SMALL, "batch": 4}))
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.is_file()}


# -- in words -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mix", "headline"),
    [
        ([0.60, 0.61, 0.62], "Mix gains: mIoU +0.100 at equal steps, over 3 seeds"),
        ([0.40, 0.41, 0.42], "Mix loses: mIoU -0.100 at equal steps, over 3 seeds"),
        ([0.40, 0.61, 0.55], "Mix against True: mIoU +0.010 at equal steps, not clear of chance over 3 seeds"),
        ([0.60], "Mix against True: mIoU +0.100 at equal steps, one seed"),
    ],
)
def test_the_headline_claims_what_the_interval_shows(mix: list[float], headline: str) -> None:
    gain = paired_gain([0.50, 0.51, 0.52][: len(mix)], mix)
    record = {
        "synthetic": [{}],
        "arms": [{"key": "true", "title": "True"}, {"key": "mix-steps", "title": "Mix, equal steps"}],
        "gains": {"mix-steps": {"scores": {"miou": vars(gain) | {"clear": gain.clear}}}},
    }
    assert words.headline(record) == headline


def test_of_several_mixes_the_headline_tells_of_the_one_that_gains_most() -> None:
    gains = {name: vars(paired_gain([0.5, 0.5], mix)) for name, mix in (("a", [0.51, 0.52]), ("b", [0.6, 0.61]))}
    record = {
        "synthetic": [{}, {}],
        "arms": [{"key": "true", "title": "True"}]
        + [{"key": name, "title": f"+{name}, equal steps"} for name in ("a", "b")],
        "gains": {name: {"scores": {"miou": gain | {"clear": True}}} for name, gain in gains.items()},
    }
    assert words.headline(record) == "+b gains: mIoU +0.105 at equal steps, over 2 seeds, the most of 2 mixes"


def test_tables_stand_in_columns() -> None:
    text = words.as_text((("a", "number"), [("first", "1.25"), ("b", "–")]))
    assert text == "a      number\nfirst    1.25\nb           –"
