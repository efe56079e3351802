"""MaskMix as a class: one mask, or many, from seed masks; each depends on (seed, index) alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from rsprep.errors import ConfigError
from rsprep.masks.maskmix.draw import blank, draw, pick, rules_of, try_key
from rsprep.masks.maskmix.kernel import TILE, mix, tabulate
from rsprep.masks.maskmix.recipe import Recipe
from rsprep.masks.maskmix.seeds import COLUMNS, MASKED, ROWS, Seeds, pixels_of, prepare, sums_of
from rsprep.masks.maskmix.settings import MAX_SIZE, MIN_SIZE, MixSettings
from rsprep.masks.maskmix.warp import back_maps

_MAX_KEY = 2**63


@dataclass(frozen=True, kw_only=True, eq=False)
class Mixed:
    """Masks, and how each came about. All arrays have one entry a mask."""

    masks: NDArray[np.uint8]
    """(mask, y, x) of 0 and 1."""
    area_ratio: NDArray[np.float32]
    """Share of pixels that are masked; of the best try where no try met the bounds."""
    attempts: NDArray[np.int32]
    """Tries up to and with the one that was kept."""
    seeds: NDArray[np.int32]
    """Which seed mask it was made from."""
    reached: NDArray[np.bool_]
    """False where no try met the area bounds: such a mask is all clear, and not one to use."""

    @property
    def acceptance(self) -> float:
        """Share of tries that were kept."""
        return float(self.reached.sum() / self.attempts.sum()) if self.attempts.size else float("nan")


class MaskMix:
    """Make masks from seed masks by Eq. 7: move copies of a seed, weigh them and the seed, and threshold the sum.

    Parameters
    ----------
    settings : ranges, lists and laws; the defaults are those of the paper as settled, with its area bounds.

    Examples
    --------
    >>> mixer = MaskMix()
    >>> mask = mixer(cloud, 7)                              # one mask from one seed mask
    >>> many = mixer.batch(clouds, range(100), seed=7)      # masks 0 to 99 of seed 7
    """

    def __init__(self, settings: MixSettings | None = None) -> None:
        self.settings = settings or MixSettings()
        self._rules = rules_of(self.settings)

    def __call__(
        self,
        mask: ArrayLike,
        rng: int | np.random.Generator,
        index: int = 0,
        *,
        size: int | tuple[int, int] | None = None,
    ) -> NDArray[np.uint8]:
        """One mask from one seed mask.

        Parameters
        ----------
        mask : (y, x), bool or 0 and 1.
        rng : a seed of 0 to 2⁶³ − 1, or a generator that such a seed is taken from.
        index : which mask of that seed.
        size : of the result, a side or (rows, columns); that of `mask` by default.

        Returns
        -------
        (y, x) uint8 of 0 and 1.

        Raises
        ------
        InputError : as :func:`~rsprep.masks.maskmix.seeds.prepare`.
        ConfigError : ``area-unreachable``, ``mask-size`` or ``mix-seed``.
        """
        seed = int(rng.integers(_MAX_KEY)) if isinstance(rng, np.random.Generator) else rng
        mixed = self.batch([mask], [index], seed=seed, size=np.shape(mask) if size is None else size)
        self.check(mixed)
        return np.asarray(mixed.masks[0])

    def batch(
        self,
        seeds: Seeds | Sequence[ArrayLike],
        indices: Sequence[int] | NDArray[np.int64],
        *,
        seed: int,
        size: int | tuple[int, ...] | None = None,
    ) -> Mixed:
        """Masks `indices` of `seed`; each is the same whatever others are made with it.

        Parameters
        ----------
        seeds : seed masks, of any sizes; each try draws one of them. Prepared ones spare the time to prepare.
        indices : 0 or more, one a mask.
        seed : 0 to 2⁶³ − 1.
        size : of the results, a side or (rows, columns); that of the first seed mask by default.

        Returns
        -------
        Masks in the order of `indices`. One whose area was out of reach has ``reached`` False; see :meth:`check`.
        """
        prepared = seeds if isinstance(seeds, Seeds) else prepare(seeds)
        height, width = _shape(size, prepared)
        wanted = np.asarray(indices, np.int64)
        if not 0 <= seed < _MAX_KEY or (wanted.size and wanted.min() < 0):
            raise ConfigError(
                "mix-seed",
                "a seed is a whole number from 0 to 2^63 - 1, an index one from 0 on",
                value=seed,
                remedy="give another",
            )
        padded = (-(-height // TILE) * TILE, -(-width // TILE) * TILE)
        masks = np.empty((wanted.size, *padded), np.uint8)
        areas, attempts, picked = (
            np.zeros(wanted.size),
            np.zeros(wanted.size, np.int32),
            np.zeros(wanted.size, np.int32),
        )
        reached = np.zeros(wanted.size, np.bool_)
        _make(self._rules, prepared, np.uint64(seed), wanted, height, width, masks, areas, attempts, picked, reached)
        return Mixed(
            masks=masks if padded == (height, width) else np.ascontiguousarray(masks[:, :height, :width]),
            area_ratio=areas.astype(np.float32),
            attempts=attempts,
            seeds=picked,
            reached=reached,
        )

    def recipe(
        self,
        seeds: Seeds | Sequence[ArrayLike],
        index: int,
        *,
        seed: int,
        attempt: int = 1,
        size: int | tuple[int, ...] | None = None,
    ) -> tuple[int, Recipe]:
        """What :meth:`batch` draws for mask `index` in try `attempt` (from 1 on): which seed mask, and what is done."""
        prepared = seeds if isinstance(seeds, Seeds) else prepare(seeds)
        height, width = _shape(size, prepared)
        drawn = blank(self._rules)
        number = _draw(self._rules, prepared, np.uint64(seed), index, attempt - 1, height, width, drawn)
        return number, Recipe.of(drawn)

    def check(self, mixed: Mixed) -> None:
        """Raise ConfigError ``area-unreachable`` where a mask met no bounds within the tries."""
        if mixed.reached.all():
            return
        best = float(mixed.area_ratio[~mixed.reached][0])
        raise ConfigError(
            "area-unreachable",
            f"no mask within the area bounds in {self.settings.tries:,} tries",
            value=f"area: {list(self.settings.area or ())}; best area reached: {best:.3f}",
            remedy="widen area or limits, set resize: aim, or give larger seeds",
        )


def _shape(size: int | tuple[int, ...] | None, seeds: Seeds) -> tuple[int, int]:
    if size is None:
        height, width = int(seeds.about[0, ROWS]), int(seeds.about[0, COLUMNS])
    else:
        height, width = (size, size) if isinstance(size, int) else size
    if not (MIN_SIZE <= height <= MAX_SIZE and MIN_SIZE <= width <= MAX_SIZE):
        raise ConfigError(
            "mask-size",
            f"a mask has {MIN_SIZE} to {MAX_SIZE:,} pixels a side",
            value=f"{height} × {width}",
            remedy="give a size within that",
        )
    return height, width


@numba.njit(cache=True, nogil=True)
def _make(
    rules: Any, seeds: Any, seed: np.uint64, indices: Any, height: int, width: int,
    masks: Any, areas: Any, attempts: Any, picked: Any, reached: Any,
) -> None:  # fmt: skip
    branches, drawn = rules.ops.shape[0], blank(rules)
    maps, table = np.empty((branches + 1, 6), np.int64), np.empty(1 << branches + 1, np.uint8)
    for i in range(indices.size):
        nearest = np.inf
        for attempt in range(rules.tries):
            number = _draw(rules, seeds, seed, indices[i], attempt, height, width, drawn)
            row = seeds.about[number]
            matter = tabulate(drawn.weights, rules.threshold, table)
            attempts[i] = attempt + 1
            if matter == 1 << branches and not rules.keep_seed:
                continue
            back_maps(drawn, (row[ROWS], row[COLUMNS]), height, width, maps)
            masked = mix(pixels_of(seeds, row), sums_of(seeds, row), maps, table, matter, masks[i])
            if masks.shape[1] != height or masks.shape[2] != width:
                masked = _masked_within(masks[i], height, width)
            area = masked / (height * width)
            gap = max(rules.area_low - area, area - rules.area_high, 0.0)
            if gap < nearest:
                nearest, areas[i], picked[i] = gap, area, number
            if gap == 0:
                reached[i] = True
                break
        if not reached[i]:
            masks[i] = 0


@numba.njit(cache=True, nogil=True)
def _draw(
    rules: Any, seeds: Any, seed: np.uint64, index: int, attempt: int, height: int, width: int, drawn: Any
) -> Any:
    """Draw all of one try (0-based) into `drawn`; returns which seed mask it takes."""
    key = try_key(seed, index, attempt)
    number = pick(key, seeds.about.shape[0])
    row = seeds.about[number]
    draw(rules, key, (row[ROWS], row[COLUMNS], row[MASKED]), height, width, drawn)
    return number


@numba.njit(cache=True, nogil=True)
def _masked_within(mask: NDArray[np.uint8], height: int, width: int) -> int:
    """Masked pixels of a padded mask without its padding."""
    masked = 0
    for y in range(height):
        for x in range(width):
            masked += mask[y, x]
    return masked
