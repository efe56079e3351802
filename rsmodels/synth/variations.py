"""In how many ways the conditions of one chip can be used, and in which order.

A generator without noise makes one image of given conditions. So no two chips may have the same: the first
chip of a parent has its conditions as they are, the next seven have them turned and mirrored, the last eight
have one region edited besides (:mod:`rsmodels.synth.edits`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rsmodels.data.augment import ELEMENTS
from rsmodels.errors import ModelError

EDITS = 8
"""Edits of one parent; with turns, one of each turned form."""
_TURNS = ("identity", "rot90", "rot180", "rot270")
_NAMES = (*_TURNS, "mirror", *(f"mirror-{name}" for name in _TURNS[1:]))
"""By element of the dihedral group, as :func:`rsmodels.data.augment.turn` counts them."""


@dataclass(frozen=True, kw_only=True)
class Variation:
    """One way to use the conditions of a chip."""

    element: int = 0
    """Of the dihedral group, 0 to 7."""
    edit: int = 0
    """Number of the edit; 0 for none."""

    @property
    def name(self) -> str:
        """As in ``rot90`` or ``edit3-rot90``."""
        return f"edit{self.edit}-{_NAMES[self.element]}" if self.edit else _NAMES[self.element]

    @property
    def unchanged(self) -> bool:
        """True where the conditions are those of the parent, and so is its place."""
        return self == Variation()

    def seed(self, seed: int, parent: str) -> int:
        """Where the randomness of this variation begins: 31 bits that follow from the run's seed and the parent."""
        state = hashlib.blake2b(f"{seed}\0{parent}\0{self.name}".encode(), digest_size=4)
        return int.from_bytes(state.digest(), "little") & 0x7FFF_FFFF


def variations(*, turns: bool, edits: bool) -> tuple[Variation, ...]:
    """All variations that are allowed, the least changed first."""
    elements = range(ELEMENTS) if turns else range(1)
    plain = [Variation(element=element) for element in elements]
    edited = [Variation(element=number % len(elements), edit=number + 1) for number in range(EDITS)]
    return tuple(plain + (edited if edits else []))


def dealt(
    parents: NDArray[np.int64], count: int, allowed: tuple[Variation, ...], seed: int
) -> Iterator[tuple[int, Variation]]:
    """Which parent lends its conditions to which chip, and how they are varied.

    The first chip of a parent has its conditions as they are, the next ones turned, the last ones edited, in an order
    of its own; no parent is used again before all others are. Where `count` ends within a round, `seed` chooses. More
    chips from the same seed include the fewer.

    Parameters
    ----------
    parents : slots, ascending.

    Raises
    ------
    ModelError : ``too-many`` with the largest possible `count`.
    """
    most = len(parents) * len(allowed)
    if count > most:
        raise ModelError(
            "too-many",
            f"{len(parents):,} train chip(s) can be varied in {len(allowed)} way(s): at most {most:,} chips",
            value=f"{count:,}",
            remedy=f"ask for at most --n {most}, or allow more with --turns and --edits (edits need land cover)",
        )
    rounds, rest = divmod(count, len(parents))
    for number in range(rounds):
        yield from ((int(slot), _order(allowed, seed, int(slot))[number]) for slot in parents)
    if rest:
        chosen = np.random.default_rng(seed).permutation(len(parents))[:rest]
        yield from ((int(slot), _order(allowed, seed, int(slot))[rounds]) for slot in parents[np.sort(chosen)])


def _order(allowed: tuple[Variation, ...], seed: int, parent: int) -> list[Variation]:
    """The variations in the order in which one parent takes them: as it is, turned, edited; shuffled within these.

    With one order for all, a data set of twice as many chips would be turned in one direction only.
    """
    rng = np.random.default_rng((seed, parent))
    order: list[Variation] = [one for one in allowed if one.unchanged]
    for edited in (False, True):
        group = [one for one in allowed if not one.unchanged and bool(one.edit) == edited]
        order += [group[int(number)] for number in rng.permutation(len(group))]
    return order
