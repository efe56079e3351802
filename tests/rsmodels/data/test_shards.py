"""The reader of single chips against zarr-python, and against damage."""

from __future__ import annotations

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import google_crc32c
import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from zarr.codecs import BytesCodec, Crc32cCodec, ShardingCodec, ZstdCodec

import rsprep
from rsmodels.data.raw import ChipFields
from rsmodels.data.shards import ChipReader
from rsmodels.data.source import ChipSource, field
from rsprep.errors import StoreError
from rsprep.store.write import shard_file
from tests.rsmodels.conftest import SIDE

VARIABLES = ("s2", "s2_valid", "s1", "lulc", "terrain")


def chip(reader: ChipReader, slot: int, positions: tuple[int, ...] | None = None) -> NDArray[np.generic]:
    shape = reader.shape if positions is None else (len(positions), *reader.shape[1:])
    out = np.empty(shape, reader.dtype)
    reader.read(slot, out, positions)
    return out


@pytest.mark.parametrize("name", VARIABLES)
@pytest.mark.parametrize("zarr_only", [False, True])
def test_chips_equal_those_of_an_open_store(tiny_dataset: Path, name: str, zarr_only: bool) -> None:
    source = ChipSource.open(tiny_dataset)
    reader = ChipReader(source.path, source.schema, name, zarr_only=zarr_only)
    assert reader.direct is not zarr_only
    expected = rsprep.open(tiny_dataset)[name].to_numpy()
    for slot, one in zip(source.chips.slot.tolist(), expected, strict=True):
        np.testing.assert_array_equal(chip(reader, slot), one)
    if name in ("s2", "terrain"):
        np.testing.assert_array_equal(chip(reader, 2, (3, 0)), expected[2][[3, 0]])


def test_slots_without_a_chip_hold_no_data(tiny_dataset: Path) -> None:
    source = ChipSource.open(tiny_dataset)
    blank = sorted(set(range(len(source.chips))) - set(source.chips.slot.tolist()))
    assert blank
    assert (chip(ChipReader(source.path, source.schema, "s2"), blank[0]) == source.schema["s2"].fill).all()


def test_many_threads_read_the_same(tiny_dataset: Path) -> None:
    source = ChipSource.open(tiny_dataset)
    reader = ChipReader(source.path, source.schema, "s2")
    slots = source.chips.slot.tolist()
    alone = [chip(reader, slot, (2, 1)) for slot in slots]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda slot: chip(reader, slot, (2, 1)), slots * 20))
    for number, one in enumerate(together):
        np.testing.assert_array_equal(one, alone[number % len(slots)])


def test_no_file_stays_open(tiny_dataset: Path) -> None:
    source = ChipSource.open(tiny_dataset)
    reader = ChipFields(source, [field(source, name) for name in ("image", "label", "radar", "terrain")])
    reader.read(0)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # a folder of the kernel
    for slot in source.chips.slot.tolist():
        reader.read(slot)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_fields_come_with_their_masks_and_bands(tiny_dataset: Path) -> None:
    source = ChipSource.open(tiny_dataset)
    fields = [field(source, "image", bands=["B08", "B02"]), field(source, "terrain")]
    reader = ChipFields(source, fields)
    raw, clear = reader.read(3)
    dataset = rsprep.open(tiny_dataset)
    np.testing.assert_array_equal(raw["image"], dataset["s2"][3].to_numpy()[[3, 0]])
    np.testing.assert_array_equal(raw["terrain"], dataset["terrain"][3].to_numpy())
    np.testing.assert_array_equal(clear["image"], dataset["s2_valid"][3].to_numpy())
    assert list(clear) == ["image"]


@pytest.fixture(scope="module")
def breakable(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> ChipSource:
    copy = tmp_path_factory.mktemp("damage") / "tiny"
    shutil.copytree(tiny_dataset, copy)
    return ChipSource.open(copy)


def read_shard(source: ChipSource, name: str, *, zarr_only: bool = False) -> None:
    reader = ChipReader(source.path, source.schema, name, zarr_only=zarr_only)
    for slot in range(source.schema.slots_per_shard):
        chip(reader, slot)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), name=st.sampled_from(("s2", "lulc")))
def test_any_flipped_bit_is_caught(breakable: ChipSource, place: float, bit: int, name: str) -> None:
    file = shard_file(breakable.path, breakable.schema, name, 0)
    whole = file.read_bytes()
    damaged = bytearray(whole)
    damaged[int(place * len(whole))] ^= 1 << bit
    file.write_bytes(damaged)
    try:
        with pytest.raises(StoreError, match=r"store/(damaged|missing)-chunk"):
            read_shard(breakable, name)
    finally:
        file.write_bytes(whole)


@pytest.mark.parametrize("zarr_only", [False, True])
def test_what_is_missing_raises(breakable: ChipSource, zarr_only: bool) -> None:
    file = shard_file(breakable.path, breakable.schema, "s1", 0)
    whole = file.read_bytes()
    index = bytearray(whole[-(breakable.schema.slots_per_shard * 16 + 4) : -4])
    index[16:32] = b"\xff" * 16
    absent = whole[: -len(index) - 4] + bytes(index) + google_crc32c.value(bytes(index)).to_bytes(4, "little")
    try:
        file.write_bytes(absent)
        with pytest.raises(StoreError, match="store/missing-chunk"):
            read_shard(breakable, "s1", zarr_only=zarr_only)
        file.write_bytes(whole[:40])
        with pytest.raises(StoreError, match="store/missing-chunk"):
            read_shard(breakable, "s1", zarr_only=zarr_only)
        file.unlink()
        with pytest.raises(StoreError, match="store/missing-shard"):
            read_shard(breakable, "s1", zarr_only=zarr_only)
    finally:
        file.write_bytes(whole)
    read_shard(breakable, "s1", zarr_only=zarr_only)


def test_an_index_that_points_beyond_the_file_is_caught(breakable: ChipSource) -> None:
    file = shard_file(breakable.path, breakable.schema, "s1", 0)
    whole = file.read_bytes()
    size = breakable.schema.slots_per_shard * 16
    index = np.frombuffer(whole[-size - 4 : -4], "<u8").copy()
    index[0] = len(whole)
    try:
        file.write_bytes(
            whole[: -size - 4] + index.tobytes() + google_crc32c.value(index.tobytes()).to_bytes(4, "little")
        )
        with pytest.raises(StoreError, match="store/damaged-chunk"):
            read_shard(breakable, "s1")
    finally:
        file.write_bytes(whole)


def test_another_codec_chain_is_left_to_zarr(tiny_dataset: Path, tmp_path: Path) -> None:
    copy = tmp_path / "tiny"
    shutil.copytree(tiny_dataset, copy)
    source = ChipSource.open(copy)
    group = zarr.open_group(source.path, mode="r+", use_consolidated=False)
    old = group["lulc"]
    assert isinstance(old, zarr.Array)
    values = np.asarray(old[:])
    meta = json.loads((source.path / "lulc" / "zarr.json").read_text())
    shutil.rmtree(source.path / "lulc")
    sharding = ShardingCodec(
        chunk_shape=(1, SIDE, SIDE), codecs=[BytesCodec(), ZstdCodec(), Crc32cCodec()], index_location="start"
    )
    array = zarr.create(
        store=str(source.path), path="lulc", shape=values.shape, chunks=(source.schema.slots_per_shard, SIDE, SIDE),
        dtype="uint8", fill_value=255, codecs=[sharding], zarr_format=3, attributes=meta["attributes"],
        config={"write_empty_chunks": True},
    )  # fmt: skip
    array[:] = values
    reader = ChipReader(source.path, source.schema, "lulc")
    assert not reader.direct
    for slot in source.chips.slot.tolist():
        np.testing.assert_array_equal(chip(reader, slot), values[slot])
    (source.path / "lulc" / "c" / "0" / "0" / "0").unlink()
    with pytest.raises(StoreError, match="store/missing-shard"):
        chip(reader, 0)
