"""Which chips to look at."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rsprep.report.data import SPLITS, ChipTable, LandClass


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A chip to show, and why."""

    index: int
    """Row of the chip table."""
    why: str
    """``cloudiest``, ``least valid``, or empty for one of the many."""


def choose(chips: ChipTable, n: int = 12) -> tuple[Choice, ...]:
    """Choose `n` committed chips: the cloudiest, the least valid, and a spread over splits and dominant classes.

    The order of ties comes from a hash of the chip id, so the choice depends neither on the order in which chips
    were finished nor on a random generator.

    Raises
    ------
    ValueError : `n` is negative.
    """
    if n < 0:
        raise ValueError(f"cannot choose {n} chips")
    committed = [int(i) for i in np.flatnonzero(chips.committed)]
    committed.sort(key=lambda i: hashlib.sha256(chips.chip_id[i].encode()).hexdigest())
    special: dict[int, str] = {}
    if len(committed) > n // 2:
        _add_extreme(special, committed, chips.s2_cloud_fraction, "cloudiest", sign=1.0, dull=0.0)
        _add_extreme(special, committed, chips.valid_fraction, "least valid", sign=-1.0, dull=-1.0)
    extremes = [Choice(index=i, why=why) for i, why in special.items()][:n]
    taken = {choice.index for choice in extremes}
    rest = [i for i in committed if i not in taken]
    spread = [Choice(index=i, why="") for i in _spread(chips, rest, n - len(extremes))]
    return (*spread, *extremes)


def describe(chips: ChipTable, choice: Choice, classes: tuple[LandClass, ...] = ()) -> str:
    """Caption of a chosen chip: split, dominant class, clear share, and why it was chosen."""
    i = choice.index
    parts = [chips.split[i]]
    dominant = _dominant(chips)[i]
    if 0 <= dominant < len(classes) and chips.class_shares is not None:
        share = chips.class_shares[i, dominant]
        parts.append(f"{classes[dominant].name.replace('_', ' ')} {100 * share:.0f}\u00a0%")
    if chips.valid_fraction is not None and np.isfinite(chips.valid_fraction[i]):
        parts.append(f"{100 * chips.valid_fraction[i]:.0f}\u00a0% valid")
    if choice.why:
        parts.append(choice.why)
    return " · ".join(part for part in parts if part)


def _add_extreme(
    special: dict[int, str],
    committed: list[int],
    column: NDArray[np.float64] | None,
    why: str,
    *,
    sign: float,
    dull: float,
) -> None:
    """Add the committed chip with the largest ``sign × column``, unless that is no more than `dull`."""
    if column is None:
        return
    known = [i for i in committed if np.isfinite(column[i]) and sign * column[i] > dull and i not in special]
    if known:
        special[max(known, key=lambda i: sign * column[i])] = why


def _dominant(chips: ChipTable) -> NDArray[np.int64]:
    """(chip,) the class with the largest share; −1 where unknown."""
    if chips.class_shares is None or not chips.class_shares.shape[1]:
        return np.full(len(chips), -1)
    shares = np.nan_to_num(chips.class_shares, nan=-1.0)
    return np.where(shares.max(axis=1) > 0, shares.argmax(axis=1), -1).astype(np.int64)


def _spread(chips: ChipTable, candidates: list[int], n: int) -> list[int]:
    """Take from each split in turn the chip whose dominant class was taken least often so far."""
    dominant = _dominant(chips)
    names = [*SPLITS, *sorted(set(chips.split) - set(SPLITS))]
    queues = {name: [i for i in candidates if chips.split[i] == name] for name in names}
    seen: Counter[int] = Counter()
    chosen: list[int] = []
    while len(chosen) < n and any(queues.values()):
        for name in names:
            if len(chosen) < n and queues[name]:
                # min keeps the first of equals, and the queue is in the order of the hash.
                best = min(queues[name], key=lambda i: seen[int(dominant[i])])
                queues[name].remove(best)
                seen[int(dominant[best])] += 1
                chosen.append(best)
    order = {name: k for k, name in enumerate(names)}
    return sorted(chosen, key=lambda i: order[chips.split[i]])
