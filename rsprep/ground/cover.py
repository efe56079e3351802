"""Which cells of a lattice an area touches or covers, by halving squares from coarse to fine."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from rsprep.errors import AoiError
from rsprep.ground.lattice import Lattice

MAX_CHIPS = 2_000_000
"""More chips than this are refused: at 256 px and all layers they would fill some 10 TB."""
HAIR = 1e-3
"""Metres by which a cell must reach into an area to touch it, or may stick out and still be inside."""


def cover(area: shapely.Geometry, lattice: Lattice) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Cells that share ground with `area`.

    Parameters
    ----------
    area : polygons in the lattice's CRS, metres.
    lattice : the cells; only rows on the lattice's own side of the equator are taken.

    Returns
    -------
    row, col, inside : (n,) each; `inside` is True where the whole cell lies in the area.

    Raises
    ------
    AoiError : ``too-many`` as soon as the count passes `MAX_CHIPS`.
    """
    empty = np.empty(0, np.int64)
    if area.is_empty:
        return empty, empty, np.empty(0, bool)
    shapely.prepare(area)
    row, col, level = _first_squares(area, lattice)
    found: list[tuple[NDArray[np.int64], NDArray[np.int64], bool]] = []
    count = 0
    while level >= 0:
        boxes = _boxes(lattice, row, col, 2**level)
        touched = shapely.intersects(area, boxes)
        row, col, boxes = row[touched], col[touched], boxes[touched]
        whole = shapely.covers(area, boxes)
        open_squares = int(np.count_nonzero(~whole))
        _check_count(count + (len(row) - open_squares) * 4**level + open_squares)
        count += (len(row) - open_squares) * 4**level
        found.append((*_cells(row[whole], col[whole], 2**level), True))
        row, col = row[~whole], col[~whole]
        if level:
            row, col = _cells(row, col, 2)
        level -= 1
    found.append((row, col, False))
    rows = np.concatenate([part[0] for part in found])
    cols = np.concatenate([part[1] for part in found])
    inside = np.concatenate([np.full(len(part[0]), part[2]) for part in found])
    return rows, cols, inside


def _first_squares(area: shapely.Geometry, lattice: Lattice) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Few large squares that hold the area's bounds; indices count squares of 2**level cells."""
    west, south, east, north = area.bounds
    row, col = lattice.cell_of([west, east], [south, north])
    lowest, highest = max(0, int(row.min())), max(0, int(row.max()))
    span = max(highest - lowest, int(col[1] - col[0])) + 1
    level = max(0, int(span).bit_length() - 4)
    rows = np.arange(lowest >> level, (highest >> level) + 1)
    cols = np.arange(int(col[0]) >> level, (int(col[1]) >> level) + 1)
    grid = np.meshgrid(rows, cols, indexing="ij")
    return grid[0].ravel(), grid[1].ravel(), level


def _boxes(lattice: Lattice, row: NDArray[np.int64], col: NDArray[np.int64], n: int) -> NDArray[np.object_]:
    west, south, east, north = lattice.bounds(row * n, col * n, n).reshape(-1, 4).T
    boxes: NDArray[np.object_] = shapely.box(west + HAIR, south + HAIR, east - HAIR, north - HAIR)
    return boxes


def _cells(row: NDArray[np.int64], col: NDArray[np.int64], n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The n × n parts of every square."""
    step_row, step_col = (grid.ravel() for grid in np.indices((n, n)))
    return (row[:, None] * n + step_row).ravel(), (col[:, None] * n + step_col).ravel()


def _check_count(count: int) -> None:
    if count > MAX_CHIPS:
        raise AoiError(
            "too-many",
            f"the area holds more than {MAX_CHIPS:,} chips",
            value=f"at least {count:,}",
            remedy="take a smaller area, larger chips (--chip-size) or a coarser --resolution",
        )
