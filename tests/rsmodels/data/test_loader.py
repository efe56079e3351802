"""Batches depend on the stream, the seed and their number, and on nothing else."""

from __future__ import annotations

import itertools
import shutil
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import rsprep
from rsmodels.data.augment import Augment, Jitter, Photometry, element_of, turn
from rsmodels.data.batch import ChipBatch, ChipKey
from rsmodels.data.fields import Field
from rsmodels.data.loader import Loader, prefetched, sweep
from rsmodels.data.normalise import Normaliser
from rsmodels.data.order import Stream
from rsmodels.data.source import ChipSource, field
from rsmodels.errors import ModelError
from rsprep.errors import StoreError
from rsprep.store.write import shard_file
from tests.rsmodels.conftest import BANDS, build_tiny

NAMES = ("image", "landcover", "radar", "terrain")
ALL = Augment(turn=True, jitter=Jitter(chance=0.5))


@pytest.fixture(scope="module")
def source(tiny_dataset: Path) -> ChipSource:
    return ChipSource.open(tiny_dataset)


@pytest.fixture(scope="module")
def fields(source: ChipSource) -> list[Field]:
    return [field(source, name) for name in NAMES]


@pytest.fixture(scope="module")
def normaliser(source: ChipSource, fields: list[Field]) -> Normaliser:
    return Normaliser.fit([source], fields)


def taken(loader: Loader, count: int, first: int = 0) -> list[ChipBatch]:
    batches = loader.batches(first)
    try:
        return list(itertools.islice(batches, count))
    finally:
        batches.close()


def assert_same(one: ChipBatch, other: ChipBatch) -> None:
    assert (one.chips, one.step) == (other.chips, other.step)
    assert list(one.values) == list(other.values)
    for name in one.values:
        assert one.values[name].dtype == other.values[name].dtype
        assert torch.equal(one.values[name], other.values[name])
        assert torch.equal(one.valid[name], other.valid[name])


@pytest.mark.parametrize("augment", ["none", "turns", ALL], ids=["none", "turns", "jitter"])
def test_threads_change_nothing(source: ChipSource, fields: list[Field], normaliser: Normaliser, augment: Any) -> None:
    def batches(threads: int) -> list[ChipBatch]:
        stream = Stream.of([source], seed=2)
        return taken(Loader(stream, [source], fields, normaliser, batch=5, seed=2, augment=augment, threads=threads), 9)

    alone = batches(0)
    for threads in (1, 2, 5):
        for one, other in zip(alone, batches(threads), strict=True):
            assert_same(one, other)


def test_a_batch_is_the_same_wherever_one_begins(
    source: ChipSource, fields: list[Field], normaliser: Normaliser
) -> None:
    def loader() -> Loader:
        return Loader(Stream.of([source], seed=1), [source], fields, normaliser, batch=4, seed=1, augment=ALL)

    whole = taken(loader(), 12)
    assert [batch.step for batch in whole] == list(range(12))
    for first in (1, 7):
        for one, other in zip(whole[first:], taken(loader(), 12 - first, first), strict=True):
            assert_same(one, other)
    assert_same(loader().make(9), whole[9])


def test_ranks_share_a_batch(source: ChipSource, fields: list[Field], normaliser: Normaliser) -> None:
    def batches(rank: int, world: int) -> list[ChipBatch]:
        stream = Stream.of([source])
        loader = Loader(stream, [source], fields, normaliser, batch=6, augment=ALL, rank=rank, world=world)
        return taken(loader, 4)

    parts = [batches(rank, 3) for rank in range(3)]
    for whole, *shares in zip(batches(0, 1), *parts, strict=True):
        assert whole.chips == tuple(key for share in shares for key in share.chips)
        for name in whole.values:
            assert torch.equal(whole.values[name], torch.cat([share.values[name] for share in shares]))
            assert torch.equal(whole.valid[name], torch.cat([share.valid[name] for share in shares]))
    with pytest.raises(ModelError, match="model/batch-size"):
        Loader(Stream.of([source]), [source], fields, normaliser, batch=5, world=2)


def test_every_chip_comes_once_an_epoch(source: ChipSource, fields: list[Field], normaliser: Normaliser) -> None:
    train = source.of_split("train").tolist()
    assert len(train) % 4 == 0
    batches = taken(Loader(Stream.of([source]), [source], fields[1:2], normaliser, batch=4, threads=3), len(train) // 4)
    slots = [key.slot for batch in batches for key in batch.chips]
    assert sorted(slots) == train
    assert slots != train


def test_batches_hold_what_the_store_holds(source: ChipSource, fields: list[Field], normaliser: Normaliser) -> None:
    """Against the package that wrote it, turned and encoded one by one."""
    dataset = rsprep.open(source.path)
    place = {slot: number for number, slot in enumerate(source.chips.slot.tolist())}
    loader = Loader(Stream.of([source]), [source], fields, normaliser, batch=6, seed=4, augment="turns")
    met = set()
    for batch in taken(loader, 7):
        for number, key in enumerate(batch.chips):
            element = element_of(4, batch.step * 6 + number)
            met.add(element)
            chip = dataset.isel(chip=place[key.slot])
            raw = {one.name: chip[one.variable].to_numpy() for one in fields}
            turned = turn({**raw, "clear": chip["s2_valid"].to_numpy()}, element, fields)
            for one in fields:
                clear = turned["clear"][None] if one.kind == "optical" else None
                values, valid = normaliser.encode(one.name, turned[one.name][None], clear)
                np.testing.assert_array_equal(batch.values[one.name][number], values[0])
                np.testing.assert_array_equal(batch.valid[one.name][number], valid[0])
    assert len(met) == 8


def test_nothing_is_nan_and_masks_tell_where(source: ChipSource, fields: list[Field], normaliser: Normaliser) -> None:
    loader = Loader(Stream.of([source]), [source], fields, normaliser, batch=9, augment=ALL)
    gaps = Counter[str]()
    for batch in taken(loader, 4):
        assert len(batch) == 9
        for one in fields:
            values, valid = batch.values[one.name], batch.valid[one.name]
            gaps[one.name] += int((~valid).sum())
            assert valid.dtype == torch.bool
            assert valid.shape == (9, 1, 32, 32)
            if one.kind == "classes":
                assert torch.equal(values == 255, ~valid[:, 0])
                continue
            assert values.dtype == torch.float32
            assert torch.isfinite(values).all()
            assert (values[(~valid).expand_as(values)] == 0).all()
    assert all(gaps[name] for name in NAMES)


def test_jitter_changes_images_alone(source: ChipSource, fields: list[Field], normaliser: Normaliser) -> None:
    jitter = Jitter(chance=1.0)
    plain, varied = (
        taken(Loader(Stream.of([source]), [source], fields, normaliser, batch=4, seed=3, augment=how), 1, 2)[0]
        for how in (Augment(turn=True), Augment(turn=True, jitter=jitter))
    )
    for name in ("landcover", "radar", "terrain"):
        assert torch.equal(plain.values[name], varied.values[name])
    assert not torch.equal(plain.values["image"], varied.values["image"])
    unit = normaliser.unit("image", plain.values["image"]).numpy()
    for number in range(4):
        expected = Photometry(jitter, 3)(unit[number], 2 * 4 + number) * 2 - 1
        expected = np.where(plain.valid["image"][number], expected, 0)
        np.testing.assert_allclose(varied.values["image"][number], expected, atol=1e-6)


def test_a_mix_takes_bands_by_name(
    source: ChipSource, fields: list[Field], normaliser: Normaliser, tmp_path: Path
) -> None:
    """The other data set holds the same chips, its bands in another order."""
    other = ChipSource.open(build_tiny(tmp_path / "other", bands=BANDS[::-1]))
    stream = Stream.of([source, other], (2, 1))
    seen: list[ChipKey] = []
    loader = Loader(stream, [source, other], fields, normaliser, batch=6, augment="none")
    single = Loader(stream, [source, source], fields, normaliser, batch=6, augment="none")
    for batch, same in zip(taken(loader, 6), taken(single, 6), strict=True):
        seen += batch.chips
        assert_same(batch, same)
    assert Counter(key.source for key in seen) == {0: 24, 1: 12}
    assert seen == stream.keys(0, 36)


def test_data_sets_that_differ_are_named(source: ChipSource, fields: list[Field], normaliser: Normaliser) -> None:
    def other(name: str, **changes: Any) -> ChipSource:
        changed = replace(source.schema[name], **changes)
        variables = tuple(changed if one.name == name else one for one in source.schema.variables)
        return replace(source, schema=replace(source.schema, variables=variables))

    lulc, s2 = source.schema["lulc"], source.schema["s2"]
    meanings = {**lulc.attrs, "flag_meanings": str(lulc.attrs["flag_meanings"]).replace("water", "sea")}
    cases = {
        "unlike-data-sets": [
            other("lulc", attrs=meanings),
            other("s2", dtype="uint16", fill=0),
            other("s2", attrs={**s2.attrs, "scale": 1.0}),
            replace(source, schema=replace(source.schema, chip_px=64)),
        ],
        "no-such-band": [other("s2", bands=("B02", "B03", "B04", "B8A"))],
        "no-such-field": [replace(source, schema=replace(source.schema, variables=source.schema.variables[:2]))],
    }
    stream = Stream.of([source, source])
    for slug, unlike in cases.items():
        for one in unlike:
            with pytest.raises(ModelError, match=f"model/{slug}"):
                Loader(stream, [source, one], fields, normaliser, batch=4)
    with pytest.raises(ModelError, match="model/unlike-data-sets"):
        Loader(stream, [cases["unlike-data-sets"][1]] * 2, fields, normaliser, batch=4)


def test_hillshade_under_another_light_is_not_turned(
    source: ChipSource, fields: list[Field], normaliser: Normaliser
) -> None:
    lit = replace(source.schema["terrain"], attrs={"azimuth": 200.0})
    variables = tuple(lit if one.name == "terrain" else one for one in source.schema.variables)
    other = replace(source, schema=replace(source.schema, variables=variables))
    with pytest.raises(ModelError, match="model/other-light"):
        Loader(Stream.of([other]), [other], fields, normaliser, batch=4, augment="turns")
    Loader(Stream.of([other]), [other], fields, normaliser, batch=4, augment="none")


@pytest.mark.parametrize("threads", [0, 2])
def test_a_sweep_meets_each_chip_once(
    source: ChipSource, fields: list[Field], normaliser: Normaliser, threads: int
) -> None:
    batches = list(sweep(source, "train", fields, normaliser, batch=4, threads=threads))
    slots = source.of_split("train").tolist()
    assert [key.slot for batch in batches for key in batch.chips] == slots
    assert [len(batch) for batch in batches] == [4] * (len(slots) // 4) + [len(slots) % 4] * bool(len(slots) % 4)
    some = list(sweep(source, np.array(slots[5:7]), fields, normaliser, batch=8, threads=threads))
    assert [key.slot for key in some[0].chips] == slots[5:7]
    assert torch.equal(some[0].values["image"][0], batches[1].values["image"][1])
    with pytest.raises(ModelError, match="model/no-chips"):
        list(sweep(ChipSource.open(source.path, splits=["val"]), "test", fields, normaliser, batch=4))


def chip_threads() -> int:
    return sum(thread.name.startswith("chips") for thread in threading.enumerate())


def test_threads_are_dismissed(source: ChipSource, fields: list[Field], normaliser: Normaliser) -> None:
    before = chip_threads()
    batches = Loader(Stream.of([source]), [source], fields, normaliser, batch=2, threads=3).batches(0)
    next(batches)
    assert chip_threads() > before
    batches.close()
    assert chip_threads() == before
    list(sweep(source, "val", fields, normaliser, batch=2, threads=2))
    assert chip_threads() == before


def test_damage_is_raised_where_its_batch_comes(
    source: ChipSource, fields: list[Field], normaliser: Normaliser, tmp_path: Path
) -> None:
    copy = tmp_path / "tiny"
    shutil.copytree(source.folder, copy)
    broken = ChipSource.open(copy)
    slots = broken.chips.slot.tolist()
    shard = broken.schema.slots_per_shard
    shard_file(broken.path, broken.schema, "lulc", 3).unlink()
    whole = [slot for slot in slots if slot // shard != 3]
    order = [*whole[:7], slots[slots.index(3 * shard)], *whole[7:]]
    before = chip_threads()
    batches = sweep(broken, order, fields, normaliser, batch=1, threads=4)
    assert [next(batches).chips[0].slot for _ in range(7)] == whole[:7]
    with pytest.raises(StoreError, match="store/missing-shard"):
        next(batches)
    assert chip_threads() == before


def test_pieces_are_made_ahead_but_not_far() -> None:
    made: list[int] = []
    ready = threading.Event()

    def make(step: int) -> int:
        made.append(step)
        if len(made) >= 4:
            ready.set()
        return step * step

    pieces = prefetched(make, itertools.count(3), 2)
    assert next(pieces) == 9
    assert ready.wait(10)
    pieces.close()
    assert set(made) <= set(range(3, 3 + 2 * 2 + 1))
    assert list(prefetched(make, range(3), 2)) == list(prefetched(make, range(3), 0)) == [0, 1, 4]


def test_batches_move_to_a_device(source: ChipSource, fields: list[Field], normaliser: Normaliser) -> None:
    batch = Loader(Stream.of([source]), [source], fields, normaliser, batch=2).make(0)
    moved = batch.to("cpu", channels_last=True)
    assert moved.values["image"].is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(moved.values["image"], batch.values["image"])
    assert moved.chips == batch.chips


def test_the_normaliser_must_be_of_these_fields(
    source: ChipSource, fields: Sequence[Field], normaliser: Normaliser
) -> None:
    stream = Stream.of([source])
    with pytest.raises(ModelError, match="model/unlike-data-sets"):
        Loader(stream, [source], [field(source, "image", bands=["B02"])], normaliser, batch=2)
    with pytest.raises(ModelError, match="model/no-such-field"):
        Loader(stream, [source], [field(source, "label")], normaliser, batch=2)
