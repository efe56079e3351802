"""A synthetic data set as a whole: what is in it, that it says where it comes from, and that it can be resumed."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

import rsprep
from rsmodels.data.augment import turn
from rsmodels.data.batch import ChipBatch, ChipKey
from rsmodels.data.lineage import FILE_NAME, Seen, check_training_mix, seen_by
from rsmodels.data.raw import ChipFields
from rsmodels.data.source import ChipSource
from rsmodels.synth import machine
from rsmodels.synth.equal import SAME_CONDITIONS
from rsmodels.synth.job import synth_augment
from rsmodels.training.load import Trained, load
from rsprep.errors import BuildError, StoreError
from rsprep.finish import Outcome
from rsprep.job.verify import verify
from rsprep.store.write import shard_file
from tests.rsmodels.synth.conftest import train_tiny

ELEMENTS = {
    "identity": 0, "rot90": 1, "rot180": 2, "rot270": 3,
    "mirror": 4, "mirror-rot90": 5, "mirror-rot180": 6, "mirror-rot270": 7,
}  # fmt: skip
PARENTS = 20


def augment(data: Path, run: Path, out: Path, **changes: Any) -> Outcome:
    values = {"data": str(data), "checkpoint": str(run), "out": str(out), "catalog": str(out.parent / "catalog")}
    return synth_augment({**values, "device": "cpu", **changes})


@pytest.fixture(scope="module")
def made(tiny_dataset: Path, run: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Ten chips of each train chip, the last two with an edit."""
    return augment(tiny_dataset, run, tmp_path_factory.mktemp("synthetic") / "synthetic", n="10x")


@pytest.fixture
def meddle(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Tensor], Tensor]], None]:
    """Let something happen to what the generator makes."""

    def install(change: Callable[[Tensor], Tensor]) -> None:
        @dataclass(frozen=True, kw_only=True, eq=False)
        class Meddled(Trained):
            def generate(self, batch: ChipBatch, noise: Tensor | None = None) -> Tensor:
                return change(super().generate(batch, noise))

        monkeypatch.setattr(machine, "_machines", {})
        monkeypatch.setattr(machine, "load", lambda path, device: Meddled(**vars(load(path, device=device))))

    return install


def test_every_chip_is_accounted_for(made: Outcome) -> None:
    counts = made.data.counts
    assert counts.planned == 10 * PARENTS == counts.committed + counts.rejected
    assert counts.quarantined == 0
    assert counts.committed > 9 * PARENTS
    assert verify(made.dataset).ok


def test_it_says_what_it_is_and_where_it_comes_from(made: Outcome, tiny_dataset: Path, run: Path) -> None:
    dataset = rsprep.open(made.dataset)
    assert dataset["synthetic"].to_numpy().all()
    assert set(dataset["split"].to_numpy().tolist()) == {"train"}
    assert dataset["s2"].attrs["rgb_bands"] == ["B04", "B03", "B02"]
    for name, variable in rsprep.open(tiny_dataset).data_vars.items():
        assert variable.attrs.items() <= dataset[name].attrs.items()
        assert (variable.dtype, variable.dims) == (dataset[name].dtype, dataset[name].dims)
    items = pq.read_table(made.dataset / "items.parquet").to_pylist()
    parents = pq.read_table(tiny_dataset / "items.parquet").to_pylist()
    train = {item["id"]: item["rsprep:digest"] for item in parents if item["split"] == "train"}
    assert {item["rsprep:parent_id"] for item in items} == set(train)
    checkpoint = load(run).manifest_hash
    for item in items:
        assert item["rsprep:synthetic"]
        assert item["rsprep:parent_digest"] == train[item["rsprep:parent_id"]]
        assert item["rsprep:checkpoint"] == checkpoint
        assert item["rsprep:parent_id"] in item["processing:lineage"]
        assert item["rsprep:variation"] in item["processing:lineage"]
        assert (item["geometry"] is None) == (item["rsprep:variation"] != "identity")
    (link,) = [
        one
        for one in json.loads((made.dataset / "collection.json").read_text())["links"]
        if one["rel"] == "derived_from"
    ]
    assert (made.dataset / link["href"]).resolve() == tiny_dataset.resolve() / "collection.json"
    assert not link["href"].startswith("/")


def test_places_are_those_of_the_parents(made: Outcome, tiny_dataset: Path) -> None:
    chips, parents = rsprep.open(made.dataset), rsprep.open(tiny_dataset)
    at = {name: number for number, name in enumerate(parents["chip_id"].to_numpy().tolist())}
    same = np.flatnonzero(chips["variation"].to_numpy() == "identity")
    order = [at[name] for name in chips["parent_id"].to_numpy()[same].tolist()]
    for name in ("epsg", "x_origin", "y_origin", "lon", "lat"):
        np.testing.assert_array_equal(chips[name].to_numpy()[same], parents[name].to_numpy()[order])
    assert set(chips["epsg"].to_numpy()[chips["variation"].to_numpy() != "identity"].tolist()) == {0}


def raw_chips(source: ChipSource, trained: Trained) -> list[dict[str, NDArray[Any]]]:
    reader = ChipFields(source, [field for field in trained.fields if field.name != "image"])
    return [
        {name: values.copy() for name, values in reader.read(slot)[0].items()} for slot in source.chips.slot.tolist()
    ]


def test_conditions_are_those_of_the_parent_turned(made: Outcome, tiny_dataset: Path, run: Path) -> None:
    trained = load(run)
    chips, parents = ChipSource.open(made.dataset), ChipSource.open(tiny_dataset)
    before = dict(zip(parents.chips.chip_id.tolist(), raw_chips(parents, trained), strict=True))
    kinds, origins = chips.column("variation").tolist(), chips.column("parent_id").tolist()
    edited = 0
    for after, kind, origin in zip(raw_chips(chips, trained), kinds, origins, strict=True):
        edit, name = kind.split("-", 1) if kind.startswith("edit") else ("", kind)
        expected = turn(before[origin], ELEMENTS[name], trained.fields)
        edited += bool(edit)
        np.testing.assert_array_equal(after["terrain"], expected["terrain"])
        changed = after["landcover"] != expected["landcover"]
        assert changed.any() == bool(edit)
        np.testing.assert_array_equal(after["radar"][:, ~changed], expected["radar"][:, ~changed])
    assert edited > PARENTS


def test_images_are_what_the_generator_makes_of_the_conditions_in_the_store(made: Outcome, run: Path) -> None:
    trained = load(run, device="cpu")
    source, dataset = ChipSource.open(made.dataset), rsprep.open(made.dataset)
    raw = raw_chips(source, trained)
    first = next(i for i, chip in enumerate(raw) if np.isnan(chip["radar"]).any())
    for number in (first, 45, len(raw) - 1):
        encoded = {name: trained.normaliser.encode(name, values[None]) for name, values in raw[number].items()}
        batch = ChipBatch(
            values={name: torch.from_numpy(np.repeat(values, 16, axis=0)) for name, (values, _) in encoded.items()},
            valid={name: torch.from_numpy(np.repeat(valid, 16, axis=0)) for name, (_, valid) in encoded.items()},
            chips=tuple(ChipKey(0, i) for i in range(16)),
        )
        valid = np.logical_and.reduce([valid[0, 0] for _, valid in encoded.values()])
        image = trained.normaliser.to_store("image", trained.generate(batch))[0]
        stored = dataset["s2"][number].to_numpy()
        np.testing.assert_array_equal(dataset["s2_valid"][number].to_numpy(), valid)
        np.testing.assert_array_equal(stored, np.where(valid, image, -32768))
    assert not dataset["s2_valid"][first].to_numpy().all()


def test_what_generator_and_parents_saw_lies_beside_the_store(made: Outcome, tiny_dataset: Path) -> None:
    real, synthetic = ChipSource.open(tiny_dataset), ChipSource.open(made.dataset)
    seen = Seen.read(made.dataset / FILE_NAME)
    assert sorted(seen.chip_id.astype(str).tolist()) == sorted(real.chips.chip_id[real.chips.split == "train"].tolist())
    check_training_mix([real, synthetic], [real])
    assert len(seen_by([real, synthetic])) == PARENTS + len(synthetic.chips)


def test_workers_change_no_chip(made: Outcome, tiny_dataset: Path, run: Path, tmp_path: Path) -> None:
    again = augment(tiny_dataset, run, tmp_path / "synthetic", n="10x", engine={"workers": 3})
    for name in ("items.parquet", FILE_NAME):
        assert (again.dataset / name).read_bytes() == (made.dataset / name).read_bytes()


@pytest.mark.slow
def test_workers_may_be_processes(made: Outcome, tiny_dataset: Path, run: Path, tmp_path: Path) -> None:
    engine = {"scheduler": "processes", "workers": 1}
    again = augment(tiny_dataset, run, tmp_path / "synthetic", n="1x", engine=engine)
    assert digests(again) == digests(made)[:PARENTS]


def test_stopped_midway_the_same_call_ends_as_if_undisturbed(
    made: Outcome, tiny_dataset: Path, run: Path, tmp_path: Path, meddle: Any
) -> None:
    calls = 0

    def full(image: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        if calls == 7:
            raise OSError(errno.ENOSPC, "no space left")
        return image

    meddle(full)
    with pytest.raises(BuildError, match="disk-full"):
        augment(tiny_dataset, run, tmp_path / "synthetic", n="10x")
    assert not (tmp_path / "synthetic" / "items.parquet").exists()
    with pytest.raises(StoreError, match="other-config"):
        augment(tiny_dataset, run, tmp_path / "synthetic", n="10x", seed=1)
    again = augment(tiny_dataset, run, tmp_path / "synthetic", n="10x")
    assert calls < 7 + len(made.data.chips) // 16 + 4  # what was finished is not made again
    assert verify(again.dataset).ok
    for file in sorted(path for path in made.dataset.rglob("*") if path.is_file() and "/c/" in str(path)):
        assert (again.dataset / file.relative_to(made.dataset)).read_bytes() == file.read_bytes()
    for name in ("items.parquet", FILE_NAME):
        assert (again.dataset / name).read_bytes() == (made.dataset / name).read_bytes()


def test_one_image_of_different_conditions_is_an_error(
    tiny_dataset: Path, run: Path, tmp_path: Path, meddle: Any
) -> None:
    meddle(torch.zeros_like)
    for _ in range(2):  # resuming does not get past it
        with pytest.raises(BuildError, match=r"(?s)equal-chips.*tiny-0"):
            augment(tiny_dataset, run, tmp_path / "synthetic", n=12)
    assert not (tmp_path / "synthetic" / "items.parquet").exists()


def test_equal_conditions_give_one_chip(
    tiny_dataset: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two parents of nothing but calm sea: the generator could only repeat itself."""
    monkeypatch.setattr(machine, "_machines", {})
    read = ChipFields.read
    monkeypatch.setattr(ChipFields, "read", lambda self, slot: read(self, 2 if slot == 3 else slot))
    made = augment(tiny_dataset, run, tmp_path / "synthetic", n="1x")
    assert (made.data.counts.committed, made.data.counts.rejected) == (PARENTS - 1, 1)
    assert {problem.reason for problem in made.data.grouped_problems()} == {SAME_CONDITIONS}
    assert verify(made.dataset).ok


def test_numbers_that_are_not_finite_are_no_image(tiny_dataset: Path, run: Path, tmp_path: Path, meddle: Any) -> None:
    def spoilt(image: Tensor) -> Tensor:
        image[1, 0, 4, 4] = float("nan")
        return image

    meddle(spoilt)
    made = augment(tiny_dataset, run, tmp_path / "synthetic", n=12)
    assert (made.data.counts.committed, made.data.counts.quarantined) == (11, 1)
    assert made.failures == 1


def test_a_parent_that_cannot_be_read_is_told_and_tried_again(tiny_dataset: Path, run: Path, tmp_path: Path) -> None:
    data = tmp_path / "tiny"
    shutil.copytree(tiny_dataset, data)
    file = shard_file(data / "chips.zarr", ChipSource.open(data).schema, "s1", 0)
    whole = file.read_bytes()
    file.write_bytes(bytes([*whole[:100], whole[100] ^ 1, *whole[101:]]))
    made = augment(data, run, tmp_path / "synthetic", n="1x")
    assert (made.data.counts.committed, made.data.counts.quarantined) == (PARENTS - 1, 1)
    assert "damaged" in made.data.grouped_problems()[0].reason
    file.write_bytes(whole)
    values = {"data": str(data), "checkpoint": str(run), "out": str(tmp_path / "synthetic"), "n": "1x", "device": "cpu"}
    mended = synth_augment({**values, "catalog": str(tmp_path / "catalog")}, retry_failed=True)
    undisturbed = augment(data, run, tmp_path / "calm", n="1x")
    assert digests(mended) == digests(undisturbed)  # made alone, or among others


def test_a_generator_of_some_bands_and_conditions_makes_no_others(tiny_dataset: Path, tmp_path: Path) -> None:
    few = train_tiny(tiny_dataset, tmp_path / "run", bands=("B04", "B08"), conditions=("terrain",), statistics="batch")
    made = augment(tiny_dataset, few, tmp_path / "synthetic", n=6, batch=4)
    dataset = rsprep.open(made.dataset)
    assert list(dataset.data_vars) == ["s2", "s2_valid", "terrain"]
    assert dataset["s2_band"].to_numpy().tolist() == ["B04", "B08"]
    alone = augment(tiny_dataset, few, tmp_path / "again", n=3, batch=4)
    first = dict(zip(dataset["chip_id"].to_numpy().tolist(), digests(made), strict=True))
    for name, digest in zip(rsprep.open(alone.dataset)["chip_id"].to_numpy().tolist(), digests(alone), strict=True):
        assert first[name] == digest  # batch norm that looks at the batch sees one chip


def digests(outcome: Outcome) -> list[str]:
    found: list[str] = pq.read_table(outcome.dataset / "items.parquet").column("rsprep:digest").to_pylist()
    return found
