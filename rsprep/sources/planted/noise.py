"""Gradient noise in space: the one source of randomness of the planted landscape.

The noise is a function of a point in three dimensions (metres from the centre of the Earth), after
Perlin's lattice of hashed gradients ("Improving noise", 2002). The landscape is the slice that the
sphere cuts out of it, so it has no seam: neither at a UTM zone, nor at the equator, nor at 180 degrees.
Kernels take scalars and are inlined into the loops of the layers.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from rsprep.sources.planted.typing import Scalar

UNIT = 1.0 / 1023.5


@njit(cache=True, nogil=True, inline="never")
def mix(i: Scalar, j: Scalar, k: Scalar, seed: Scalar) -> Scalar:
    """Hash three lattice numbers and a seed to 32 well-stirred bits (as int64)."""
    mask = np.int64(0xFFFFFFFF)
    h = (i * 73856093) ^ (j * 19349663) ^ (k * 83492791) ^ (seed * 2654435761)
    h = (h ^ (h >> 15)) & mask
    h = (h * 2246822519) & mask
    h ^= h >> 13
    h = (h * 3266489917) & mask
    return h ^ (h >> 16)


@njit(cache=True, nogil=True)
def uniform(i: Scalar, j: Scalar, k: Scalar, seed: Scalar) -> Scalar:
    """A number in [0, 1) for a lattice cell."""
    return mix(i, j, k, seed) * 2.3283064365386963e-10


@njit(cache=True, nogil=True)
def _corner(i: Scalar, j: Scalar, k: Scalar, seed: Scalar, u: Scalar, v: Scalar, w: Scalar) -> Scalar:
    h = mix(i, j, k, seed)
    return ((h & 2047) * UNIT - 1) * u + (((h >> 11) & 2047) * UNIT - 1) * v + (((h >> 21) & 2047) * UNIT - 1) * w


@njit(cache=True, nogil=True)
def noise(x: Scalar, y: Scalar, z: Scalar, wavelength: Scalar, seed: Scalar) -> Scalar:
    """Smooth noise of about one wiggle per `wavelength` (metres); mean 0, standard deviation about 0.4.

    Twice continuously differentiable. Every seed has its own lattice offset, so that octaves do not line up.
    """
    a = x / wavelength + (seed & 1023) * 0.377
    b = y / wavelength + (seed & 511) * 0.613
    c = z / wavelength + (seed & 255) * 0.871
    i, j, k = math.floor(a), math.floor(b), math.floor(c)
    u, v, w = a - i, b - j, c - k
    i, j, k = np.int64(i), np.int64(j), np.int64(k)
    fu = u * u * u * (u * (u * 6 - 15) + 10)
    fv = v * v * v * (v * (v * 6 - 15) + 10)
    fw = w * w * w * (w * (w * 6 - 15) + 10)
    n000 = _corner(i, j, k, seed, u, v, w)
    n100 = _corner(i + 1, j, k, seed, u - 1, v, w)
    n010 = _corner(i, j + 1, k, seed, u, v - 1, w)
    n110 = _corner(i + 1, j + 1, k, seed, u - 1, v - 1, w)
    n001 = _corner(i, j, k + 1, seed, u, v, w - 1)
    n101 = _corner(i + 1, j, k + 1, seed, u - 1, v, w - 1)
    n011 = _corner(i, j + 1, k + 1, seed, u, v - 1, w - 1)
    n111 = _corner(i + 1, j + 1, k + 1, seed, u - 1, v - 1, w - 1)
    low = n000 + fu * (n100 - n000)
    low += fv * (n010 + fu * (n110 - n010) - low)
    high = n001 + fu * (n101 - n001)
    high += fv * (n011 + fu * (n111 - n011) - high)
    return 1.6 * (low + fw * (high - low))


@njit(cache=True, nogil=True)
def fractal(x: Scalar, y: Scalar, z: Scalar, wavelength: Scalar, seed: Scalar, octaves: Scalar) -> Scalar:
    """Sum of `octaves` noises, each of about half the wavelength and half the height of the one before."""
    total = 0.0
    height = 1.0
    for octave in range(octaves):
        total += height * noise(x, y, z, wavelength, seed + 101 * octave)
        wavelength *= 0.47
        height *= 0.5
    return total


@njit(cache=True, nogil=True)
def smoothstep(low: Scalar, high: Scalar, value: Scalar) -> Scalar:
    """0 below `low`, 1 above `high`, a smooth ramp between."""
    t = min(max((value - low) / (high - low), 0.0), 1.0)
    return t * t * (3 - 2 * t)


@njit(cache=True, nogil=True)
def soft_abs(value: Scalar, width: Scalar) -> Scalar:
    """|value| with its crease rounded over `width`; 0 at 0."""
    return math.sqrt(value * value + width * width) - width
