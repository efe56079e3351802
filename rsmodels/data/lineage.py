"""Which chips something has seen, and the refusal of what saw chips that are held out.

A checkpoint lists the chips that it was trained on; a synthetic data set lists the chips that its
generator was trained on and those that its chips were made from. A chip counts as seen when its pixels
do (equal digest) or when its ground does: pixels of the same place at another time, or in another
data set, would let a test score say too much.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer

from rsmodels.data.seen import FILE_NAME, Flags, Seen, as_text, some_names
from rsmodels.data.source import ChipSource
from rsmodels.errors import ModelError
from rsprep.store.schema import NOWHERE

__all__ = ["FILE_NAME", "HELD_OUT", "Seen", "check_training_mix", "refuse_leaks", "seen_by"]

HELD_OUT = ("val", "test")
FILLED_FROM = "filled_from"
"""Column of a filled data set: the chip whose hidden pixels were filled."""
TOUCH = 1e-3
"""Metres; chips that share less than this along a side lie beside one another."""
_AT_ONCE = 100_000


def seen_by(sources: Iterable[ChipSource], split: str = "train") -> Seen:
    """What training on the chips of `split` sees: they themselves and, of chips that a model made, all behind them.

    Raises
    ------
    ModelError : ``no-lineage`` where a data set with synthetic or filled chips does not say what they come from.
    """
    tables = []
    for source in sources:
        chosen = source.chips.split == split
        tables += [Seen.chips_of(source, chosen), _filled_from(source, chosen), seen_behind(source)]
    return Seen.nothing().merge(*tables)


def seen_behind(source: ChipSource) -> Seen:
    """What the models behind a data set saw: generators of synthetic chips, and whatever filled hidden pixels.

    Raises
    ------
    ModelError : ``no-lineage``.
    """
    if source.chips.synthetic.any():
        return _behind(source)
    return Seen.read(source.folder / FILE_NAME) if is_filled(source) else Seen.nothing()


def is_filled(source: ChipSource) -> bool:
    """True for a data set that `rsmodels inpaint` filled."""
    return FILLED_FROM in (column.name for column in source.schema.columns)


def _filled_from(source: ChipSource, chosen: Flags) -> Seen:
    """The chips that those chosen were before their hidden pixels were filled: still the same ground and content."""
    if not is_filled(source):
        return Seen.nothing()
    before = ("filled_digest", FILLED_FROM, "filled_dataset")
    digest, chip_id, dataset = (source.column(name)[chosen] for name in before)
    chips = source.chips
    return Seen.of(
        digest=digest, chip_id=chip_id, dataset=dataset, side=chips.side, split=chips.split[chosen],
        epsg=chips.epsg[chosen], x_origin=chips.x_origin[chosen], y_origin=chips.y_origin[chosen],
    )  # fmt: skip


def _behind(source: ChipSource) -> Seen:
    """What the generator of a synthetic data set saw, and the chips that its chips were made from."""
    seen = Seen.read(source.folder / FILE_NAME)
    synthetic = source.chips.synthetic
    parents = as_text(source.column("parent_digest")[synthetic], int(synthetic.sum()))
    unknown = ~np.isin(parents, seen.digest)
    if unknown.any():
        raise ModelError(
            "no-lineage",
            f"{FILE_NAME} does not tell of the parents of {int(unknown.sum()):,} synthetic chip(s)",
            value=f"{source.folder}: {some_names(source.chips.chip_id[synthetic][unknown])}",
            remedy="make the data set anew with `rsmodels synth-augment`",
        )
    return seen


def check_training_mix(sources: Sequence[ChipSource], held_out: Iterable[ChipSource]) -> None:
    """See that no synthetic or filled data set among `sources` lets a model peep at what others hold out.

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
                value=f"{source.name}: {some_names(source.chips.chip_id[outside])}",
                remedy="make the data set anew with `rsmodels synth-augment`",
            )
    for source in sources:
        if source.chips.synthetic.any() or is_filled(source):
            seen = seen_by([source])
            made = "synthetic" if source.chips.synthetic.any() else "filled"
            for judge in judges:
                refuse_leaks(seen, judge, who=f"the {made} data set {source.name}")


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
    chosen = np.isin(held_out.chips.split, list(splits))
    held = Seen.chips_of(held_out, chosen).merge(_filled_from(held_out, chosen))
    for how, leaks in _leaks(seen, held):
        if leaks.any():
            raise ModelError(
                "saw-held-out",
                f"{who} saw {int(leaks.sum()):,} chip(s) that {how} {' and '.join(splits)} chips of {held_out.name}",
                value=some_names(seen.chip_id[leaks]),
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
