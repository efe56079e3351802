"""Write a chip store: one task writes whole shards, one coordinator seals.

A shard is one file a variable. It is written to a temporary sibling and then replaced, so a reader
sees the old shard or the new one, never a part. In a bucket it is one object, which is like that by
itself. Two tasks never write into one shard: a shard is rewritten as a whole, and two writers would
lose each other's chips without a word.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec, Crc32cCodec

import rsprep
from rsprep.cloud import objects
from rsprep.cloud.address import Address, Place, place
from rsprep.cloud.zarrs import zarr_at
from rsprep.errors import StoreError
from rsprep.store.schema import Schema, Variable
from rsprep.store.strict import open_strict, read_slots, strict_store

Compression = Literal["lz4", "zstd"]
_LEVEL = {"lz4": 5, "zstd": 3}
_ROOT = "zarr.json"


def create_store(path: str | Place, schema: Schema, n_shards: int, *, compression: Compression = "lz4") -> None:
    """Make an empty store with room for `n_shards` shards; nothing happens if it is there already.

    Parameters
    ----------
    path : the folder to be, ``DATASET/chips.zarr``.
    compression : ``lz4`` is fastest to read, ``zstd`` is a third smaller.

    Raises
    ------
    StoreError : ``other-schema`` if another store is there; ``no-shards`` if there is nothing to hold.
    """
    path = place(path)
    if n_shards < 1:
        raise StoreError("no-shards", "a store needs at least one shard", value=n_shards, remedy="check the plan")
    if isinstance(path, Address):
        _create_in_bucket(path, schema, n_shards, compression)
        return
    if path.exists():
        _require_same(path, schema, n_shards)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    building = path.with_name(f"{path.name}.{uuid.uuid4().hex}.partial")
    _create_empty(building, schema, n_shards, compression)
    try:
        building.rename(path)
    except OSError:  # another process was first
        shutil.rmtree(building)
        _require_same(path, schema, n_shards)


def _create_in_bucket(path: Address, schema: Schema, n_shards: int, compression: Compression) -> None:
    """Made on the disk, then put there file by file: with the root, which comes last, it is whole."""
    if objects.exists(path / _ROOT):
        _require_same(path, schema, n_shards)
        return
    with tempfile.TemporaryDirectory(prefix="rsprep-") as folder:
        _create_empty(Path(folder), schema, n_shards, compression)
        files = {file.relative_to(folder).as_posix(): file.read_bytes() for file in Path(folder).rglob(_ROOT)}
    for name in sorted(files, key=lambda name: (name == _ROOT, name)):
        objects.write(path / name, files[name])


def _create_empty(folder: Path, schema: Schema, n_shards: int, compression: Compression) -> None:
    group = zarr.create_group(folder, zarr_format=3, attributes=_group_attributes(schema, n_shards))
    for variable in schema.variables:
        _create_array(group, variable, schema, n_shards, compression)


def _create_array(
    group: zarr.Group, variable: Variable, schema: Schema, n_shards: int, compression: Compression
) -> None:
    """One variable: inner chunk = one chip, shard = one task's chips.

    Every inner chunk carries a CRC-32C, so that bytes which were damaged at rest raise when read;
    without it blosc decodes many of them to wrong pixels.
    """
    chip = variable.chip_shape(schema.chip_px)
    group.create_array(
        variable.name,
        shape=(n_shards * schema.slots_per_shard, *chip),
        chunks=(1, *chip),
        shards=(schema.slots_per_shard, *chip),
        dtype=variable.dtype,
        fill_value=variable.fill,
        compressors=(BloscCodec(cname=compression, clevel=_LEVEL[compression], shuffle="bitshuffle"), Crc32cCodec()),
        dimension_names=variable.dims,
        attributes=dict(variable.attrs),
    )


def _group_attributes(schema: Schema, n_shards: int) -> dict[str, Any]:
    return {
        "rsprep_schema": schema.to_json(),
        "n_shards": n_shards,
        "sealed": False,
        "software": f"rsprep {rsprep.__version__}",
        "chip_size": schema.chip_px,
        "pixel_size": schema.resolution,
        "spatial:dimensions": ["y", "x"],
        "spatial:registration": "pixel",
        "grid_note": (
            "each chip has its own grid: CRS = EPSG:epsg, outer edge of the upper-left pixel at x_origin, y_origin, "
            "square pixels of pixel_size metres, y pointing south"
        ),
    }


def read_schema(path: str | Place) -> tuple[Schema, int]:
    """Schema of the store at `path` and its number of shards.

    Raises
    ------
    StoreError : ``not-found``, ``not-a-store`` or ``schema-version``.
    """
    path = place(path)
    there = objects.exists(path / _ROOT) if isinstance(path, Address) else path.is_dir()
    if not there:
        raise StoreError("not-found", "there is no chip store here", value=str(path), remedy="check the path")
    try:
        attributes: Mapping[str, Any] = zarr.open_group(strict_store(path), mode="r", zarr_format=3).attrs.asdict()
        return Schema.from_json(attributes["rsprep_schema"]), int(attributes["n_shards"])
    except (FileNotFoundError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise StoreError(
            "not-a-store", f"this is no chip store ({error})", value=str(path), remedy="give a folder written by rsprep"
        ) from None


def _require_same(path: Place, schema: Schema, n_shards: int) -> None:
    found, found_shards = read_schema(path)
    if found.to_json() != schema.to_json() or found_shards != n_shards:
        raise StoreError(
            "other-schema",
            "a store with other variables or another size is already there",
            value=f"{path}: {found_shards} shards of {', '.join(found.names)}",
            remedy="choose another --out, or remove the old data set",
        )


def write_shard(path: str | Place, schema: Schema, index: int, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write shard `index` of every variable, whole, and wait until it is on the disk, or in the bucket.

    Parameters
    ----------
    arrays : variable name to (slots, [bands], y, x) in the variable's own dtype; slots without a
        chip hold no-data.

    Raises
    ------
    StoreError : ``wrong-arrays`` if a variable is missing, unknown, or of another shape or type.
    """
    _check_arrays(schema, arrays)
    store = place(path)
    group = zarr.open_group(zarr_at(store, read_only=False), mode="r+", use_consolidated=False)
    first = index * schema.slots_per_shard
    for name, values in arrays.items():
        array = group[name]
        if not isinstance(array, zarr.Array) or not 0 <= first < array.shape[0]:
            raise StoreError("wrong-arrays", "the store has no such shard", value=f"{name} {index}", remedy="plan anew")
        whole = array.with_config({"write_empty_chunks": True})  # blank chips, too: an absent one is damage
        whole[first : first + schema.slots_per_shard] = values
        if isinstance(store, Path):  # an object is whole and kept once its writing returns
            _flush(shard_file(store, schema, name, index))


def shard_file(path: str | Path, schema: Schema, name: str, index: int) -> Path:
    """File that holds shard `index` of variable `name`."""
    axes_behind = len(schema[name].dims) - 1
    return Path(path, name, "c", str(index), *["0"] * axes_behind)


def _check_arrays(schema: Schema, arrays: Mapping[str, NDArray[Any]]) -> None:
    if set(arrays) != set(schema.names):
        raise StoreError(
            "wrong-arrays",
            f"a shard holds exactly the variables {', '.join(schema.names)}",
            value=", ".join(arrays),
            remedy="give every variable once",
        )
    for variable in schema.variables:
        values = arrays[variable.name]
        shape = (schema.slots_per_shard, *variable.chip_shape(schema.chip_px))
        if values.shape != shape or values.dtype != np.dtype(variable.dtype):
            raise StoreError(
                "wrong-arrays",
                f"{variable.name} must be {shape} {variable.dtype}",
                value=f"{values.shape} {values.dtype}",
                remedy="fill unused slots with no-data",
            )


def _flush(file: Path) -> None:
    """Wait until the file and its name are on the disk: the journal may say so afterwards."""
    for target in (file, file.parent):
        descriptor = os.open(target, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def blank_slots(path: str | Place, schema: Schema, index: int, slots: Iterable[int]) -> None:
    """Put no-data into `slots` (0-based within shard `index`), for chips that were rejected after they were written."""
    chosen = sorted(set(slots))
    if not chosen:
        return
    group = open_strict(path)
    first = index * schema.slots_per_shard
    arrays: dict[str, NDArray[Any]] = {}
    for variable in schema.variables:
        values = read_slots(group, variable.name, first, schema.slots_per_shard)
        values[chosen] = variable.fill
        arrays[variable.name] = values
    write_shard(path, schema, index, arrays)


def clear_partials(path: str | Place) -> int:
    """Remove what writers that were killed left half-written, in the store and beside it.

    Only for the coordinator that holds the data set's lock, before it admits workers and after it has dismissed them.

    Returns
    -------
    Number of files and folders removed.
    """
    path = place(path)
    if isinstance(path, Address):
        return 0  # an object is there whole or not at all
    stale = [*path.rglob("*.partial"), *path.parent.glob("*.partial")]
    for one in stale:
        if one.is_dir():
            shutil.rmtree(one)
        else:
            one.unlink(missing_ok=True)
    return len(stale)
