"""Parcels: farm districts of random outline, each ploughed in its own direction into strips and fields.

Districts are the cells of scattered points in space (Worley, "A cellular texture basis function", 1996),
so they need no map projection; inside one, fields are counted along two axes of its own tangent plane.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from rsprep.sources.planted.noise import mix, smoothstep, uniform
from rsprep.sources.planted.typing import Scalar

DISTRICT = 1700.0
"""Mean spacing of districts, metres."""
SOFT = 9.0
"""Half the width of the blend between two fields, metres: no edge is sharper than a pixel."""


@njit(cache=True, nogil=True)
def district_at(x: Scalar, y: Scalar, z: Scalar, seed: Scalar) -> tuple[Scalar, Scalar, Scalar, Scalar]:
    """Hash of the district, position (u, v) along its axes in metres, and distance to its border in metres."""
    i0 = np.int64(math.floor(x / DISTRICT))
    j0 = np.int64(math.floor(y / DISTRICT))
    k0 = np.int64(math.floor(z / DISTRICT))
    first, second, name = 1e30, 1e30, np.int64(0)
    ax = ay = az = bx = by = bz = 0.0
    for i in range(i0 - 1, i0 + 2):
        for j in range(j0 - 1, j0 + 2):
            for k in range(k0 - 1, k0 + 2):
                h = mix(i, j, k, seed)
                px = (i + (h & 1023) / 1023.0) * DISTRICT
                py = (j + ((h >> 10) & 1023) / 1023.0) * DISTRICT
                pz = (k + ((h >> 20) & 1023) / 1023.0) * DISTRICT
                far = (px - x) ** 2 + (py - y) ** 2 + (pz - z) ** 2
                if far < first:
                    second, bx, by, bz = first, ax, ay, az
                    first, ax, ay, az, name = far, px, py, pz, h
                elif far < second:
                    second, bx, by, bz = far, px, py, pz
    border = (second - first) / (2 * math.sqrt((ax - bx) ** 2 + (ay - by) ** 2 + (az - bz) ** 2) + 1e-9)
    flat = math.sqrt(ax * ax + ay * ay) + 1e-9
    r = math.sqrt(flat * flat + az * az)
    dx, dy, dz = x - ax, y - ay, z - az
    east = (-ay * dx + ax * dy) / flat
    north = (-az * ax * dx - az * ay * dy) / (flat * r) + flat / r * dz
    turn = (name & 4095) / 4095.0 * math.pi
    u = east * math.cos(turn) + north * math.sin(turn)
    v = north * math.cos(turn) - east * math.sin(turn)
    return name, u, v, border


@njit(cache=True, nogil=True)
def _across(j: Scalar, u: Scalar, width: Scalar, name: Scalar) -> tuple[Scalar, Scalar, Scalar]:
    """Field on this side, field on the other side of the nearest edge, and the share of the other (0 to 0.5)."""
    own = width * (0.6 + 0.9 * uniform(j, 17, 3, name))
    t = u / own + 31.0 * uniform(j, 5, 9, name)
    i = np.int64(math.floor(t))
    f = (t - i) * own
    if f < 0.5 * own:
        return i, i - 1, 0.5 - 0.5 * smoothstep(0.0, SOFT, f)
    return i, i + 1, 0.5 - 0.5 * smoothstep(0.0, SOFT, own - f)


@njit(cache=True, nogil=True)
def parcel_at(
    u: Scalar, v: Scalar, width: Scalar, depth: Scalar, name: Scalar
) -> tuple[Scalar, Scalar, Scalar, Scalar]:
    """Properties of the parcel at (u, v), blended over its edges.

    Returns
    -------
    first, second : shares of two of the three crops (the third has what is missing to 1).
    vigour, use : random numbers of the parcel, 0 to 1.
    """
    t = v / depth
    row = np.int64(math.floor(t))
    f = (t - row) * depth
    other_row = row - 1 if f < 0.5 * depth else row + 1
    other_share = 0.5 - 0.5 * smoothstep(0.0, SOFT, min(f, depth - f))
    first = second = vigour = use = 0.0
    for side in range(2):
        j = row if side == 0 else other_row
        share = 1 - other_share if side == 0 else other_share
        if share <= 0:
            continue
        here, there, mixed = _across(j, u, width, name)
        for step in range(2):
            i = here if step == 0 else there
            weight = share * (1 - mixed if step == 0 else mixed)
            if weight <= 0:
                continue
            crop = uniform(i, j, 1, name)
            if crop < 0.42:
                first += weight
            elif crop < 0.78:
                second += weight
            vigour += weight * uniform(i, j, 2, name)
            use += weight * uniform(i, j, 3, name)
    return first, second, vigour, use
