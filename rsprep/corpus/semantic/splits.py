"""Which chips of a semantic corpus are for training, validation and test: whole scenes, or blocks within scenes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rsprep.corpus.semantic.survey import Surveyed
from rsprep.errors import InputError
from rsprep.masks.scenes import deal
from rsprep.report.data import SPLITS


def assign_splits(
    surveyed: Sequence[Surveyed],
    kept: Mapping[str, NDArray[np.bool_]],
    *,
    by: Literal["scene", "block"],
    block_chips: int,
    ratio: Sequence[float],
    seed: int,
) -> dict[str, NDArray[np.int64]]:
    """Split of every chip, as an index into `SPLITS`: name of the scene to (row, column).

    Parameters
    ----------
    kept : name of the scene to (row, column), True for the chips that count.
    by : what goes to one split as a whole.
    block_chips : chips along the side of a block.
    ratio : shares of train, val and test.

    Raises
    ------
    InputError : ``nothing-kept`` without a chip that counts; ``too-few-units`` where a split would stay empty.
    """
    units = {one.scene.name: _units(one, block_chips if by == "block" else 0) for one in surveyed}
    sizes: Counter[str] = Counter()
    for name, grid in units.items():
        for unit, counts in zip(grid.ravel().tolist(), kept[name].ravel().tolist(), strict=True):
            sizes[unit] += counts
    filled, wanted = sum(size > 0 for size in sizes.values()), sum(share > 0 for share in ratio)
    if not filled:
        raise InputError(
            "nothing-kept",
            "no scene gives a chip: they are smaller than a chip, or more unknown than allowed",
            value=f"{len(surveyed):,} scenes, {sum(grid.size for grid in kept.values()):,} chips before the filter",
            remedy="lower --size, raise --max-unknown, or take --edge pad",
        )
    if filled < wanted:
        raise InputError(
            "too-few-units",
            f"{wanted} splits need at least as many {by}s with chips",
            value=f"{filled} {by}(s)",
            remedy="give more scenes, take --split block with a smaller --block, or another --ratio such as 1:0:0",
        )
    dealt = deal(sizes, ratio, seed)
    return {
        name: np.array([dealt[unit] for unit in grid.ravel().tolist()], np.int64).reshape(grid.shape)
        for name, grid in units.items()
    }


def split_name(index: int) -> str:
    """Train, val or test."""
    return SPLITS[index]


def _units(one: Surveyed, block_chips: int) -> NDArray[np.str_]:
    """(row, column) name of what each chip is dealt out with; the whole scene without blocks."""
    rows, columns = np.indices((one.cut.rows, one.cut.columns))
    if not block_chips:
        return np.full(rows.shape, one.scene.name)
    names = [
        f"{one.scene.name}\n{row // block_chips}/{column // block_chips}"
        for row, column in zip(rows.ravel().tolist(), columns.ravel().tolist(), strict=True)
    ]
    return np.array(names, np.str_).reshape(rows.shape)
