"""In how many ways the conditions of one chip can be used, and in which order.

A generator without noise makes one image of given conditions. So no two chips may have the same: the first
chip of a parent has its conditions as they are, the next seven have them turned and mirrored, the last eight
have one region edited besides (:mod:`rsmodels.synth.edits`). One that draws noise makes several images of each of
these forms: samples. No two chips of a parent have the same form and the same noise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rsmodels.data.augment import ELEMENTS
from rsmodels.errors import ModelError
from rsmodels.synth.rarity import apportioned

EDITS = 8
"""Edits of one parent; with turns, one of each turned form."""
_TURNS = ("identity", "rot90", "rot180", "rot270")
_NAMES = (*_TURNS, "mirror", *(f"mirror-{name}" for name in _TURNS[1:]))
"""By element of the dihedral group, as :func:`rsmodels.data.augment.turn` counts them."""
_BITS = 0x7FFF_FFFF


@dataclass(frozen=True, kw_only=True)
class Variation:
    """One way to use the conditions of a chip."""

    element: int = 0
    """Of the dihedral group, 0 to 7."""
    edit: int = 0
    """Number of the edit; 0 for none."""
    sample: int = 0
    """Images of the same conditions that come before it."""

    @property
    def form(self) -> Variation:
        """The conditions alone: the first image of them."""
        return replace(self, sample=0)

    @property
    def name(self) -> str:
        """As in ``rot90``, ``edit3-rot90``, or ``rot90-s2`` for the second image of the same conditions."""
        form = f"edit{self.edit}-{_NAMES[self.element]}" if self.edit else _NAMES[self.element]
        return f"{form}-s{self.sample + 1}" if self.sample else form

    @property
    def unchanged(self) -> bool:
        """True where the conditions are those of the parent, and so is its place."""
        return self.form == Variation()

    def edit_seed(self, seed: int, parent: str) -> int:
        """Which edit it is: 31 bits that follow from the run's seed, the parent and the form, whatever the sample."""
        return _bits(f"{seed}\0{parent}\0{self.form.name}")

    def noise_seed(self, seed: int, parent: str) -> int:
        """Which noise: 31 bits that likewise follow from them; all variations of a parent have different ones."""
        number = (self.sample * (EDITS + 1) + self.edit) * ELEMENTS + self.element
        return (_bits(f"{seed}\0{parent}\0noise") + number) & _BITS


def _bits(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "little") & _BITS


def variations(*, turns: bool, edits: bool, samples: int = 1) -> tuple[Variation, ...]:
    """All variations that are allowed, the least changed first, `samples` of each form."""
    elements = range(ELEMENTS) if turns else range(1)
    plain = [Variation(element=element) for element in elements]
    edited = [Variation(element=number % len(elements), edit=number + 1) for number in range(EDITS)]
    forms = plain + (edited if edits else [])
    return tuple(replace(form, sample=sample) for form in forms for sample in range(samples))


def dealt(
    parents: NDArray[np.int64],
    count: int,
    allowed: tuple[Variation, ...],
    seed: int,
    weights: NDArray[np.float64] | None = None,
) -> Iterator[tuple[int, Variation]]:
    """Which parent lends its conditions to which chip, and how they are varied.

    The first chips of a parent have its conditions as they are, the next ones turned, the last ones edited, in an order
    of its own; no parent is used again before all others are. Where `count` ends within a round, `seed` chooses. More
    chips from the same seed include the fewer.

    With `weights`, parents are used in proportion to them instead, as far as they can be varied.

    Parameters
    ----------
    parents : slots, ascending.
    weights : (parent,) at least 0.

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
            remedy=f"ask for at most --n {most}, or allow more with --turns, --edits (they need land cover) and "
            "--samples (they need a generator that draws noise)",
        )
    if weights is None:
        uses = np.full(len(parents), count // len(parents))
        uses[np.random.default_rng(seed).permutation(len(parents))[: count % len(parents)]] += 1
    else:
        uses = apportioned(weights, count, len(allowed), seed)
    for number in range(int(uses.max(initial=0))):
        for slot in parents[uses > number].tolist():
            yield slot, _order(allowed, seed, slot)[number]


def _order(allowed: tuple[Variation, ...], seed: int, parent: int) -> list[Variation]:
    """The variations in the order in which one parent takes them: as it is, turned, edited; shuffled within these.

    With one order for all, a data set of twice as many chips would be turned in one direction only. No form has its
    second image before all turned, or all edited ones, have their first.
    """
    rng = np.random.default_rng((seed, parent))
    order: list[Variation] = [one for one in allowed if one.unchanged]
    last = max(one.sample for one in allowed)
    for edited in (False, True):
        group = [one for one in allowed if not (one.unchanged or one.sample) and bool(one.edit) == edited]
        mixed = [group[int(number)] for number in rng.permutation(len(group))]
        order += [replace(one, sample=sample) for sample in range(last + 1) for one in mixed]
    return order
