"""A generator that draws noise: several images of one mask, each told by its seed alone."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from torch import Tensor

import rsprep
from rsmodels.data.augment import turn
from rsmodels.data.batch import ChipBatch, ChipKey
from rsmodels.data.raw import ChipFields
from rsmodels.data.source import ChipSource
from rsmodels.metrics.nearest import Gallery
from rsmodels.synth import machine
from rsmodels.synth.finish import METRICS
from rsmodels.synth.job import synth_augment
from rsmodels.training.load import Trained, load
from rsprep.errors import BuildError
from rsprep.finish import Outcome
from rsprep.job.verify import verify

PARENTS = 20


def augment(data: Path, run: Path, out: Path, **changes: Any) -> Outcome:
    values = {"data": str(data), "checkpoint": str(run), "out": str(out), "catalog": str(out.parent / "catalog")}
    return synth_augment({**values, "device": "cpu", **changes})


def items(outcome: Outcome) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in pq.read_table(outcome.dataset / "items.parquet").to_pylist()}


@pytest.fixture(scope="module")
def made(tiny_dataset: Path, noisy: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Three images of each mask as it is, and five of each as it is turned."""
    return augment(tiny_dataset, noisy, tmp_path_factory.mktemp("noise") / "synthetic", n="8x", samples=3)


def test_each_mask_has_several_images_that_differ(made: Outcome) -> None:
    assert made.data.counts.committed == 8 * PARENTS
    assert verify(made.dataset).ok
    dataset = rsprep.open(made.dataset)
    variations = dataset["variation"].to_numpy()
    assert Counter(variations.tolist())["identity-s2"] == PARENTS
    one = dataset["parent_id"].to_numpy() == dataset["parent_id"].to_numpy()[0]
    plain = np.flatnonzero(one & np.char.startswith(variations, "identity"))
    masks, images = dataset["lulc"][plain].to_numpy(), dataset["s2"][plain].to_numpy()
    assert len(plain) == 3
    assert (masks == masks[0]).all()
    assert (images[0] != images[1]).any()
    assert (images[1] != images[2]).any()
    assert set(dataset["epsg"].to_numpy()[plain].tolist()) == {32633}  # the ground is the parent's in all of them


def test_no_two_chips_of_a_parent_have_one_seed(made: Outcome) -> None:
    seeds: dict[str, list[int]] = {}
    for row in items(made).values():
        seeds.setdefault(row["rsprep:parent_id"], []).append(row["rsprep:noise_seed"])
    assert all(len(set(each)) == len(each) == 8 for each in seeds.values())


def test_the_recorded_seed_makes_the_image_again(made: Outcome, noisy: Path) -> None:
    trained, dataset = load(noisy, device="cpu"), rsprep.open(made.dataset)
    assert trained.noise is not None
    for number in (0, 37, 159):
        codes = dataset["lulc"][number].to_numpy()
        values, valid = trained.normaliser.encode("landcover", codes[None])
        batch = ChipBatch(
            values={"landcover": torch.from_numpy(np.repeat(values, 16, axis=0))},
            valid={"landcover": torch.from_numpy(np.repeat(valid, 16, axis=0))},
            chips=tuple(ChipKey(0, i) for i in range(16)),
        )
        noise = trained.noise.seeded([int(dataset["noise_seed"][number])] * 16)
        image = trained.normaliser.to_store("image", trained.generate(batch, noise))[0]
        np.testing.assert_array_equal(dataset["s2"][number].to_numpy(), image)
    assert (dataset["lulc"].to_numpy() == 255).any()
    assert dataset["s2_valid"].to_numpy().all()  # also where the class is unknown


def test_what_a_chip_becomes_does_not_depend_on_its_neighbours(
    made: Outcome, tiny_dataset: Path, noisy: Path, tmp_path: Path
) -> None:
    """Fewer chips, in other batches by two workers: those that are in both sets are equal."""
    fewer = augment(tiny_dataset, noisy, tmp_path / "fewer", n=50, samples=3, engine={"workers": 2})
    before = items(made)
    assert all(before[name]["rsprep:digest"] == row["rsprep:digest"] for name, row in items(fewer).items())


def test_edits_of_samples_are_one_edit(tiny_dataset: Path, noisy: Path, tmp_path: Path) -> None:
    made = augment(tiny_dataset, noisy, tmp_path / "synthetic", n="18x", samples=2, turns=False, share=0.25)
    dataset = rsprep.open(made.dataset)
    names = dict(zip(dataset["chip_id"].to_numpy().tolist(), range(len(dataset["chip_id"])), strict=True))
    pairs = [(at, names[f"{name}-s2"]) for name, at in names.items() if f"{name}-s2" in names]
    assert len(pairs) > PARENTS
    first, second = (dataset["lulc"][[pair[i] for pair in pairs]].to_numpy() for i in (0, 1))
    np.testing.assert_array_equal(first, second)


def test_noise_that_changes_nothing_is_an_error(
    tiny_dataset: Path, noisy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Deaf(Trained):
        def generate(self, batch: ChipBatch, noise: Tensor | None = None) -> Tensor:
            assert noise is not None
            return super().generate(batch, torch.zeros_like(noise))

    monkeypatch.setattr(machine, "_machines", {})
    monkeypatch.setattr(machine, "load", lambda path, device: Deaf(**vars(load(path, device=device))))
    with pytest.raises(BuildError, match="equal-samples"):
        augment(tiny_dataset, noisy, tmp_path / "synthetic", n="2x", samples=2)


def test_every_chip_tells_the_nearest_train_chip(made: Outcome, tiny_dataset: Path, noisy: Path) -> None:
    trained, source = load(noisy, device="cpu"), ChipSource.open(tiny_dataset)
    train = set(source.chips.chip_id[source.chips.split == "train"].tolist())
    image = trained.normaliser.field("image")
    gallery = Gallery.of(source, source.of_split("train").tolist(), image, trained.normaliser)
    dataset = rsprep.open(made.dataset)
    assert set(dataset["nearest_id"].to_numpy().tolist()) <= train
    for number in np.flatnonzero(dataset["variation"].to_numpy() == "identity")[:5]:
        values, valid = trained.normaliser.encode("image", dataset["s2"][number].to_numpy()[None])
        unit = trained.normaliser.unit("image", torch.from_numpy(values))
        (distance,), (name,), _ = gallery.nearest(unit, torch.from_numpy(valid))
        assert float(dataset["nearest_distance"][number]) == pytest.approx(distance)
        assert str(dataset["nearest_id"][number].to_numpy()) == name
    found = json.loads((made.dataset / METRICS).read_text())["nearest"]
    assert found["made"]["images"] == 8 * PARENTS
    assert found["made"]["median"] == pytest.approx(np.median(dataset["nearest_distance"]), rel=1e-5)
    assert found["real"]["images"] == PARENTS
    assert "Nearest train chip" in (made.dataset / "report.html").read_text()


def test_a_generator_that_recites_is_seen_through_however_it_is_turned(
    tiny_dataset: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gives the image of the train chip whose radar it is given, turned as that is."""
    source, fields = ChipSource.open(tiny_dataset), load(run).fields
    known = []
    for slot in source.of_split("train").tolist():
        raw = {name: values.copy() for name, values in ChipFields(source, fields).read(slot)[0].items()}
        known += [turn({name: raw[name] for name in ("radar", "image")}, i, fields) for i in range(8)]

    class Reciter(Trained):
        def generate(self, batch: ChipBatch, noise: Tensor | None = None) -> Tensor:
            encoded = [self.normaliser.encode("radar", one["radar"][None])[0][0] for one in known]
            said = []
            for radar in batch.values["radar"].numpy():
                at = min(range(len(known)), key=lambda i: float(np.abs(encoded[i] - radar).sum()))
                said.append(self.normaliser.encode("image", known[at]["image"][None])[0][0])
            return torch.from_numpy(np.stack(said))

    monkeypatch.setattr(machine, "_machines", {})
    monkeypatch.setattr(machine, "load", lambda path, device: Reciter(**vars(load(path, device=device))))
    made = augment(tiny_dataset, run, tmp_path / "synthetic", n="4x", edits=False)
    rows = list(items(made).values())
    distances = [row["rsprep:nearest_distance"] for row in rows]
    assert np.median(distances) < 1e-3
    assert max(distances) < 0.02  # where radar or terrain has no data, a block is the mean of fewer pixels
    assert all(row["rsprep:nearest_id"] == row["rsprep:parent_id"] for row in rows)
    assert json.loads((made.dataset / METRICS).read_text())["nearest"]["closer"] == 1


def test_a_share_of_the_train_chips_lends_conditions(tiny_dataset: Path, noisy: Path, tmp_path: Path) -> None:
    made = augment(tiny_dataset, noisy, tmp_path / "synthetic", n="2x", share=0.5)
    parents = {row["rsprep:parent_id"] for row in items(made).values()}
    kept = ChipSource.open(tiny_dataset, share=0.5)
    assert parents == set(kept.chips.chip_id[kept.chips.split == "train"].tolist())
    assert made.data.counts.committed == 2 * len(parents) < 2 * PARENTS
