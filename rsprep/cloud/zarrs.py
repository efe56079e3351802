"""Where zarr finds a chip store: a path as it is, a bucket through obstore."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Self

from zarr.abc.store import ByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import ObjectStore

from rsprep.cloud.address import Address, Place
from rsprep.cloud.objects import client, speaking_plainly


class BucketStore(ObjectStore[Any]):
    """A zarr store in a bucket. It pickles as its address: credentials are found where it is opened again.

    Raises
    ------
    BuildError : ``bucket-denied`` or ``bucket-failed``, from every method.
    """

    def __init__(self, address: Address, *, read_only: bool = False) -> None:
        super().__init__(client(address), read_only=read_only)
        self.address = address

    def with_read_only(self, read_only: bool = False) -> Self:
        return type(self)(self.address, read_only=read_only)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "store"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.store = client(self.address)

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        with speaking_plainly(self.address):
            return await super().get(key, prototype or _default_prototype(), byte_range)

    async def set(self, key: str, value: Buffer) -> None:
        with speaking_plainly(self.address):
            await super().set(key, value)

    async def exists(self, key: str) -> bool:
        with speaking_plainly(self.address):
            return await super().exists(key)

    async def delete(self, key: str) -> None:
        with speaking_plainly(self.address):
            await super().delete(key)

    async def delete_dir(self, prefix: str) -> None:
        with speaking_plainly(self.address):
            await super().delete_dir(prefix)

    async def list_dir(self, prefix: str) -> AsyncGenerator[str, None]:
        with speaking_plainly(self.address):
            async for name in super().list_dir(prefix):
                yield name


def _default_prototype() -> BufferPrototype:
    from zarr.core.buffer import default_buffer_prototype

    return default_buffer_prototype()


def zarr_at(place: Place, *, read_only: bool = True) -> Any:
    """What zarr takes for the store at `place`."""
    return BucketStore(place, read_only=read_only) if isinstance(place, Address) else place
