"""Read arrays so that what is missing raises.

Zarr answers an absent shard file, and an absent chip inside a shard, with the fill value. To a
trainer that looks like no-data where there should be pixels. Every slot of a store is written,
blank ones included, so an absent one is always damage.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import zarr
from zarr.abc.store import ByteRequest, SuffixByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import LocalStore

from rsprep.cloud.address import Address, Place, place
from rsprep.cloud.zarrs import BucketStore
from rsprep.errors import StoreError
from rsprep.store.codecs import check_document

_ABSENT = np.iinfo(np.uint64).max
_CRC_BYTES = 4


class StrictStore(LocalStore):
    """A local store in which an absent chunk is an error.

    Parameters
    ----------
    root : folder of the chip store.
    slots : array name to the number of chips in one of its shards; other arrays are not sharded.
    """

    def __init__(self, root: Path | str, *, slots: Mapping[str, int] | None = None, read_only: bool = True) -> None:
        super().__init__(root, read_only=read_only)
        self.slots = slots or {}

    def with_read_only(self, read_only: bool = False) -> Self:
        return type(self)(self.root, slots=self.slots, read_only=read_only)

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Bytes under `key`; StoreError ``missing-shard`` or ``missing-chunk`` for absent pixels."""
        buffer = await super().get(key, prototype, byte_range)
        return _present(buffer, f"{self.root}/", key, byte_range, self.slots)


class StrictBucketStore(BucketStore):
    """The same in a bucket."""

    def __init__(self, address: Address, *, slots: Mapping[str, int] | None = None, read_only: bool = True) -> None:
        super().__init__(address, read_only=read_only)
        self.slots = slots or {}

    def with_read_only(self, read_only: bool = False) -> Self:
        return type(self)(self.address, slots=self.slots, read_only=read_only)

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """As :meth:`StrictStore.get`."""
        buffer = await super().get(key, prototype, byte_range)
        return _present(buffer, f"{self.address}/", key, byte_range, self.slots)


def strict_store(store: Place, slots: Mapping[str, int] | None = None) -> StrictStore | StrictBucketStore:
    """The store at `store`, read-only, in which an absent chunk is an error."""
    if isinstance(store, Address):
        return StrictBucketStore(store, slots=slots)
    return StrictStore(store.absolute(), slots=slots)


def _present(
    buffer: Buffer | None, root: str, key: str, byte_range: ByteRequest | None, slots: Mapping[str, int]
) -> Buffer | None:
    """What was read, where it had to be there and is whole."""
    name, chunk, _ = key.partition("/c/")
    if not chunk:
        if buffer is not None:
            check_document(buffer.to_bytes(), root + key)
        return buffer
    if buffer is None:
        raise _damage("missing-shard", "a shard file is missing", root + key)
    if name in slots and (byte_range is None or isinstance(byte_range, SuffixByteRequest)):
        _check_index(buffer, slots[name], root + key)
    return buffer


def _check_index(buffer: Buffer, slots: int, where: str) -> None:
    """Look for chips that were never written: the index at a shard's end holds all ones for them."""
    size = slots * 16
    tail = buffer.to_bytes()[-(size + _CRC_BYTES) :][:size]
    if len(tail) < size or (np.frombuffer(tail, "<u8") == _ABSENT).any():
        raise _damage("missing-chunk", "a chip is missing in a shard", where)


def _damage(slug: str, cause: str, value: str) -> StoreError:
    return StoreError(slug, cause, value=value, remedy="run `rsprep verify` on the data set and build it again")


def open_strict(path: str | Place) -> zarr.Group:
    """Open the store's group read-only through a strict store, without consolidated metadata."""
    store = place(path)
    plain = zarr.open_group(strict_store(store), mode="r", zarr_format=3, use_consolidated=False)
    return zarr.open_group(strict_store(store, shard_slots(plain)), mode="r", use_consolidated=False)


def shard_slots(group: zarr.Group) -> dict[str, int]:
    """Chips in one shard, for each sharded array of `group`."""
    return {name: int(array.shards[0]) for name, array in group.arrays() if array.shards}


def read_slots(group: zarr.Group, name: str, first: int, count: int) -> np.ndarray[Any, np.dtype[Any]]:
    """`count` slots of variable `name` from slot `first` on: (count, [bands], y, x)."""
    array = group[name]
    if not isinstance(array, zarr.Array):
        raise StoreError("not-a-store", "a variable of the store is no array", value=name, remedy="check the path")
    return np.asarray(array[first : first + count])
