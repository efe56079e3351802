"""In which order chips are met: shuffled anew each epoch, and yet near one another on the disk.

Everything here is a pure function of a position in an endless stream, so that a run which goes on at
step 10 000 meets the chips that it would have met.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rsmodels.data.batch import ChipKey
from rsmodels.data.source import ChipSource
from rsmodels.errors import ModelError

WINDOW = 16
"""Shards whose chips are shuffled together."""
_CACHED = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """Chips of one data set that take part."""

    source: int
    """Position of the data set among those that are read."""
    slots: NDArray[np.int64]
    """Their positions along its chip axis."""
    per_shard: int
    """Chips that a shard of it holds."""


class Stream:
    """An endless order of chips; of several data sets by ratio.

    An epoch is one pass over the first part. The others run through orders of their own, in proportion: in any
    stretch of the stream the number of chips of a part differs from its share by less than two.

    Parameters
    ----------
    parts : one a data set.
    ratio : shares of the parts, such as (1, 1) or (2, 1); equal by default.
    seed : another seed, another order.
    window : shards whose chips are shuffled together.

    Raises
    ------
    ModelError : ``no-chips`` for a part without any, ``ratio`` for shares that are not positive, one a part.
    """

    def __init__(
        self, parts: Sequence[Part], ratio: Sequence[float] | None = None, seed: int = 0, *, window: int = WINDOW
    ) -> None:
        self.parts = tuple(parts)
        self.seed = seed
        self.window = window
        empty = [str(part.source) for part in self.parts if not len(part.slots)]
        if empty or not self.parts:
            raise ModelError(
                "no-chips", "a data set has no chip to train on", value=", ".join(empty), remedy="check the split"
            )
        self.shares = _whole_shares(ratio or [1] * len(self.parts), len(self.parts))
        self._pattern = _interleaved(self.shares)
        one = self._pattern[:, None] == np.arange(len(self.parts))
        self._before = np.cumsum(one, axis=0) - one
        self._orders: dict[tuple[int, int], NDArray[np.int64]] = {}

    @classmethod
    def of(
        cls,
        sources: Sequence[ChipSource],
        ratio: Sequence[float] | None = None,
        seed: int = 0,
        *,
        split: str = "train",
        window: int = WINDOW,
    ) -> Self:
        """The chips of `split` of each source."""
        parts = [
            Part(source=number, slots=source.of_split(split), per_shard=source.schema.slots_per_shard)
            for number, source in enumerate(sources)
        ]
        return cls(parts, ratio, seed, window=window)

    @property
    def epoch_length(self) -> int:
        """Positions of one pass over the first part, rounded up to a whole chip of it."""
        first, period = self.shares[0], len(self._pattern)
        turns, rest = divmod(len(self.parts[0].slots), first)
        if rest == 0:
            return turns * period
        return turns * period + int(np.flatnonzero(self._pattern == 0)[rest - 1]) + 1

    def keys(self, first: int, count: int) -> list[ChipKey]:
        """The chips at positions `first` to `first` + `count`."""
        if first < 0 or count < 0:
            raise ValueError(f"positions start at 0, got {first} and {count}")
        return [self._key(position) for position in range(first, first + count)]

    def _key(self, position: int) -> ChipKey:
        turn, at = divmod(position, len(self._pattern))
        which = int(self._pattern[at])
        part = self.parts[which]
        epoch, number = divmod(turn * self.shares[which] + int(self._before[at, which]), len(part.slots))
        return ChipKey(part.source, int(self._order(which, epoch)[number]))

    def _order(self, which: int, epoch: int) -> NDArray[np.int64]:
        """The same, kept: whoever asks in order needs the newest few."""
        found = self._orders.get((which, epoch))
        if found is None:
            found = self._permutation(which, epoch)
            # Replaced, not changed: another thread may be looking at it.
            newest = list(self._orders.items())[1 - _CACHED * len(self.parts) :]
            self._orders = {**dict(newest), (which, epoch): found}
        return found

    def _permutation(self, which: int, epoch: int) -> NDArray[np.int64]:
        """One epoch of a part: shards in random order, the chips of `window` shards at a time shuffled together."""
        part = self.parts[which]
        rng = np.random.default_rng((self.seed, which, epoch))
        slots = np.sort(part.slots)
        shards = np.split(slots, np.flatnonzero(np.diff(slots // part.per_shard)) + 1)
        order = rng.permutation(len(shards))
        edges = [*range(0, len(shards), self.window), len(shards)]
        windows = [np.concatenate([shards[one] for one in order[low:high]]) for low, high in pairwise(edges)]
        return np.concatenate([rng.permutation(window) for window in windows])


def _whole_shares(ratio: Sequence[float], parts: int) -> tuple[int, ...]:
    """`ratio` in whole numbers without a common divisor."""
    if len(ratio) != parts or not all(0 < share < float("inf") for share in ratio):
        raise ModelError(
            "ratio",
            f"a mix of {parts} data sets needs {parts} positive shares",
            value=":".join(str(share) for share in ratio),
            remedy="give one share a data set, such as 1:1",
        )
    fractions = [Fraction(share).limit_denominator(1000) for share in ratio]
    if not all(fractions):
        raise ModelError("ratio", "a share is below a thousandth", value=str(ratio), remedy="use larger shares")
    common = np.lcm.reduce([share.denominator for share in fractions])
    whole = [int(share * int(common)) for share in fractions]
    divisor = int(np.gcd.reduce(whole))
    return tuple(share // divisor for share in whole)


def _interleaved(shares: Sequence[int]) -> NDArray[np.int64]:
    """Which part comes at each place of one period: evenly spread, every prefix within one of its share.

    Among the parts that would not get ahead of their share, the one whose next turn is due first (the chairman
    assignment of Tijdeman 1980).
    """
    period = sum(shares)
    counts = [0] * len(shares)
    pattern = np.empty(period, np.int64)
    for place in range(period):
        fit = [p for p, share in enumerate(shares) if counts[p] * period < share * (place + 1)]
        chosen = min(fit, key=lambda p: (-(-(counts[p] + 1) * period // shares[p]), p))
        counts[chosen] += 1
        pattern[place] = chosen
    return pattern
