"""The table of the chips that something has seen."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from rsmodels.data.source import ChipSource
from rsmodels.errors import ModelError
from rsprep.cloud.address import Place, place
from rsprep.cloud.objects import as_file
from rsprep.files import appearing
from rsprep.store.schema import NOWHERE

FILE_NAME = "seen.parquet"
"""Beside a synthetic store, and in a checkpoint."""
_FORMAT = {b"rsmodels:seen": b"1"}
_NAMED = 3
_TYPES = {
    "digest": pa.string(),
    "chip_id": pa.string(),
    "epsg": pa.int32(),
    "x_origin": pa.float64(),
    "y_origin": pa.float64(),
    "side": pa.float64(),
    "dataset": pa.string(),
    "split": pa.string(),
}

_SORTED_BY = ("side", "y_origin", "x_origin", "epsg", "split", "digest", "chip_id", "dataset")
"""The last counts most."""

Text = NDArray[np.bytes_]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """Chips that were seen, one entry a chip in every column; each chip once, in the order of data set and name."""

    digest: Text
    chip_id: Text
    epsg: NDArray[np.int32]
    """0 for a chip without a place."""
    x_origin: NDArray[np.float64]
    """Easting of the left edge, metres; 0 without a place."""
    y_origin: NDArray[np.float64]
    """Northing of the upper edge, metres; 0 without a place."""
    side: NDArray[np.float64]
    """Metres."""
    dataset: Text
    """Identity of the data set that it belongs to."""
    split: Text

    def __post_init__(self) -> None:
        if len({len(getattr(self, one.name)) for one in fields(self)}) != 1:
            raise ValueError("the columns differ in length")

    @classmethod
    def of(
        cls,
        *,
        digest: Any,
        chip_id: Any,
        epsg: Any,
        x_origin: Any,
        y_origin: Any,
        side: Any,
        dataset: Any,
        split: Any,
    ) -> Self:
        """From columns of any kind; `side`, `dataset` and `split` may be one value for all chips."""
        count = len(digest)
        code = np.asarray(epsg, np.int32)
        nowhere = code == NOWHERE
        x, y = (np.where(nowhere, 0.0, np.asarray(values, np.float64)) for values in (x_origin, y_origin))
        columns: dict[str, NDArray[Any]] = {
            "digest": as_text(digest, count),
            "chip_id": as_text(chip_id, count),
            "epsg": code,
            "x_origin": x,
            "y_origin": y,
            "side": np.broadcast_to(np.asarray(side, np.float64), count),
            "dataset": as_text(dataset, count),
            "split": as_text(split, count),
        }
        order = np.lexsort([columns[name] for name in _SORTED_BY])
        ordered = {name: values[order] for name, values in columns.items()}
        new = np.ones(count, np.bool_)
        new[1:] = np.any([values[1:] != values[:-1] for values in ordered.values()], axis=0)
        return cls(**{name: values[new] for name, values in ordered.items()})

    @classmethod
    def chips_of(cls, source: ChipSource, chosen: Flags) -> Self:
        """The chips of `source` for which `chosen` is True, as if they had been seen."""
        names = ("digest", "chip_id", "epsg", "x_origin", "y_origin", "split")
        columns = {name: getattr(source.chips, name)[chosen] for name in names}
        return cls.of(**columns, side=source.chips.side, dataset=source.identity)

    @classmethod
    def nothing(cls) -> Self:
        """No chip at all."""
        empty: tuple[()] = ()
        return cls.of(
            digest=empty, chip_id=empty, epsg=empty, x_origin=empty, y_origin=empty, side=1.0, dataset="", split=""
        )

    def __len__(self) -> int:
        return len(self.digest)

    def merge(self, *others: Seen) -> Seen:
        """These chips and those of `others`, each once."""
        tables = (self, *others)
        return Seen.of(
            **{one.name: np.concatenate([getattr(table, one.name) for table in tables]) for one in fields(self)}
        )

    def take(self, chosen: Flags | NDArray[np.intp]) -> Seen:
        """The chips for which `chosen` is True, or those with these numbers."""
        return Seen(**{one.name: getattr(self, one.name)[chosen] for one in fields(self)})

    def write(self, path: str | Path) -> None:
        """Write the table as Parquet, in one piece; equal chips give equal bytes."""
        table = pa.table(
            {name: pa.array(_plain(getattr(self, name)), kind) for name, kind in _TYPES.items()},
            schema=pa.schema(_TYPES, metadata=_FORMAT),
        )
        with appearing(Path(path)) as partial:
            pq.write_table(table, partial, compression="zstd")

    @classmethod
    def read(cls, path: str | Place) -> Self:
        """Read what :meth:`write` wrote.

        Raises
        ------
        ModelError : ``no-lineage`` where the file is not there or is something else.
        """
        try:
            table = pq.read_table(as_file(place(path)))
        except (OSError, ValueError) as error:  # pyarrow's own are among these
            raise _unreadable(path, str(error)) from None
        if not (table.schema.metadata or {}).items() >= _FORMAT.items():
            raise _unreadable(path, "it is something else, or of another version")
        return cls.of(**{name: table.column(name).to_numpy() for name in _TYPES})


def _unreadable(path: str | Place, why: str) -> ModelError:
    return ModelError(
        "no-lineage",
        f"the list of the chips that were seen cannot be read: {why}",
        value=str(path),
        remedy="copy the folder anew, with all files in it; without the list nothing can be checked",
    )


def as_text(values: Any, count: int) -> Text:
    """ASCII text as bytes of one width; one value serves for all."""
    if isinstance(values, (str, bytes)):
        return np.full(count, values, f"S{max(1, len(values))}")
    array = np.asarray(values)
    return array if array.dtype.kind == "S" else np.array(array.tolist(), "S")


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(str) if values.dtype.kind == "S" else values


def some_names(values: NDArray[Any]) -> str:
    """A few of the names, and how many more there are."""
    every = sorted(_plain(np.asarray(values)).tolist())
    more = f" and {len(every) - _NAMED:,} more" if len(every) > _NAMED else ""
    return ", ".join(every[:_NAMED]) + more
