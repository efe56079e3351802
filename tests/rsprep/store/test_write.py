from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from rsprep.errors import StoreError
from rsprep.store.digest import chip_digest
from rsprep.store.schema import Schema
from rsprep.store.strict import open_strict, read_slots
from rsprep.store.write import blank_slots, clear_partials, create_store, read_schema, shard_file, write_shard
from tests.rsprep.store.fixtures import shard_arrays, small_schema


def shard_digest(path: Path, schema: Schema, index: int) -> str:
    group = open_strict(path)
    slots = schema.slots_per_shard
    return chip_digest({name: read_slots(group, name, index * slots, slots) for name in schema.names})


def test_making_a_store_twice_is_making_it_once(tmp_path: Path) -> None:
    path, schema = tmp_path / "chips.zarr", small_schema()
    create_store(path, schema, 2)
    write_shard(path, schema, 1, shard_arrays(schema, 1))
    create_store(path, schema, 2)
    assert shard_digest(path, schema, 1) == chip_digest(shard_arrays(schema, 1))
    found, n_shards = read_schema(path)
    assert (found.to_json(), n_shards) == (schema.to_json(), 2)
    with pytest.raises(StoreError) as caught:
        create_store(path, small_schema(layers=["lulc"]), 2)
    assert caught.value.slug == "other-schema"
    assert [child.name for child in tmp_path.iterdir()] == ["chips.zarr"]


def test_what_is_no_store_is_named(tmp_path: Path) -> None:
    for folder, slug in ((tmp_path / "nowhere", "not-found"), (tmp_path, "not-a-store")):
        with pytest.raises(StoreError) as caught:
            read_schema(folder)
        assert caught.value.slug == slug
    with pytest.raises(StoreError, match="at least one shard"):
        create_store(tmp_path / "empty.zarr", small_schema(), 0)


def test_a_shard_of_the_wrong_kind_is_refused(tmp_path: Path) -> None:
    path, schema = tmp_path / "chips.zarr", small_schema()
    create_store(path, schema, 1)
    good = shard_arrays(schema, 0)
    for bad in (
        {name: values for name, values in good.items() if name != "s1"},
        {**good, "extra": good["lulc"]},
        {**good, "lulc": good["lulc"].astype("int16")},
        {**good, "lulc": good["lulc"][:3]},
    ):
        with pytest.raises(StoreError) as caught:
            write_shard(path, schema, 0, bad)
        assert caught.value.slug == "wrong-arrays"
    with pytest.raises(StoreError, match="no such shard"):
        write_shard(path, schema, 1, good)


def test_writers_of_different_shards_lose_nothing(tmp_path: Path) -> None:
    """Pitfall 1: 100 concurrent writes, one whole shard each, and every checksum is as planted.

    The store's shard must be the task's shard: with a larger one on disk, writers would share files.
    """
    path, schema = tmp_path / "chips.zarr", small_schema(layers=["s2", "lulc"], sentinel2={"bands": ["B04", "B08"]})
    create_store(path, schema, 100)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: write_shard(path, schema, i, shard_arrays(schema, i)), range(100)))
    assert all(shard_digest(path, schema, i) == chip_digest(shard_arrays(schema, i)) for i in range(100))
    files = [file for file in (path / "s2" / "c").rglob("*") if file.is_file()]
    assert len(files) == 100, "one file a task"


def test_a_blank_shard_is_written_not_left_out(tmp_path: Path) -> None:
    """Pitfall 2: a shard of nothing but no-data is on the disk, so that its absence means damage."""
    path, schema = tmp_path / "chips.zarr", small_schema()
    create_store(path, schema, 1)
    write_shard(path, schema, 0, shard_arrays(schema, 0, blank=range(schema.slots_per_shard)))
    for name in schema.names:
        assert shard_file(path, schema, name, 0).is_file()
        read_slots(open_strict(path), name, 0, schema.slots_per_shard)


@pytest.mark.parametrize("name", ["s2", "lulc"])
def test_a_missing_shard_raises(tmp_path: Path, name: str) -> None:
    """Pitfall 2: a shard file that was deleted is an error, not no-data."""
    path, schema = tmp_path / "chips.zarr", small_schema()
    create_store(path, schema, 2)
    for index in range(2):
        write_shard(path, schema, index, shard_arrays(schema, index))
    shard_file(path, schema, name, 1).unlink()
    group = open_strict(path)
    read_slots(group, name, 0, 4)
    with pytest.raises(StoreError) as caught:
        read_slots(group, name, 5, 1)
    assert caught.value.slug == "missing-shard"


def test_a_chip_missing_in_a_shard_raises(tmp_path: Path) -> None:
    """Pitfall 2: a shard whose index has no entry for a chip is an error, not no-data."""
    import zarr

    path, schema = tmp_path / "chips.zarr", small_schema()
    create_store(path, schema, 1)
    plain = zarr.open_group(path, mode="r+")["lulc"]
    assert isinstance(plain, zarr.Array)
    plain[0:1] = np.ones((1, 16, 16), "uint8")  # a careless writer: one chip of four
    assert (np.asarray(plain[1:2]) == 255).all(), "plain zarr makes it up"
    for first, count in ((1, 1), (0, 4)):
        with pytest.raises(StoreError) as caught:
            read_slots(open_strict(path), "lulc", first, count)
        assert caught.value.slug == "missing-chunk"


def test_a_flipped_byte_raises_when_read(tmp_path: Path) -> None:
    """Damage at rest does not decode to other pixels: every byte of a shard is under a checksum."""
    path, schema = tmp_path / "chips.zarr", small_schema(layers=["lulc"])
    create_store(path, schema, 1)
    write_shard(path, schema, 0, shard_arrays(schema, 3))
    file = shard_file(path, schema, "lulc", 0)
    whole = file.read_bytes()
    for position in np.random.default_rng(1).integers(0, len(whole), 25):
        damaged = bytearray(whole)
        damaged[position] ^= 0x10
        file.write_bytes(damaged)
        with pytest.raises((ValueError, RuntimeError, StoreError)):
            read_slots(open_strict(path), "lulc", 0, 4)


def test_blanked_slots_hold_no_data_and_their_neighbours_stay(tmp_path: Path) -> None:
    path, schema = tmp_path / "chips.zarr", small_schema()
    create_store(path, schema, 2)
    arrays = shard_arrays(schema, 5)
    write_shard(path, schema, 1, arrays)
    blank_slots(path, schema, 1, [2, 0])
    for variable in schema.variables:
        found = read_slots(open_strict(path), variable.name, 4, 4)
        expected = arrays[variable.name].copy()
        expected[[0, 2]] = variable.fill
        np.testing.assert_array_equal(found, expected)
    with pytest.raises(StoreError, match="missing"):
        blank_slots(path, schema, 0, [1])


def test_what_killed_writers_left_is_cleared_and_nothing_else(tmp_path: Path) -> None:
    path, schema = tmp_path / "chips.zarr", small_schema(layers=["lulc"])
    create_store(path, schema, 1)
    write_shard(path, schema, 0, shard_arrays(schema, 0))
    before = sorted(tmp_path.rglob("*"))
    shutil.copytree(path, tmp_path / "chips.zarr.0123.partial")
    (tmp_path / ".items.parquet.0123.partial").touch()
    shard_file(path, schema, "lulc", 0).with_suffix(".0123.partial").touch()
    assert clear_partials(path) == 3
    assert sorted(tmp_path.rglob("*")) == before


def test_killed_writers_leave_whole_shards(tmp_path: Path) -> None:
    """Kill −9 in a loop while shards are rewritten: each file is one version or the other, never a part."""
    path, schema = tmp_path / "chips.zarr", small_schema(layers=["s1"], grid={"chip_size": 128, "block_px": 256})
    versions = [shard_arrays(schema, seed) for seed in (0, 1)]
    create_store(path, schema, 1)
    write_shard(path, schema, 0, versions[0])
    digests = {chip_digest(arrays) for arrays in versions}
    script = (
        "import sys; from tests.rsprep.store.test_write import *\n"
        f"path, schema = Path({str(path)!r}), read_schema({str(path)!r})[0]\n"
        "versions = [shard_arrays(schema, seed) for seed in (0, 1)]\n"
        "write = lambda: [write_shard(path, schema, 0, arrays) for arrays in versions]\n"
        "write(); print('warm', flush=True)\n"
        "for line in sys.stdin:\n"
        "    if os.fork() == 0:\n"
        "        from zarr.core.sync import reset_resources_after_fork\n"
        "        reset_resources_after_fork(); print(os.getpid(), flush=True)\n"
        "        while True: write()\n"
    )
    rng = np.random.default_rng(7)
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        assert parent.stdout.readline() == "warm\n"
        for _ in range(20):
            parent.stdin.write("go\n")
            parent.stdin.flush()
            child = int(parent.stdout.readline())
            time.sleep(rng.uniform(0.02, 0.12))
            os.kill(child, 9)
            assert shard_digest(path, schema, 0) in digests
        parent.stdin.close()
    clear_partials(path)
    assert list(path.rglob("*.partial")) == []
    assert shard_digest(path, schema, 0) in digests
