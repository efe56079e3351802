"""Random numbers that depend on a key and a counter alone, so that mask k is the same in any batch and on any worker.

SplitMix64 (Steele, Lea and Flood 2014, with Stafford's thirteenth mixer): number n of a stream is a hash
of its key plus n times an odd constant. Nothing is carried from one number to the next.
"""

from __future__ import annotations

import math

import numba
import numpy as np

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_27, _30, _31, _11 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(11)
_UNIT = 2.0**-53


@numba.njit(cache=True, nogil=True)
def hashed(number: np.uint64) -> np.uint64:
    """A bijection of 64-bit numbers in which every bit of the input moves half of the output."""
    number = (number ^ (number >> _30)) * _FIRST
    number = (number ^ (number >> _27)) * _SECOND
    return number ^ (number >> _31)


@numba.njit(cache=True, nogil=True)
def substream(key: np.uint64, number: int) -> np.uint64:
    """Key of stream `number` (at least 0) below `key`."""
    return hashed(hashed(key + _STEP) ^ (np.uint64(number) * _STEP + _FIRST))


@numba.njit(cache=True, nogil=True)
def uniform(key: np.uint64, number: int) -> float:
    """Number `number` of the stream: evenly from [0, 1)."""
    return np.float64(hashed(key + (np.uint64(number) + np.uint64(1)) * _STEP) >> _11) * _UNIT


@numba.njit(cache=True, nogil=True)
def between(key: np.uint64, number: int, low: float, high: float) -> float:
    """Number `number` of the stream: evenly from `low` to `high`."""
    return low + (high - low) * uniform(key, number)


@numba.njit(cache=True, nogil=True)
def choice(key: np.uint64, number: int, count: int) -> int:
    """Number `number` of the stream: one of 0 to `count` − 1."""
    return int(uniform(key, number) * count)


@numba.njit(cache=True, nogil=True)
def gamma(key: np.uint64, shape: float) -> float:
    """A gamma variate of scale 1 from a whole stream; `shape` above 0.

    Shape 1 is the exponential law. Otherwise Marsaglia and Tsang (2000), which works from 1 up; below
    1 the variate of shape + 1 is multiplied by a uniform one to the power 1 / shape.
    """
    if shape == 1:
        return -math.log(1 - uniform(key, 0))
    boost = 1.0 if shape > 1 else (1 - uniform(key, 0)) ** (1 / shape)
    third = (shape if shape > 1 else shape + 1) - 1 / 3
    spread = 1 / math.sqrt(9 * third)
    number = 1
    while True:
        # Box and Muller's normal variate
        normal = math.sqrt(-2 * math.log(1 - uniform(key, number))) * math.cos(2 * math.pi * uniform(key, number + 1))
        cube = (1 + spread * normal) ** 3
        chance = 1 - uniform(key, number + 2)
        number += 3
        if cube > 0 and math.log(chance) < normal * normal / 2 + third * (1 - cube + math.log(cube)):
            return third * cube * boost
