"""Read single chips out of a store's shards, from several threads at once.

A shard of a chip store is one file: the chips' bytes, then an index of their places. Here a chip is one
``pread``, one check of its CRC-32C and one decompression into the array where it is wanted; all of that happens
outside Python's lock. zarr-python does the same with more turns on the way, and reads what another codec chain
has written.
"""

from __future__ import annotations

import json
import os
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any, Final

import google_crc32c
import numpy as np
import zarr
from numcodecs import blosc
from numpy.typing import NDArray

from rsprep.cloud.address import Place, place
from rsprep.errors import StoreError
from rsprep.store.schema import Schema, Variable
from rsprep.store.strict import open_strict, read_slots
from rsprep.store.write import shard_file

_ABSENT: Final = np.iinfo(np.uint64).max
_ENTRY, _CRC = 16, 4
_INDEXES: Final = 1024
"""Shard indexes that are kept in memory, 16 bytes a chip each."""


class _Scratch(threading.local):
    """Memory of one thread, grown as needed and used again."""

    def __init__(self) -> None:
        self.packed = np.empty(0, np.uint8)
        self.plain = np.empty(0, np.uint8)

    def packed_of(self, size: int) -> NDArray[np.uint8]:
        if self.packed.size < size:
            self.packed = np.empty(size, np.uint8)
        return self.packed[:size]

    def plain_of(self, size: int) -> NDArray[np.uint8]:
        if self.plain.size < size:
            self.plain = np.empty(size, np.uint8)
        return self.plain[:size]


class ChipReader:
    """Chips of one variable of a store.

    Parameters
    ----------
    path : the store.
    schema : of the store.
    name : of the variable.
    zarr_only : leave the reading to zarr-python, as for a codec chain that is not known here.

    Notes
    -----
    Safe to use from several threads. A file is open for the time of one read only.
    """

    def __init__(self, path: str | Place, schema: Schema, name: str, *, zarr_only: bool = False) -> None:
        self.path = place(path)
        self.variable: Variable = schema[name]
        self.shape = self.variable.chip_shape(schema.chip_px)
        self.dtype = np.dtype(self.variable.dtype)
        self._schema = schema
        self._size = int(np.prod(self.shape)) * self.dtype.itemsize
        # The files are read past zarr where there are files.
        self._files = self.path if isinstance(self.path, Path) and not zarr_only else None
        if self._files is not None and not _is_ours(self._files / name / "zarr.json", schema, self.variable):
            self._files = None
        self._group: zarr.Group | None = None if self._files else open_strict(self.path)
        self._indexes: OrderedDict[int, NDArray[np.uint64]] = OrderedDict()
        self._lock = threading.Lock()
        self._scratch = _Scratch()

    @property
    def direct(self) -> bool:
        """True where the bytes are decoded here, False where zarr-python does it."""
        return self._files is not None

    def read(self, slot: int, out: NDArray[Any], positions: tuple[int, ...] | None = None) -> None:
        """Put chip `slot` into `out`.

        Parameters
        ----------
        out : ([bands], y, x), contiguous, in the variable's own type.
        positions : bands to take, in this order; all by default.

        Raises
        ------
        StoreError : ``missing-shard``, ``missing-chunk``, ``damaged-chunk``.
        """
        if positions is None:
            self._whole(slot, out)
            return
        plain = self._scratch.plain_of(self._size).view(self.dtype).reshape(self.shape)
        self._whole(slot, plain)
        np.take(plain, positions, axis=0, out=out)

    def _whole(self, slot: int, out: NDArray[Any]) -> None:
        if out.shape != self.shape or out.dtype != self.dtype or not out.flags.c_contiguous:
            raise ValueError(f"out must be a contiguous {self.dtype} {self.shape}, got {out.dtype} {out.shape}")
        if self._group is not None:
            out[...] = self._by_zarr(self._group, slot)
            return
        assert self._files is not None  # noqa: S101
        shard, within = divmod(slot, self._schema.slots_per_shard)
        file = shard_file(self._files, self._schema, self.variable.name, shard)
        try:
            descriptor = os.open(file, os.O_RDONLY)
        except FileNotFoundError:
            raise _damage("missing-shard", "a shard file is missing", file) from None
        try:
            offset, size = (int(one) for one in self._index(shard, descriptor, file)[within])
            packed = self._scratch.packed_of(size)
            if os.preadv(descriptor, [packed.data], offset) != size:
                raise _damage("missing-chunk", "a shard ends within a chip", file)
        finally:
            os.close(descriptor)
        self._unpack(packed, out, f"{file}, slot {slot}")

    def _unpack(self, packed: NDArray[np.uint8], out: NDArray[Any], where: str) -> None:
        body = packed[:-_CRC]
        if google_crc32c.value(body) != int.from_bytes(packed[-_CRC:].tobytes(), "little"):
            raise _damage("damaged-chunk", "a chip's bytes are not those that were written (CRC-32C)", where)
        if int.from_bytes(body[4:8].tobytes(), "little") != self._size:
            raise _damage("damaged-chunk", "a chip has another size than its variable", where)
        try:
            blosc.decompress(body, out)
        except RuntimeError as error:
            raise _damage("damaged-chunk", f"a chip cannot be unpacked ({error})", where) from None

    def _index(self, shard: int, descriptor: int, file: Path) -> NDArray[np.uint64]:
        """Offset and size of each chip of a shard: (slots, 2)."""
        with self._lock:
            if shard in self._indexes:
                self._indexes.move_to_end(shard)
                return self._indexes[shard]
        size = self._schema.slots_per_shard * _ENTRY
        end = os.fstat(descriptor).st_size
        tail = os.pread(descriptor, size + _CRC, max(0, end - size - _CRC))
        if len(tail) != size + _CRC:
            raise _damage("missing-chunk", "a shard file is cut short", file)
        index: NDArray[np.uint64] = np.frombuffer(tail[:size], "<u8").reshape(-1, 2)
        if google_crc32c.value(tail[:size]) != int.from_bytes(tail[size:], "little"):
            raise _damage("damaged-chunk", "the index of a shard is not the one that was written (CRC-32C)", file)
        if (index == _ABSENT).any():
            raise _damage("missing-chunk", "a chip is missing in a shard", file)
        if (index.sum(axis=1) > end).any() or (index[:, 1] <= _CRC + 16).any():
            raise _damage("damaged-chunk", "the index of a shard points beyond it", file)
        with self._lock:
            self._indexes[shard] = index
            while len(self._indexes) > _INDEXES:
                self._indexes.popitem(last=False)
        return index

    def _by_zarr(self, group: zarr.Group, slot: int) -> NDArray[Any]:
        """The same through zarr-python."""
        try:
            chip: NDArray[Any] = read_slots(group, self.variable.name, slot, 1)[0]
        except (RuntimeError, ValueError) as error:
            raise _damage(
                "damaged-chunk", f"a chip cannot be unpacked ({error})", f"{self.path}, slot {slot}"
            ) from None
        return chip


def _damage(slug: str, cause: str, value: object) -> StoreError:
    return StoreError(slug, cause, value=str(value), remedy="run `rsprep verify` on the data set and make it again")


def _is_ours(file: Path, schema: Schema, variable: Variable) -> bool:
    """True for the codec chain of ``rsprep.store.write``: shards of one-chip chunks, bytes → blosc → CRC-32C."""
    meta = json.loads(file.read_text(encoding="utf-8"))
    if len(meta["codecs"]) != 1 or meta["codecs"][0]["name"] != "sharding_indexed":
        return False
    sharding = meta["codecs"][0]["configuration"]
    chip = list(variable.chip_shape(schema.chip_px))
    chain, index_chain = (sharding[key] for key in ("codecs", "index_codecs"))
    return (
        meta["data_type"] == variable.dtype
        and meta["chunk_grid"]["configuration"]["chunk_shape"] == [schema.slots_per_shard, *chip]
        and meta["chunk_key_encoding"] == {"name": "default", "configuration": {"separator": "/"}}
        and sharding["chunk_shape"] == [1, *chip]
        and sharding.get("index_location", "end") == "end"
        and [codec["name"] for codec in chain] == ["bytes", "blosc", "crc32c"]
        and [codec["name"] for codec in index_chain] == ["bytes", "crc32c"]
        and all(
            codec.get("configuration", {}).get("endian", "little") == "little" for codec in (chain[0], index_chain[0])
        )
    )
