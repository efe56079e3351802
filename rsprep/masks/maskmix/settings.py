"""What may happen to a seed mask: every range, list and law of Eq. 7 in one place."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from rsprep.errors import ConfigError
from rsprep.settings import Section

Op = Literal["translate", "shear", "rotate", "scale"]
OPS: tuple[Op, ...] = get_args(Op)
Law = Literal["dirichlet", "uniform", "fixed"]
LAWS: tuple[Law, ...] = get_args(Law)
Resize = Literal["aim", "random", "off"]
RESIZES: tuple[Resize, ...] = get_args(Resize)

MAX_BRANCHES = 7
MAX_DEPTH = 8
MIN_SIZE, MAX_SIZE = 16, 4096
"""Pixels along a side of a mask that is made."""
_Factors = tuple[Annotated[float, Field(ge=0.125, le=8)], Annotated[float, Field(ge=0.125, le=8)]]


class MixSettings(Section):
    """How a seed mask is placed on the mask (`fit`, `resize`, `turn`, `move`: the paper's IV-A), then mixed (Eq. 7)."""

    branches: int = Field(3, ge=0, le=MAX_BRANCHES, description="moved copies of the seed that are mixed with it")
    depth: int = Field(3, ge=0, le=MAX_DEPTH, description="operations in a row on each copy")
    ops: tuple[tuple[Op, ...], ...] = Field(
        (("translate", "shear", "rotate"),),
        min_length=1,
        description="operations to draw from (translate, shear, rotate, scale): one list for all branches, or one each",
    )
    rotate: float = Field(30.0, ge=0, le=180, description="largest rotation, degrees either way")
    shift: float = Field(1 / 3, ge=0, le=1, description="largest translation along each axis, share of the mask's side")
    shear: float = Field(0.3, ge=0, le=1, description="largest shear, along one axis drawn at random")
    scale: _Factors = Field((0.8, 1.25), description="least and largest factor of the operation scale")
    weights: Law = Field("dirichlet", description="law of the weights of the branches and, last, of the seed")
    alpha: float = Field(1.0, ge=0.05, le=100, description="of the Dirichlet law; below 1 one weight tends to rule")
    fixed: tuple[Annotated[float, Field(ge=0, le=1)], ...] = Field(
        (), description="weights of the law fixed: one a branch and the seed's last; they sum to 1"
    )
    threshold: float = Field(0.5, gt=0, le=1, description="a pixel is masked where its weights sum to at least this")
    keep_seed: bool = Field(
        True,
        description="false: draw again where the weights let the seed alone through (as placed), one draw in eight",
    )
    fit: Literal["frame", "pixel"] = Field(
        "frame", description="frame: a seed's frame is scaled to fit into the mask; pixel: a pixel stays a pixel"
    )
    resize: Resize = Field(
        "aim",
        description="aim: the seed is resized towards an area drawn within the bounds, evenly on a log scale; random: "
        "by any factor within the limits; off: not at all",
    )
    limits: _Factors = Field((0.5, 4.0), description="least and largest factor of resize")
    turn: float = Field(180.0, ge=0, le=180, description="largest rotation of the seed before it is mixed, degrees")
    move: float = Field(
        0.5,
        ge=0,
        le=1,
        description="largest translation of the seed before it is mixed, share of the side: at half of it, its middle "
        "may lie anywhere",
    )
    area: tuple[float, float] | None = Field(
        (0.15, 0.60), description="least and largest share of the mask that is masked, 0 to 1; null: any"
    )
    tries: int = Field(
        1000, ge=1, le=1_000_000, description="draws for one mask before its area counts as out of reach"
    )

    @field_validator("ops", mode="before")
    @classmethod
    def _one_list_for_all(cls, ops: Any) -> Any:
        return (ops,) if isinstance(ops, list | tuple) and ops and isinstance(ops[0], str) else ops

    @field_validator("ops")
    @classmethod
    def _no_empty_list(cls, ops: tuple[tuple[Op, ...], ...]) -> tuple[tuple[Op, ...], ...]:
        if not all(ops):
            raise ValueError("a branch needs at least one operation to draw from; depth: 0 leaves it unmoved")
        return ops

    @field_validator("scale", "limits")
    @classmethod
    def _ordered(cls, factors: tuple[float, float]) -> tuple[float, float]:
        if factors[0] > factors[1]:
            raise ValueError(f"the least factor comes first, got {factors}")
        return factors

    @field_validator("area")
    @classmethod
    def _within_one(cls, area: tuple[float, float] | None) -> tuple[float, float] | None:
        if area is not None and not 0 <= area[0] < area[1] <= 1:
            raise ValueError("give the least share and the largest, 0 to 1, the least first")
        return area

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.ops) not in (1, self.branches) and self.branches:
            raise ConfigError(
                "ops-per-branch",
                f"there are {self.branches} branches and {len(self.ops)} lists of operations",
                value=[list(ops) for ops in self.ops],
                remedy="give one list for all branches, or one for each",
            )
        if (self.weights == "fixed") != bool(self.fixed):
            raise ConfigError(
                "fixed-weights",
                "weights: fixed and the weights in fixed go together",
                value=f"weights: {self.weights}, fixed: {list(self.fixed)}",
                remedy="give both, or neither",
            )
        if self.fixed and (len(self.fixed) != self.branches + 1 or not math.isclose(sum(self.fixed), 1, abs_tol=1e-6)):
            raise ConfigError(
                "fixed-weights-sum",
                f"fixed needs {self.branches + 1} weights (the branches, then the seed) that sum to 1",
                value=list(self.fixed),
                remedy="give one a branch and the seed's last",
            )
        if self.resize == "aim" and self.area is None:
            raise ConfigError(
                "no-aim",
                "resize: aim needs area bounds to aim at",
                value="area: null",
                remedy="give area, or set resize to random or off",
            )
        if not self.keep_seed and self.branches and self._always_seed:
            raise ConfigError(
                "seed-only",
                "these weights give the seed back unchanged every time, and such masks are not kept",
                value=f"fixed: {list(self.fixed)}, threshold: {self.threshold}",
                remedy="set keep_seed, or give the branches more weight",
            )
        return self

    @classmethod
    def bare(cls, **values: Any) -> Self:
        """Eq. 7 and nothing else: seeds that lie as they should are neither resized, turned nor moved first."""
        return cls(**{"resize": "off", "turn": 0, "move": 0, **values})

    @property
    def _always_seed(self) -> bool:
        """True where no set of branches reaches the threshold without the seed, and the seed does alone."""
        return bool(self.fixed) and sum(self.fixed[:-1]) < self.threshold <= self.fixed[-1]

    @property
    def branch_ops(self) -> tuple[tuple[Op, ...], ...]:
        """Operations to draw from, one list a branch."""
        return self.ops * self.branches if len(self.ops) == 1 else self.ops
