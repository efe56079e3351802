"""What the metadata of a store may ask for: codecs from a list, chunks that fit into memory, the newest format only.

Data sets come from strangers, too. The second format of Zarr knows a codec that unpickles, which is to run what the
stranger wrote; registries of codecs grow with every package that is installed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rsprep.errors import StoreError
from rsprep.strict_json import load_json

DOCUMENT = "zarr.json"
OLD_DOCUMENTS = (".zgroup", ".zarray", ".zattrs", ".zmetadata")
"""Of the second format."""
CODECS = frozenset({"blosc", "bytes", "crc32c", "gzip", "sharding_indexed", "transpose", "vlen-utf8", "zstd"})
MOST_BYTES = 16 * 2**20
"""Longest metadata document."""
MOST_CHUNK_BYTES = 2**30
"""Largest chunk that is decoded at once."""
MOST_CHUNKS = 2**20
"""Most chunks in one shard: its index is read as a whole."""
MOST_DIMENSIONS = 8
_WIDTHS = {"bool": 1, "string": 16}


def check_store(store: Path) -> None:
    """See that all metadata of a store on a disk asks for nothing but what is read here; no chunk is touched.

    Raises
    ------
    StoreError : ``old-format``, ``codec-off-list``, ``chunk-too-large`` or ``bad-metadata``.
    """
    for folder in (store, *(path for path in sorted(store.iterdir()) if path.is_dir())):
        for name in (DOCUMENT, *OLD_DOCUMENTS):
            file = folder / name
            if file.is_file():
                size = file.stat().st_size
                check_document(b"" if size > MOST_BYTES else file.read_bytes(), str(file), size=size)


def check_document(content: bytes, where: str, *, size: int | None = None) -> None:
    """The same for one document of a store; others than those of metadata pass."""
    name = where.rpartition("/")[2]
    if name in OLD_DOCUMENTS:
        raise StoreError(
            "old-format",
            "stores of the second format of Zarr are not read: they may hold programs",
            value=where,
            remedy="write it again with rsprep",
        )
    if name != DOCUMENT:
        return
    if (len(content) if size is None else size) > MOST_BYTES:
        raise _bad(where, f"it is longer than {MOST_BYTES:,} bytes")
    try:
        document = load_json(content)
    except ValueError as error:
        raise _bad(where, str(error)) from None
    try:
        for array in _arrays(document):
            _check_array(array, where)
    except (TypeError, KeyError, ValueError, AttributeError, OverflowError) as error:
        raise _bad(where, f"{type(error).__name__}: {error}") from None


def _arrays(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Array documents in a document: itself, or those that a group's holds copies of."""
    if document.get("node_type") == "array":
        yield document
    copies = (document.get("consolidated_metadata") or {}).get("metadata") or {}
    for copy in copies.values():
        yield from _arrays(copy)


def _check_array(array: Mapping[str, Any], where: str) -> None:
    shape, kind = array["shape"], array["data_type"]
    if array["chunk_grid"]["name"] != "regular" or array.get("storage_transformers"):
        raise _bad(where, "a grid of chunks that is not regular, or a transformed store")
    chunk = array["chunk_grid"]["configuration"]["chunk_shape"]
    if len(shape) > MOST_DIMENSIONS or len(chunk) != len(shape) or any(int(side) < 1 for side in chunk):
        raise _bad(where, "shapes that do not fit one another")
    for codec in _codecs(array["codecs"], where):
        if codec["name"] == "sharding_indexed":
            inner = codec["configuration"]["chunk_shape"]
            if math.prod(-(-a // b) for a, b in zip(chunk, inner, strict=True)) > MOST_CHUNKS:
                raise _too_large(where, f"more than {MOST_CHUNKS:,} chunks in a shard")
            chunk = inner
    if math.prod(map(int, chunk)) * _width(kind) > MOST_CHUNK_BYTES:
        raise _too_large(where, f"chunks of {tuple(chunk)} {kind}")


def _codecs(listed: list[Any], where: str) -> Iterator[Mapping[str, Any]]:
    """All codecs of an array, those within shards among them; raises StoreError ``codec-off-list``."""
    for entry in listed:
        codec: dict[str, Any] = {"name": entry} if isinstance(entry, str) else dict(entry)
        if codec["name"] not in CODECS:
            raise StoreError(
                "codec-off-list",
                "the store is packed with something that rsprep does not unpack",
                value=f"{where}: {codec['name']}",
                remedy=f"write it again with one of: {', '.join(sorted(CODECS))}",
            )
        yield codec
        inside = codec.get("configuration") or {}
        for key in ("codecs", "index_codecs"):
            yield from _codecs(inside.get(key) or [], where)


def _width(kind: Any) -> int:
    """Bytes of one value, at least."""
    if not isinstance(kind, str):  # text of a fixed width, and the like
        return max(1, int((kind.get("configuration") or {}).get("length_bytes", 1)))
    return _WIDTHS.get(kind) or max(1, int("".join(sign for sign in kind if sign.isdigit()) or 8) // 8)


def _too_large(where: str, what: str) -> StoreError:
    return StoreError("chunk-too-large", what, value=where, remedy="this is no store that rsprep wrote")


def _bad(where: str, why: str) -> StoreError:
    return StoreError(
        "bad-metadata", f"the metadata of the store cannot be used: {why}", value=where, remedy="check the path"
    )
