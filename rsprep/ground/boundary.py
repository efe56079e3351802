"""Where two UTM zones meet: which chip covers which ground, so that none is covered twice.

West has priority. Call a chip *at home* when its centre lies in its own zone. Along the boundary the
ground inside the western zone's chips at home belongs to them, all other ground to the eastern
lattice. The rule knows positions only, never an AOI, so it holds still when an AOI grows; and since
boundaries lie far apart compared with a chip, it settles every point of the globe (zone 60 is west
of zone 1). Hemispheres need no rule: lattices start at the equator (see :class:`Lattice`).
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from rsprep.ground.lattice import Lattice
from rsprep.ground.zones import METRES_PER_DEGREE

_POINTS_PER_SIDE = 16
_SLACK_PX = 0.05
"""Chips that come this near (pixels) count as overlapping; covers the bend of an edge between points."""


def near_boundary(lattice: Lattice, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.bool_]:
    """True for chips (by their centres) that chips of the western zone may reach."""
    reach = 1.5 * lattice.side / (METRES_PER_DEGREE * np.cos(np.radians(lat)))
    near: NDArray[np.bool_] = lattice.zone.offset_of(lon) < reach
    return near


def at_home_west(lattice: Lattice, west: Lattice, row: NDArray[np.int64], col: NDArray[np.int64]) -> NDArray[np.bool_]:
    """True for positions of the western lattice whose centres lie west of the boundary to `lattice`."""
    lon, _ = west.zone.unproject(*west.centres(row, col))
    home: NDArray[np.bool_] = lattice.zone.offset_of(lon) < 0
    return home


def outlines(lattice: Lattice, west: Lattice, row: NDArray[np.int64], col: NDArray[np.int64]) -> NDArray[np.object_]:
    """Chips of `lattice` as polygons in the western zone's CRS; edges bend, so they are densified."""
    step = np.arange(_POINTS_PER_SIDE) / _POINTS_PER_SIDE
    zero, one = np.zeros_like(step), np.ones_like(step)
    u = np.concatenate([step, one, 1 - step, zero])
    v = np.concatenate([zero, step, one, 1 - step])
    box = lattice.bounds(row, col)
    x = box[:, :1] + u * (box[:, 2:3] - box[:, :1])
    y = box[:, 1:2] + v * (box[:, 3:4] - box[:, 1:2])
    ring = np.stack(west.zone.project(*lattice.zone.unproject(x, y)), axis=-1)
    polygons: NDArray[np.object_] = shapely.polygons(ring)
    return polygons


def meet_west(
    lattice: Lattice, west: Lattice, row: NDArray[np.int64], col: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.object_]]:
    """How chips near the boundary meet the chips at home in the western zone.

    Returns
    -------
    overlaps : (n,) True where the chip comes within a twentieth of a pixel of a western chip at home.
    rest : (n,) what is left of each chip without those, as geometry in the western zone's CRS.
    """
    outline = outlines(lattice, west, row, col)
    slack = _SLACK_PX * lattice.resolution
    bounds = shapely.bounds(outline).reshape(-1, 4)
    row_a, col_a = west.cell_of(bounds[:, 0] - slack, bounds[:, 1] - slack)
    row_b, col_b = west.cell_of(bounds[:, 2] + slack, bounds[:, 3] + slack)
    first_row, last_row = np.minimum(row_a, row_b), np.maximum(row_a, row_b)
    overlaps = np.zeros(len(outline), bool)
    rest = outline.copy()
    for d_row in range(int((last_row - first_row).max(initial=-1)) + 1):
        for d_col in range(int((col_b - col_a).max(initial=-1)) + 1):
            r, c = first_row + d_row, col_a + d_col
            home = at_home_west(lattice, west, r, c)
            wide = west.bounds(r, c) + slack * np.array([-1, -1, 1, 1])
            hit = home & shapely.intersects(outline, shapely.box(*wide.T))
            overlaps |= hit
            rest[hit] = shapely.difference(rest[hit], shapely.box(*west.bounds(r[hit], c[hit]).T))
    return overlaps, rest


def owned_mask(lattice: Lattice, west: Lattice, row: int, col: int) -> NDArray[np.bool_]:
    """(chip_px, chip_px) True for pixels of a chip whose centres lie in no western chip at home.

    Evaluate it for chips marked as clipped; every other chip owns all its pixels.
    """
    left, _, _, top = (float(edge) for edge in lattice.bounds(row, col))
    centre = (np.arange(lattice.chip_px) + 0.5) * lattice.resolution
    x, y = np.meshgrid(left + centre, top - centre)
    west_row, west_col = west.cell_of(*west.zone.project(*lattice.zone.unproject(x, y)))
    first_row, first_col = west_row.min(), west_col.min()
    n_rows, n_cols = west_row.max() - first_row + 1, west_col.max() - first_col + 1
    rows, cols = np.indices((n_rows, n_cols))
    home = at_home_west(lattice, west, first_row + rows, first_col + cols)
    owned: NDArray[np.bool_] = ~home[west_row - first_row, west_col - first_col]
    return owned
