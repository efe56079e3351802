"""What a data set tells of each chip: coordinates of the store and its index side by side."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import zarr
from numpy.typing import NDArray

from rsprep.cloud.address import Place
from rsprep.cloud.objects import as_file
from rsprep.errors import StoreError
from rsprep.store.schema import Schema


@dataclass(frozen=True, kw_only=True, eq=False)
class ChipIndex:
    """What is known of each chip, in slot order: one value a chip."""

    slot: NDArray[np.int64]
    """Position along the store's chip axis."""
    chip_id: NDArray[np.str_]
    split: NDArray[np.str_]
    digest: NDArray[np.str_]
    """Fingerprint of its pixels."""
    epsg: NDArray[np.int32]
    """0 for a picture without a place."""
    x_origin: NDArray[np.float64]
    """Easting of the outer edge of the upper-left pixel, metres."""
    y_origin: NDArray[np.float64]
    """Northing likewise."""
    synthetic: NDArray[np.bool_]
    side: float
    """Metres along a chip's side, the same for all."""

    def __len__(self) -> int:
        return len(self.slot)


def read_index(folder: Place) -> dict[int, tuple[str, str, str]]:
    """Slot to (chip_id, digest, split), from the index of the data set in `folder`."""
    path = folder / "items.parquet"
    try:
        table = pq.read_table(as_file(path), columns=["rsprep:slot", "id", "rsprep:digest", "split"])
    except FileNotFoundError:
        raise StoreError(
            "no-index",
            "the data set has no index of its chips, and so no fingerprints of them",
            value=str(path),
            remedy="run the command that makes the data set again: it writes the index last",
        ) from None
    slots, *rest = (column.to_pylist() for column in table.columns)
    return dict(zip(slots, zip(*rest, strict=True), strict=True))


def coordinate(group: zarr.Group, name: str) -> NDArray[Any]:
    """One value a slot; text as fixed-width text."""
    array = group[name]
    if not isinstance(array, zarr.Array):
        raise StoreError("not-a-store", "a coordinate of the store is no array", value=name, remedy="check the path")
    values = np.asarray(array[:])
    return np.array(values.tolist(), dtype=str) if values.dtype.kind in "TO" else values


def chip_index(group: zarr.Group, schema: Schema, index: dict[int, tuple[str, str, str]], path: str) -> ChipIndex:
    """The chips of a store, with the fingerprints of its `index`; StoreError ``other-index`` where the two differ."""
    slots = np.flatnonzero(coordinate(group, "committed"))
    names = ("chip_id", "split", "epsg", "x_origin", "y_origin", "synthetic")
    columns = {name: coordinate(group, name)[slots] for name in names}
    known = [index.get(slot, ("", "", "")) for slot in slots.tolist()]
    told = [(chip_id, split) for chip_id, _, split in known]
    if len(index) != len(slots) or told != list(
        zip(columns["chip_id"].tolist(), columns["split"].tolist(), strict=True)
    ):
        raise StoreError(
            "other-index",
            "the index beside the store does not tell of the chips in it",
            value=path,
            remedy="keep a data set's folder together; run the command that makes it again",
        )
    digests = np.array([digest for _, digest, _ in known], dtype=str)
    return ChipIndex(slot=slots, digest=digests, side=schema.side, **columns)


def some(chips: ChipIndex, keep: NDArray[np.bool_]) -> ChipIndex:
    """The chips where `keep` is True."""
    columns = {name: values[keep] for name, values in vars(chips).items() if name != "side"}
    return ChipIndex(side=chips.side, **columns)


def shared(chips: ChipIndex, share: float) -> ChipIndex:
    """Without a part of the train chips: that share of them stays, rounded up, and all others.

    Which ones follows from their names, so that a smaller share is within a larger one.
    """
    train = np.flatnonzero(chips.split == "train")
    marks = [hashlib.blake2b(name.encode(), digest_size=8).digest() for name in chips.chip_id[train].tolist()]
    order = sorted(range(len(train)), key=lambda number: (marks[number], number))
    keep = np.ones(len(chips), np.bool_)
    keep[train[order[math.ceil(share * len(train)) :]]] = False
    return some(chips, keep)


def identity_of(chips: ChipIndex) -> str:
    """Hash over name, fingerprint and split of every chip, whatever their order."""
    state = hashlib.blake2b(digest_size=16)
    for row in sorted(zip(chips.chip_id.tolist(), chips.digest.tolist(), chips.split.tolist(), strict=True)):
        state.update("\0".join(row).encode() + b"\n")
    return state.hexdigest()
