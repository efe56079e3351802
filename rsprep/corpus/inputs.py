"""What the corpus commands read: folders of pictures, and data sets that rsprep wrote."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow.parquet as pq
import xarray as xr
import zarr
from numpy.typing import NDArray

from rsprep.cloud import objects
from rsprep.cloud.address import Address, Place
from rsprep.cloud.objects import as_file
from rsprep.corpus.pictures import SUFFIXES, PictureInfo, picture_size, read_mask, read_picture
from rsprep.errors import InputError, StoreError
from rsprep.store.read import committed_chips, open_dataset, store_path
from rsprep.store.schema import Schema
from rsprep.store.strict import open_strict, read_slots

__all__ = [
    "SUFFIXES",
    "Corpus",
    "PictureInfo",
    "fingerprint",
    "is_corpus",
    "list_files",
    "listed",
    "open_corpus",
    "picture_size",
    "read_mask",
    "read_picture",
    "slugs",
]

WHOLE_BYTES = 64 * 2**20
"""Files up to this size are hashed whole; of larger ones the head, the tail and the size."""
_PART_BYTES = 8 * 2**20
_INDEX = "items.parquet"
_NAMED = 5


def list_files(folder: str | Path, suffixes: Sequence[str] = SUFFIXES) -> list[Path]:
    """Files of `folder` and the folders in it, in the order of their names.

    Names that begin with a dot are left out: programs keep thumbnails and half-written files there.

    Parameters
    ----------
    folder : a folder, or one file with such a suffix, which is then the list.
    suffixes : endings with their dot; capitals do not count.

    Raises
    ------
    InputError : ``not-found``, or ``empty-folder`` where no file has such a suffix.
    """
    folder = Path(folder)
    wanted = {suffix.lower() for suffix in suffixes}
    if not folder.exists():
        raise InputError("not-found", "there is no such file or folder", value=str(folder), remedy="check the path")
    candidates = [folder] if folder.is_file() else folder.rglob("*")
    found = [path for path in candidates if path.suffix.lower() in wanted and path.is_file()]
    if folder.is_dir():
        found = [path for path in found if not any(part[0] == "." for part in path.relative_to(folder).parts)]
    if not found:
        raise InputError(
            "empty-folder",
            f"there is no {' or '.join(suffixes)} file here",
            value=str(folder),
            remedy="check the path, and what the files are called",
        )
    return sorted(found, key=lambda path: path.relative_to(folder).parts)


def listed(names: Iterable[str]) -> str:
    """The first few names, and how many more there are: the value of an error that concerns many files."""
    every = list(names)
    more = f" and {len(every) - _NAMED:,} more" if len(every) > _NAMED else ""
    return ", ".join(every[:_NAMED]) + more


def slugs(names: Sequence[str]) -> dict[str, str]:
    """Names of files as chip ids may have them; where two would become equal, a hash tells them apart."""
    plain = {name: re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")[:150] or "image" for name in names}
    uses = Counter(slug.lower() for slug in plain.values())
    return {
        name: slug if uses[slug.lower()] == 1 else f"{slug}-{hashlib.blake2b(name.encode(), digest_size=4).hexdigest()}"
        for name, slug in plain.items()
    }


def fingerprint(files: Iterable[Path], root: str | Path) -> str:
    """SHA-256 over names, sizes and contents of `files`, as hex: equal input has an equal fingerprint anywhere.

    Parameters
    ----------
    files : in any order. Of a file above 64 MiB the first and the last 8 MiB are hashed.
    root : folder that names are told from.

    Raises
    ------
    InputError : ``unreadable``.
    """
    root = Path(root)
    state = hashlib.sha256()
    for name, path in sorted((_relative(path, root), path) for path in files):
        try:
            size = path.stat().st_size
            content = _content_digest(path, size)
        except OSError as error:
            raise InputError(
                "unreadable", f"the file cannot be read: {error.strerror}", value=str(path), remedy="see to its rights"
            ) from None
        state.update(f"{name}\0{size}\0{content}\n".encode("utf-8", "surrogateescape"))
    return state.hexdigest()


def _relative(path: Path, root: Path) -> str:
    """Name of `path` within `root`, with slashes; a file that is its own root keeps its name."""
    return path.relative_to(root).as_posix() if path != root else path.name


def _content_digest(path: Path, size: int) -> str:
    with path.open("rb") as stream:
        if size <= WHOLE_BYTES:
            return hashlib.file_digest(stream, "sha256").hexdigest()
        state = hashlib.sha256(stream.read(_PART_BYTES))
        stream.seek(size - _PART_BYTES)
        state.update(stream.read(_PART_BYTES))
        return state.hexdigest()


# -- data sets ------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """A sealed data set as input: its chips in slot order. Small to pickle, as workers open the store themselves."""

    path: Place
    """Where the data set lies."""
    schema: Schema
    chip_ids: tuple[str, ...]
    splits: tuple[str, ...]
    """train, val or test, one a chip."""
    slots: tuple[int, ...]
    """Place of each chip on the store's chip axis."""
    fingerprint: str
    """SHA-256 over the names, splits and pixel digests of all chips."""

    def __len__(self) -> int:
        return len(self.chip_ids)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key not in ("_group", "dataset")}

    @cached_property
    def dataset(self) -> xr.Dataset:
        """All of it, lazily, as from :func:`rsprep.open`: coordinates are `corpus.dataset["lon"]`."""
        return open_dataset(self.path)

    @cached_property
    def _group(self) -> zarr.Group:
        return open_strict(store_path(self.path))

    def read(self, variable: str, index: int) -> NDArray[Any]:
        """Pixels of chip `index` (0-based): ([bands], y, x); StoreError where they are damaged."""
        return np.asarray(read_slots(self._group, variable, self.slots[index], 1)[0])

    def require(self, variable: str) -> Self:
        """The corpus itself, where it has `variable`; else InputError ``no-variable``."""
        if variable not in self.schema.names:
            raise InputError(
                "no-variable",
                f"the data set has no variable {variable!r}",
                value=f"{self.path}: {', '.join(self.schema.names)}",
                remedy="name one of those, or give another data set",
            )
        return self


def is_corpus(path: str | Place) -> bool:
    """True where `path` is a data set that rsprep wrote, sealed or not."""
    root = store_path(path) / "zarr.json"
    return objects.exists(root) if isinstance(root, Address) else root.is_file()


def open_corpus(path: str | Place) -> Corpus:
    """Open a sealed data set of any kind as input.

    Parameters
    ----------
    path : the data set's folder, or its ``chips.zarr``.

    Raises
    ------
    StoreError : ``not-found``, ``not-a-store``, ``schema-version`` or ``unsealed``; ``index-differs`` where the
        index and the store do not hold the same chips.
    InputError : ``no-chips`` where the data set is empty.
    """
    store = store_path(path)
    dataset = open_dataset(store)
    schema = Schema.from_json(dataset.attrs["rsprep_schema"])
    names = committed_chips(dataset)
    if not names:
        raise InputError("no-chips", "the data set holds no chip", value=str(path), remedy="give another one")
    ids, splits, slots, digests = _index(store.parent / _INDEX)
    if ids != names:
        raise StoreError(
            "index-differs",
            f"{_INDEX} and the store do not hold the same chips",
            value=str(path),
            remedy="run `rsprep verify` on the data set, and the command that built it once more",
        )
    state = hashlib.sha256()
    for row in zip(ids, splits, digests, strict=True):
        state.update(("\0".join(row) + "\n").encode())
    return Corpus(
        path=store.parent,
        schema=schema,
        chip_ids=tuple(ids),
        splits=tuple(splits),
        slots=tuple(slots),
        fingerprint=state.hexdigest(),
    )


def _index(path: Place) -> tuple[list[str], list[str], list[int], list[str]]:
    """Names, splits, slots and pixel digests of the committed chips, in slot order."""
    try:
        rows = pq.read_table(as_file(path), columns=["id", "split", "rsprep:slot", "rsprep:digest"]).sort_by(
            "rsprep:slot"
        )
    except (OSError, ValueError, KeyError) as error:  # pyarrow's own are among these
        raise StoreError(
            "no-index",
            f"the index of the data set cannot be read: {error}",
            value=str(path),
            remedy="run the command that built the data set once more",
        ) from None
    ids, splits, slots, digests = (column.to_pylist() for column in rows.columns)
    return ids, splits, slots, digests
