"""Which chips something has seen, and the refusal of what saw chips that are held out.

A checkpoint lists the chips that it was trained on; a synthetic data set lists the chips that its
generator was trained on and those that its chips were made from. A chip counts as seen when its pixels
do (equal digest) or when its ground does: pixels of the same place at another time, or in another
data set, would let a test score say too much.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from numpy.typing import NDArray
from pyproj import Transformer

from rsmodels.data.source import ChipSource
from rsmodels.errors import ModelError
from rsprep.files import appearing
from rsprep.store.schema import NOWHERE

FILE_NAME = "seen.parquet"
"""Beside a synthetic store, and in a checkpoint."""
HELD_OUT = ("val", "test")
TOUCH = 1e-3
"""Metres; chips that share less than this along a side lie beside one another."""
_FORMAT = {b"rsmodels:seen": b"1"}
_AT_ONCE = 100_000
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
            "digest": _text(digest, count),
            "chip_id": _text(chip_id, count),
            "epsg": code,
            "x_origin": x,
            "y_origin": y,
            "side": np.broadcast_to(np.asarray(side, np.float64), count),
            "dataset": _text(dataset, count),
            "split": _text(split, count),
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
    def read(cls, path: str | Path) -> Self:
        """Read what :meth:`write` wrote.

        Raises
        ------
        ModelError : ``no-lineage`` where the file is not there or is something else.
        """
        try:
            table = pq.read_table(Path(path))
        except (OSError, ValueError) as error:  # pyarrow's own are among these
            raise _unreadable(path, str(error)) from None
        if not (table.schema.metadata or {}).items() >= _FORMAT.items():
            raise _unreadable(path, "it is something else, or of another version")
        return cls.of(**{name: table.column(name).to_numpy() for name in _TYPES})


def _unreadable(path: str | Path, why: str) -> ModelError:
    return ModelError(
        "no-lineage",
        f"the list of the chips that were seen cannot be read: {why}",
        value=str(path),
        remedy="copy the folder anew, with all files in it; without the list nothing can be checked",
    )


def seen_by(sources: Iterable[ChipSource], split: str = "train") -> Seen:
    """What training on the chips of `split` sees: they themselves and, of synthetic ones, all that is behind them.

    Raises
    ------
    ModelError : ``no-lineage`` where a data set with synthetic chips does not say what they come from.
    """
    tables = []
    for source in sources:
        tables.append(Seen.chips_of(source, source.chips.split == split))
        if source.chips.synthetic.any():
            tables.append(_behind(source))
    return Seen.nothing().merge(*tables)


def _behind(source: ChipSource) -> Seen:
    """What the generator of a synthetic data set saw, and the chips that its chips were made from."""
    seen = Seen.read(source.folder / FILE_NAME)
    synthetic = source.chips.synthetic
    parents = _text(source.column("parent_digest")[synthetic], int(synthetic.sum()))
    unknown = ~np.isin(parents, seen.digest)
    if unknown.any():
        raise ModelError(
            "no-lineage",
            f"{FILE_NAME} does not tell of the parents of {int(unknown.sum()):,} synthetic chip(s)",
            value=f"{source.folder}: {_names(source.chips.chip_id[synthetic][unknown])}",
            remedy="make the data set anew with `rsmodels synth-augment`",
        )
    return seen


def check_training_mix(sources: Sequence[ChipSource], held_out: Iterable[ChipSource]) -> None:
    """See that no synthetic data set among `sources` lets a model peep at what others hold out.

    Parameters
    ----------
    sources : what is trained on, real and synthetic; of the real ones nothing is asked here.
    held_out : data sets whose val and test chips judge the model.

    Raises
    ------
    ModelError : ``saw-held-out``, ``synthetic-held-out`` or ``no-lineage``.
    """
    judges = list(held_out)
    for source in (*sources, *judges):
        outside = source.chips.synthetic & (source.chips.split != "train")
        if outside.any():
            raise ModelError(
                "synthetic-held-out",
                "synthetic chips serve for training only, and these are in val or test",
                value=f"{source.name}: {_names(source.chips.chip_id[outside])}",
                remedy="make the data set anew with `rsmodels synth-augment`",
            )
    for source in sources:
        if source.chips.synthetic.any():
            seen = seen_by([source])
            for judge in judges:
                refuse_leaks(seen, judge, who=f"the synthetic data set {source.name}")


def refuse_leaks(
    seen: Seen, held_out: ChipSource, splits: Sequence[str] = HELD_OUT, *, who: str = "what is to be judged"
) -> None:
    """Raise when a chip that was seen is one of the held-out chips, or shares ground with one.

    Parameters
    ----------
    held_out : data set whose chips of `splits` must not have been seen.
    who : what saw the chips, for the error.

    Raises
    ------
    ModelError : ``saw-held-out``: the digests are equal; or the squares overlap (those that touch do not); or, for
        chips without a place, name and data set are the same.
    """
    held = Seen.chips_of(held_out, np.isin(held_out.chips.split, list(splits)))
    for how, leaks in _leaks(seen, held):
        if leaks.any():
            raise ModelError(
                "saw-held-out",
                f"{who} saw {int(leaks.sum()):,} chip(s) that {how} {' and '.join(splits)} chips of {held_out.name}",
                value=_names(seen.chip_id[leaks]),
                remedy="train on, and make synthetic chips from, the train split only; judge on chips that are apart",
            )


def _leaks(seen: Seen, held: Seen) -> Iterator[tuple[str, Flags]]:
    """Ways to have seen a held-out chip, each with the chips of `seen` that did; the cheap ones first."""
    yield "are", np.isin(seen.digest, held.digest)
    pictures, others = held.epsg == NOWHERE, seen.epsg == NOWHERE
    same = np.isin(seen.chip_id, held.chip_id[pictures]) & np.isin(seen.dataset, held.dataset)
    yield "are", same & others
    yield "share ground with", _overlapping(seen, held)


# -- ground ---------------------------------------------------------------------------------------


def _overlapping(seen: Seen, held: Seen) -> Flags:
    """(len(seen),) True for chips that overlap one of `held` on the ground, in whatever zone each is told."""
    found = np.zeros(len(seen), np.bool_)
    for code in np.unique(held.epsg[held.epsg != NOWHERE]):
        there = held.take(held.epsg == code)
        tree = shapely.STRtree(_squares(there, shrunk=TOUCH))
        bounds = _bounds(there)
        for other in np.unique(seen.epsg[seen.epsg != NOWHERE]):
            # Chips of one data set share no ground across zones: its builder blanks or drops what two zones have.
            candidates = (seen.epsg == other) & ((other == code) | ~np.isin(seen.dataset, held.dataset))
            found[_meeting(seen, np.flatnonzero(candidates), int(code), tree, bounds)] = True
    return found


def _meeting(
    seen: Seen, candidates: NDArray[np.intp], epsg: int, tree: shapely.STRtree, bounds: tuple[float, ...]
) -> NDArray[np.intp]:
    """Those of `candidates` that meet the `tree` of squares in `epsg`, some at a time."""
    met = [np.empty(0, np.intp)]
    for first in range(0, len(candidates), _AT_ONCE):
        indices = candidates[first : first + _AT_ONCE]
        some = seen.take(indices)
        if int(some.epsg[0]) == epsg:
            shapes = _squares(some, shrunk=TOUCH)
        else:
            near, shapes = _told_in(some, epsg, bounds)
            indices = indices[near]
        met.append(indices[np.unique(tree.query(shapes, predicate="intersects")[0])])
    return np.concatenate(met)


def _squares(chips: Seen, *, shrunk: float) -> NDArray[Any]:
    """Polygons of the chips, each side moved inward by half of `shrunk` metres, so that neighbours do not meet."""
    x, y, side, inward = chips.x_origin, chips.y_origin, chips.side, shrunk / 2
    squares: NDArray[Any] = shapely.box(x + inward, y - side + inward, x + side - inward, y - inward)
    return squares


def _bounds(chips: Seen) -> tuple[float, float, float, float]:
    """Left, lower, right and upper edge of all of them, widened by the largest."""
    x, y, most = chips.x_origin, chips.y_origin, float(chips.side.max())
    return float(x.min()) - most, float(y.min()) - 2 * most, float(x.max()) + 2 * most, float(y.max()) + most


def _told_in(chips: Seen, epsg: int, bounds: tuple[float, ...]) -> tuple[NDArray[np.intp], NDArray[Any]]:
    """Chips of another zone as polygons in `epsg`: indices of those within `bounds`, and their shapes."""
    transformer = Transformer.from_crs(int(chips.epsg[0]), epsg, always_xy=True)
    x, y = transformer.transform(chips.x_origin + chips.side / 2, chips.y_origin - chips.side / 2)
    west, south, east, north = bounds
    reach = chips.side  # more than half a diagonal
    inside = (x > west - reach) & (x < east + reach) & (y > south - reach) & (y < north + reach)  # False for infinity
    near = np.flatnonzero(inside)
    left, top, side = chips.x_origin[near], chips.y_origin[near], chips.side[near]
    across = np.stack([left, left + side, left + side, left], axis=1)
    down = np.stack([top, top, top - side, top - side], axis=1)
    corners = np.stack(transformer.transform(across, down), axis=-1).reshape(len(near), 4, 2)
    return near, shapely.polygons(corners)


# -- columns --------------------------------------------------------------------------------------


def _text(values: Any, count: int) -> Text:
    """ASCII text as bytes of one width; one value serves for all."""
    if isinstance(values, (str, bytes)):
        return np.full(count, values, f"S{max(1, len(values))}")
    array = np.asarray(values)
    return array if array.dtype.kind == "S" else np.array(array.tolist(), "S")


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(str) if values.dtype.kind == "S" else values


def _names(values: NDArray[Any]) -> str:
    """A few of the names, and how many more there are."""
    every = sorted(_plain(np.asarray(values)).tolist())
    more = f" and {len(every) - _NAMED:,} more" if len(every) > _NAMED else ""
    return ", ".join(every[:_NAMED]) + more
