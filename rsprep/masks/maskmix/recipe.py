"""What makes one mask out of one seed, spelt out: to look at, to write by hand, and to apply again."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rsprep.masks.maskmix.draw import Drawn
from rsprep.masks.maskmix.kernel import TILE, mix, tabulate
from rsprep.masks.maskmix.seeds import pixels_of, prepare, sums_of
from rsprep.masks.maskmix.settings import OPS, Op
from rsprep.masks.maskmix.warp import back_maps


@dataclass(frozen=True)
class Step:
    """One operation about the centre of the mask, x to the right, y down."""

    op: Op
    x: float
    """translate: pixels along x. shear: x grows by this much per y. rotate: degrees from x towards y. scale: factor."""
    y: float = 0.0
    """translate: pixels along y. shear: y grows by this much per x. Not used otherwise."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The branches of Eq. 7, the weights, and where the seed lies before."""

    branches: tuple[tuple[Step, ...], ...]
    """Operations on each copy of the placed seed, the first first."""
    weights: tuple[float, ...]
    """Of the branches and, last, of the seed."""
    factor: float = 1.0
    """Pixels of the mask to a pixel of the seed."""
    turn: float = 0.0
    """Degrees from x towards y."""
    move: tuple[float, float] = (0.0, 0.0)
    """Pixels of the mask along x and y."""

    def __post_init__(self) -> None:
        if len(self.weights) != len(self.branches) + 1:
            raise ValueError(f"{len(self.branches)} branches and the seed need as many weights, got {self.weights}")

    @classmethod
    def of(cls, drawn: Drawn) -> Self:
        """What was drawn, in words."""
        factor, turn, *move = (float(value) for value in drawn.place)
        return cls(
            branches=tuple(
                tuple(_step(int(op), values) for op, values in zip(ops, steps, strict=True))
                for ops, steps in zip(drawn.ops, drawn.values, strict=True)
            ),
            weights=tuple(float(weight) for weight in drawn.weights),
            factor=factor,
            turn=math.degrees(turn),
            move=(move[0], move[1]),
        )

    def apply(
        self, mask: ArrayLike, *, size: int | tuple[int, int] | None = None, threshold: float = 0.5
    ) -> NDArray[np.uint8]:
        """The mask that this makes.

        Parameters
        ----------
        mask : seed, (y, x) of bool, or of 0 and 1.
        size : of the result, a side or (rows, columns); that of the seed by default.
        threshold : a pixel is masked where its weights sum to at least this.

        Returns
        -------
        (y, x) uint8 of 0 and 1. No area bounds are looked at.
        """
        seeds = prepare([mask])
        frame = tuple(np.shape(mask))
        height, width = (size, size) if isinstance(size, int) else size or frame
        drawn = self._drawn()
        copies = len(self.weights)
        maps, table = np.empty((copies, 6), np.int64), np.empty(1 << copies, np.uint8)
        back_maps(drawn, frame, height, width, maps)
        out = np.empty((-(-height // TILE) * TILE, -(-width // TILE) * TILE), np.uint8)
        matter = tabulate(drawn.weights, threshold, table)
        mix(pixels_of(seeds, seeds.about[0]), sums_of(seeds, seeds.about[0]), maps, table, matter, out)
        return np.ascontiguousarray(out[:height, :width])

    def _drawn(self) -> Drawn:
        depth = max((len(steps) for steps in self.branches), default=0)
        ops = np.zeros((len(self.branches), depth), np.int64)  # a translation by nothing where a branch is shorter
        values = np.zeros((len(self.branches), depth, 2))
        for branch, steps in enumerate(self.branches):
            for i, step in enumerate(steps):
                ops[branch, i] = OPS.index(step.op)
                values[branch, i] = _values(step)
        place = np.array([self.factor, math.radians(self.turn), *self.move])
        return Drawn(place, ops, values, np.array(self.weights, np.float64))


def _step(op: int, values: NDArray[np.float64]) -> Step:
    name, (x, y) = OPS[op], (float(value) for value in values)
    if name == "rotate":
        return Step(name, math.degrees(x))
    return Step(name, math.exp(x)) if name == "scale" else Step(name, x, y)


def _values(step: Step) -> tuple[float, float]:
    if step.op == "rotate":
        return math.radians(step.x), 0.0
    return (math.log(step.x), 0.0) if step.op == "scale" else (step.x, step.y)
