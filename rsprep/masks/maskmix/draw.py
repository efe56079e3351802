"""What is drawn for one mask: where the seed is placed, the operations of each branch, and the weights."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from rsprep.masks.maskmix.counter import between, choice, gamma, substream, uniform
from rsprep.masks.maskmix.settings import LAWS, MAX_DEPTH, OPS, RESIZES, MixSettings

TRANSLATE, SHEAR, ROTATE, SCALE = (OPS.index(name) for name in ("translate", "shear", "rotate", "scale"))
_DIRICHLET, _UNIFORM, _FIXED = (LAWS.index(name) for name in ("dirichlet", "uniform", "fixed"))
LEAST_AIM = 1 / 16
"""Share of the largest area that is aimed at, at least, where the bounds begin at nothing."""
_AIM, _RANDOM = RESIZES.index("aim"), RESIZES.index("random")

# Streams below the key of one try, so that one setting changes the numbers of no other.
_CHOICE, _PLACE, _WEIGHTS, _OPS = 0, 1, 2, 3


class Rules(NamedTuple):
    """Settings in the form that compiled code takes."""

    ops: NDArray[np.int64]
    """(branch, place in its list): codes, places in `OPS`."""
    listed: NDArray[np.int64]
    """Length of each branch's list."""
    depth: int
    rotate: float
    """Radians."""
    shift: float
    shear: float
    scale_low: float
    """Natural logarithm, as are the other limits of factors."""
    scale_high: float
    law: int
    alpha: float
    fixed: NDArray[np.float64]
    threshold: float
    keep_seed: bool
    frame: bool
    resize: int
    limit_low: float
    limit_high: float
    turn: float
    """Radians."""
    move: float
    area_low: float
    area_high: float
    tries: int


def rules_of(settings: MixSettings) -> Rules:
    """`settings` for compiled code."""
    lists = settings.branch_ops if settings.branches else ()
    ops = np.zeros((settings.branches, max((len(one) for one in lists), default=1)), np.int64)
    for branch, names in enumerate(lists):
        ops[branch, : len(names)] = [OPS.index(name) for name in names]
    low, high = settings.area or (0.0, 1.0)
    return Rules(
        ops=ops,
        listed=np.array([len(one) for one in lists], np.int64),
        depth=settings.depth,
        rotate=math.radians(settings.rotate),
        shift=settings.shift,
        shear=settings.shear,
        scale_low=math.log(settings.scale[0]),
        scale_high=math.log(settings.scale[1]),
        law=LAWS.index(settings.weights),
        alpha=settings.alpha,
        fixed=np.array(settings.fixed, np.float64),
        threshold=settings.threshold,
        keep_seed=settings.keep_seed or not settings.branches,
        frame=settings.fit == "frame",
        resize=RESIZES.index(settings.resize),
        limit_low=math.log(settings.limits[0]),
        limit_high=math.log(settings.limits[1]),
        turn=math.radians(settings.turn),
        move=settings.move,
        area_low=low,
        area_high=high,
        tries=settings.tries,
    )


class Drawn(NamedTuple):
    """Room for what is drawn for one mask; filled again for each."""

    place: NDArray[np.float64]
    """Factor, rotation (radians), translation along x and along y (mask pixels) that place the seed."""
    ops: NDArray[np.int64]
    """(branch, step): code of the operation."""
    values: NDArray[np.float64]
    """(branch, step, 2): translation along x, y in pixels; shear along x, along y; radians; logarithm of the factor."""
    weights: NDArray[np.float64]
    """Of the branches and, last, of the seed; they sum to 1."""


@numba.njit(cache=True, nogil=True)
def blank(rules: Any) -> Any:
    """Room for what is drawn."""
    branches = rules.ops.shape[0]
    ops = np.zeros((branches, rules.depth), np.int64)
    return Drawn(np.zeros(4), ops, np.zeros((branches, rules.depth, 2)), np.zeros(branches + 1))


@numba.njit(cache=True, nogil=True)
def try_key(seed: np.uint64, index: int, attempt: int) -> np.uint64:
    """Stream of try `attempt` (0-based) at mask `index` of `seed`."""
    return substream(substream(seed, index), attempt)


@numba.njit(cache=True, nogil=True)
def pick(key: np.uint64, count: int) -> int:
    """Which of `count` seed masks this try takes."""
    return choice(substream(key, _CHOICE), 0, count)


@numba.njit(cache=True, nogil=True)
def draw(rules: Any, key: np.uint64, seed: Any, height: int, width: int, into: Any) -> None:
    """Draw everything but the seed mask for one try.

    Parameters
    ----------
    seed : height and width of its frame and the number of its masked pixels.
    height, width : of the mask that is made.
    """
    _draw_place(rules, substream(key, _PLACE), seed, height, width, into.place)
    _draw_weights(rules, substream(key, _WEIGHTS), into.weights)
    steps = substream(key, _OPS)
    for branch in range(rules.listed.size):
        for step in range(rules.depth):
            stream = substream(steps, branch * MAX_DEPTH + step)
            op = rules.ops[branch, choice(stream, 0, rules.listed[branch])]
            into.ops[branch, step] = op
            _draw_op(rules, stream, op, height, width, into.values[branch, step])


@numba.njit(cache=True, nogil=True)
def _draw_place(rules: Any, key: np.uint64, seed: Any, height: int, width: int, into: Any) -> None:
    rows, columns, masked = seed
    factor = min(height / rows, width / columns) if rules.frame else 1.0
    if rules.resize == _AIM:
        least = max(rules.area_low, LEAST_AIM * rules.area_high)
        aim = between(key, 0, math.log(least), math.log(rules.area_high))
        log = (aim + math.log(height * width / (masked * factor * factor))) / 2
        factor *= math.exp(min(max(log, rules.limit_low), rules.limit_high))
    elif rules.resize == _RANDOM:
        factor *= math.exp(between(key, 0, rules.limit_low, rules.limit_high))
    into[0] = factor
    into[1] = between(key, 1, -rules.turn, rules.turn)
    into[2] = between(key, 2, -rules.move, rules.move) * width
    into[3] = between(key, 3, -rules.move, rules.move) * height


@numba.njit(cache=True, nogil=True)
def _draw_weights(rules: Any, key: np.uint64, into: Any) -> None:
    total = 0.0
    for i in range(into.size):
        if rules.law == _FIXED:
            into[i] = rules.fixed[i]
        elif rules.law == _UNIFORM:
            into[i] = 1 - uniform(key, i)
        else:
            into[i] = gamma(substream(key, i), rules.alpha)
        total += into[i]
    for i in range(into.size):
        into[i] /= total


@numba.njit(cache=True, nogil=True)
def _draw_op(rules: Any, key: np.uint64, op: int, height: int, width: int, into: Any) -> None:
    into[0] = into[1] = 0.0
    if op == TRANSLATE:
        into[0] = between(key, 1, -rules.shift, rules.shift) * width
        into[1] = between(key, 2, -rules.shift, rules.shift) * height
    elif op == SHEAR:
        into[choice(key, 2, 2)] = between(key, 1, -rules.shear, rules.shear)
    elif op == ROTATE:
        into[0] = between(key, 1, -rules.rotate, rules.rotate)
    else:
        into[0] = between(key, 1, rules.scale_low, rules.scale_high)
