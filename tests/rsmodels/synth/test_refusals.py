"""What would let a model peep at held-out chips, or cannot be done, is refused by name, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rsmodels.data.lineage import FILE_NAME, Seen, check_training_mix, seen_by
from rsmodels.data.source import ChipSource
from rsmodels.errors import ModelError
from rsmodels.synth import job
from rsmodels.synth.job import plan_synthetic, synth_augment
from rsmodels.synth.machine import machine
from rsmodels.synth.settings import SynthSettings
from rsmodels.synth.variations import Variation
from rsmodels.training.load import Trained, load
from rsmodels.training.run import train
from rsprep.corpus.run import run_corpus
from rsprep.errors import BuildError, InputError, StoreError
from rsprep.job.progress import Silent
from rsprep.settings import make_settings
from rsprep.store.seal import unseal_store
from tests.rsmodels import conftest as tiny
from tests.rsmodels.synth.conftest import train_tiny

Tamper = Callable[..., None]


def wanted(data: Path, run: Path, out: Path, **changes: Any) -> SynthSettings:
    values = {"data": str(data), "checkpoint": str(run), "out": str(out), "catalog": str(out.parent / "catalog")}
    return make_settings(SynthSettings, {**values, "device": "cpu", "n": 8, **changes})


def refused(name: str, settings: SynthSettings) -> InputError:
    """The error that `settings` meet; nothing of a data set may be there."""
    with pytest.raises(InputError) as caught:
        synth_augment(settings)
    assert caught.value.name == name
    assert caught.value.exit_code == 2
    assert not Path(settings.out).exists()
    assert not Path(settings.catalog).exists()
    return caught.value


@pytest.fixture
def tamper(monkeypatch: pytest.MonkeyPatch) -> Tamper:
    """Change what a checkpoint says of itself."""

    def install(change: Callable[[Trained], dict[str, Any]]) -> None:
        def changed(path: str, *, device: str) -> Trained:
            trained = load(path, device=device)
            return replace(trained, **change(trained))

        monkeypatch.setattr(job, "load", changed)

    return install


# -- leaks ----------------------------------------------------------------------------------------


def test_a_generator_that_was_trained_on_test_chips_is_refused(
    tiny_dataset: Path, all_train: Path, tmp_path: Path
) -> None:
    """Its own data set calls them train chips: their pixels tell."""
    leaky = train_tiny(all_train, tmp_path / "run")
    error = refused("model/saw-held-out", wanted(tiny_dataset, leaky, tmp_path / "synthetic"))
    assert "generator" in error.cause


def test_a_generator_that_saw_the_ground_of_test_chips_is_refused(
    tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other pixels, half a chip further north: the same ground, in another split."""
    monkeypatch.setattr(tiny, "tiny_split", lambda number: "train")
    other = train_tiny(tiny.build_tiny(tmp_path / "other", seed=1, north=5.3e6 + 160), tmp_path / "run")
    error = refused("model/saw-held-out", wanted(tiny_dataset, other, tmp_path / "made" / "synthetic"))
    assert "ground" in error.cause
    apart = train_tiny(tiny.build_tiny(tmp_path / "apart", seed=1, north=5.4e6), tmp_path / "run2")
    plan_synthetic(wanted(tiny_dataset, apart, tmp_path / "made" / "synthetic"), Silent())


@pytest.mark.parametrize("split", ["test", "val"])
def test_a_generator_of_another_split_is_refused(
    tiny_dataset: Path, run: Path, tmp_path: Path, tamper: Tamper, split: str
) -> None:
    tamper(lambda trained: {"seen": replace(trained.seen, split=np.full(len(trained.seen), split, "S5"))})
    refused("model/trained-on-held-out", wanted(tiny_dataset, run, tmp_path / "synthetic"))


def test_a_generator_that_does_not_say_what_it_saw_is_refused(
    tiny_dataset: Path, run: Path, tmp_path: Path, tamper: Tamper
) -> None:
    tamper(lambda trained: {"seen": Seen.nothing()})
    refused("model/trained-on-held-out", wanted(tiny_dataset, run, tmp_path / "synthetic"))


@pytest.fixture(scope="module")
def from_test_chips(tiny_dataset: Path, all_train: Path, run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Synthetic chips of an honest generator, from conditions of test chips that another data set calls train."""
    return synth_augment(wanted(all_train, run, tmp_path_factory.mktemp("leak") / "synthetic", n="1x")).dataset


def test_training_on_chips_that_come_from_test_chips_is_refused(
    tiny_dataset: Path, from_test_chips: Path, tmp_path: Path
) -> None:
    real, synthetic = ChipSource.open(tiny_dataset), ChipSource.open(from_test_chips)
    with pytest.raises(ModelError, match="saw-held-out"):
        check_training_mix([real, synthetic], [real])
    values = {"model": "segmentation", "data": [str(tiny_dataset), str(from_test_chips)], "out": str(tmp_path / "run")}
    with pytest.raises(ModelError, match="saw-held-out"):
        train({**values, "steps": 1, "device": "cpu"})
    assert not (tmp_path / "run").exists()


def test_a_test_chip_that_was_planted_into_the_plan_shows_when_it_is_trained_on(
    tiny_dataset: Path, run: Path, tmp_path: Path
) -> None:
    real = ChipSource.open(tiny_dataset)
    plan = plan_synthetic(wanted(tiny_dataset, run, tmp_path / "synthetic"), Silent())
    slots = [*real.of_split("train")[:3].tolist(), int(real.of_split("test")[0])]
    for variation in (Variation(), Variation(element=3)):
        chips = job.planned(real, [(slot, variation) for slot in slots], 0)
        settings = plan.settings.model_copy(update={"out": str(tmp_path / variation.name)})
        made = run_corpus(replace(plan, chips=chips, settings=settings))
        synthetic = ChipSource.open(made.dataset)
        with pytest.raises(ModelError, match="saw-held-out"):
            check_training_mix([real, synthetic], [real])
        kept = Seen.read(made.dataset / FILE_NAME)
        kept.take(kept.split == b"train").write(made.dataset / FILE_NAME)  # tampered with that, too
        with pytest.raises(ModelError, match="no-lineage"):
            check_training_mix([real, synthetic], [real])


def test_parents_that_saw_test_chips_are_refused(
    tiny_dataset: Path, all_train: Path, from_test_chips: Path, run: Path, tmp_path: Path
) -> None:
    """A generator trained on leaky synthetic chips, and parents that are such chips."""
    grandchild = train_tiny(from_test_chips, tmp_path / "run")
    refused("model/saw-held-out", wanted(tiny_dataset, grandchild, tmp_path / "synthetic"))


def test_synthetic_parents_must_be_asked_for(tiny_dataset: Path, run: Path, tmp_path: Path) -> None:
    first = synth_augment(wanted(tiny_dataset, run, tmp_path / "first")).dataset
    refused("model/synthetic-parents", wanted(first, run, tmp_path / "next" / "second"))
    second = synth_augment(
        wanted(first, run, tmp_path / "next" / "second", synthetic_parents=True, n=3, edits=False)
    ).dataset
    real = ChipSource.open(tiny_dataset)
    seen = seen_by([ChipSource.open(second)])
    train_chips = real.chips.digest[real.chips.split == "train"]
    assert set(train_chips.tolist()) <= set(seen.digest.astype(str).tolist())  # through two generations
    check_training_mix([real, ChipSource.open(second)], [real])


# -- what cannot be done --------------------------------------------------------------------------


def test_a_segmenter_makes_no_images(tiny_dataset: Path, tmp_path: Path) -> None:
    values = {"model": "segmentation", "data": [str(tiny_dataset)], "out": str(tmp_path / "run"), "device": "cpu"}
    network = {"width": 4}
    segmenter = train({**values, "steps": 1, "batch": 2, "network": network, "validate_chips": 1}).run
    refused("model/not-a-generator", wanted(tiny_dataset, segmenter, tmp_path / "synthetic"))


def test_other_chips_than_the_generator_knows_are_refused(
    tiny_dataset: Path, run: Path, tmp_path: Path, tamper: Tamper
) -> None:
    tamper(lambda trained: {"chip_px": 64})
    refused("model/other-chip-size", wanted(tiny_dataset, run, tmp_path / "synthetic"))


def test_what_the_generator_needs_must_be_there(tiny_dataset: Path, run: Path, tmp_path: Path) -> None:
    few = train_tiny(tiny_dataset, tmp_path / "run", bands=("B04",), conditions=("terrain",))
    lacking = synth_augment(wanted(tiny_dataset, few, tmp_path / "parents" / "lacking")).dataset
    settings = wanted(lacking, run, tmp_path / "synthetic", synthetic_parents=True)
    assert "B02" in str(refused("model/no-such-band", settings))
    radar = train_tiny(tiny_dataset, tmp_path / "run2", bands=("B04",), conditions=("radar",))
    settings = wanted(lacking, radar, tmp_path / "synthetic", synthetic_parents=True)
    assert "radar" in str(refused("model/no-such-field", settings))


def test_numbers_of_another_kind_are_refused(tiny_dataset: Path, run: Path, tmp_path: Path, tamper: Tamper) -> None:
    def rescaled(trained: Trained) -> dict[str, Any]:
        scalings = dict(trained.normaliser.scalings)
        scalings["image"] = replace(scalings["image"], scale=1e-3)
        return {"normaliser": replace(trained.normaliser, scalings=scalings)}

    tamper(rescaled)
    refused("model/unlike-data-sets", wanted(tiny_dataset, run, tmp_path / "synthetic"))


def test_an_unfinished_data_set_is_refused(run: Path, tmp_path: Path) -> None:
    data = tiny.build_tiny(tmp_path / "data" / "tiny")
    unseal_store(data / "chips.zarr")
    refused("store/unsealed", wanted(data, run, tmp_path / "synthetic"))
    refused("store/not-found", wanted(tmp_path / "nothing", run, tmp_path / "synthetic"))


def test_a_folder_without_a_checkpoint_is_refused(tiny_dataset: Path, tmp_path: Path) -> None:
    refused("model/no-checkpoint", wanted(tiny_dataset, tmp_path / "nothing", tmp_path / "synthetic"))


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"n": 321}, "model/too-many"),
        ({"n": "17x"}, "model/too-many"),
        ({"n": 161, "edits": False}, "model/too-many"),
        ({"n": 21, "edits": False, "turns": False}, "model/too-many"),
        ({"n": "0.001x"}, "model/too-few"),
    ],
)
def test_more_chips_than_can_differ_are_refused(
    tiny_dataset: Path, run: Path, tmp_path: Path, changes: dict[str, Any], name: str
) -> None:
    refused(name, wanted(tiny_dataset, run, tmp_path / "synthetic", **changes))


def test_edits_need_land_cover(tiny_dataset: Path, tmp_path: Path) -> None:
    bare = train_tiny(tiny_dataset, tmp_path / "run", conditions=("radar", "terrain"))
    refused("model/too-many", wanted(tiny_dataset, bare, tmp_path / "synthetic", n="9x"))


def test_samples_need_noise_and_rare_classes_need_classes(tiny_dataset: Path, run: Path, tmp_path: Path) -> None:
    error = refused("model/no-noise", wanted(tiny_dataset, run, tmp_path / "synthetic", samples=2))
    assert "samples: 2" in str(error)
    bare = train_tiny(tiny_dataset, tmp_path / "run", conditions=("radar", "terrain"))
    refused("model/no-classes", wanted(tiny_dataset, bare, tmp_path / "synthetic", favour_rare=True))


def test_samples_count_for_how_many_chips_there_can_be(tiny_dataset: Path, noisy: Path, tmp_path: Path) -> None:
    settings = wanted(tiny_dataset, noisy, tmp_path / "synthetic", n=961, samples=3)
    assert "at most 960 chips" in refused("model/too-many", settings).cause


def test_a_gpu_that_is_not_there_is_refused(
    tiny_dataset: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    refused("model/no-gpu", wanted(tiny_dataset, run, tmp_path / "synthetic", device="cuda"))


def test_what_is_made_elsewhere_by_then_is_not_mixed_in(tiny_dataset: Path, run: Path, tmp_path: Path) -> None:
    """A worker meets another checkpoint than the plan's: the job stops."""
    plan = plan_synthetic(wanted(tiny_dataset, run, tmp_path / "synthetic"), Silent())
    with pytest.raises(BuildError, match="inputs-changed"):
        machine(replace(plan.shared, manifest_hash="0" * 64))


def test_another_out_for_other_settings(tiny_dataset: Path, run: Path, tmp_path: Path) -> None:
    synth_augment(wanted(tiny_dataset, run, tmp_path / "synthetic", n=2))
    for changes in ({"n": 3}, {"seed": 1}, {"batch": 4}, {"edits": False}):
        with pytest.raises(StoreError, match="other-config"):
            synth_augment(wanted(tiny_dataset, run, tmp_path / "synthetic", **{"n": 2, **changes}))
