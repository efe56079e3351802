"""Connected shapes of a mask, without a raster of labels.

A row of a mask is a handful of runs of set pixels. Runs of neighbouring rows that touch belong
together, which one union-find settles in a single pass; what stays in memory is three numbers a run and
not four bytes a pixel. A whole Sentinel-2 tile (10980²) takes a fraction of a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Components:
    """Connected shapes of one mask, in the order in which their first pixels come, row by row."""

    area: NDArray[np.int64]
    """(shapes,) pixels."""
    box: NDArray[np.int32]
    """(shapes, 4) top, left, bottom and right; bottom and right lie one pixel outside."""
    anchor: NDArray[np.int32]
    """(shapes, 2) row and column of the first pixel, row by row."""
    run_row: NDArray[np.int64]
    """(rows + 1,) where the runs of a row begin in the tables of runs."""
    run_start: NDArray[np.int32]
    """(runs,) first column of a run."""
    run_stop: NDArray[np.int32]
    """(runs,) column behind the last one."""
    run_shape: NDArray[np.int32]
    """(runs,) which shape a run belongs to."""

    def __len__(self) -> int:
        return len(self.area)

    def at(self, row: int, column: int) -> int:
        """Shape that holds a pixel; −1 where the mask is clear."""
        first, last = int(self.run_row[row]), int(self.run_row[row + 1])
        run = first + int(np.searchsorted(self.run_start[first:last], column, side="right")) - 1
        return int(self.run_shape[run]) if run >= first and column < self.run_stop[run] else -1

    def raster(self, shape: int) -> NDArray[np.uint8]:
        """One shape alone on its box: (y, x) of 0 and 1."""
        top, left, bottom, right = self.box[shape].tolist()
        out = np.zeros((bottom - top, right - left), np.uint8)
        _paint(out, top, left, shape, self.run_row, self.run_start, self.run_stop, self.run_shape)
        return out


def find_components(mask: NDArray[Any], *, diagonal: bool = True) -> Components:
    """Connected shapes of the non-zero pixels of a mask.

    Parameters
    ----------
    mask : (y, x) bool or uint8.
    diagonal : whether pixels that meet at a corner only are connected (8 neighbours) or not (4).
    """
    cells = np.ascontiguousarray(mask).view(np.uint8) if mask.dtype == np.bool_ else np.ascontiguousarray(mask)
    if cells.ndim != 2 or cells.dtype != np.uint8:
        raise ValueError(f"a mask is (y, x) of bool or uint8, got {mask.dtype} {mask.shape}")
    run_row, start, stop = _runs(cells)
    shape, count = _join(run_row, start, stop, 1 if diagonal else 0)
    area, box, anchor = _measure(run_row, start, stop, shape, count)
    return Components(
        area=area, box=box, anchor=anchor, run_row=run_row, run_start=start, run_stop=stop, run_shape=shape
    )


@numba.njit(cache=True, nogil=True)
def _runs(cells: Any) -> Any:
    """Where runs of set pixels begin and end, row by row: first counted, then written."""
    rows, columns = cells.shape
    run_row = np.zeros(rows + 1, np.int64)
    for y in range(rows):
        line = cells[y]
        before, count = False, 0
        for x in range(columns):
            here = line[x] != 0
            count += here and not before
            before = here
        run_row[y + 1] = run_row[y] + count
    start, stop = np.empty(run_row[rows], np.int32), np.empty(run_row[rows], np.int32)
    for y in range(rows):
        run = run_row[y]
        if run == run_row[y + 1]:
            continue
        line, before = cells[y], False
        for x in range(columns):
            here = line[x] != 0
            if here and not before:
                start[run] = x
            elif before and not here:
                stop[run] = x
                run += 1
            before = here
        if before:
            stop[run] = columns
    return run_row, start, stop


@numba.njit(cache=True, nogil=True)
def _root(parent: Any, run: Any) -> Any:
    while parent[run] != run:
        parent[run] = parent[parent[run]]
        run = parent[run]
    return run


@numba.njit(cache=True, nogil=True)
def _join(run_row: Any, start: Any, stop: Any, reach: Any) -> Any:
    """Number of the shape of each run; `reach` is 1 where corners connect."""
    parent = np.arange(len(start)).astype(np.int32)
    for y in range(1, len(run_row) - 1):
        above, last = run_row[y - 1], run_row[y]
        for run in range(run_row[y], run_row[y + 1]):
            # Runs of the row above that end before this one begins touch none of those that follow either.
            while above < last and stop[above] + reach <= start[run]:
                above += 1
            touching = above
            while touching < last and start[touching] < stop[run] + reach:
                one, other = _root(parent, touching), _root(parent, run)
                # The older run leads, so that shapes are numbered as their first pixels come.
                parent[max(one, other)] = min(one, other)
                touching += 1
    shape, count = np.empty(len(parent), np.int32), 0
    for run in range(len(parent)):
        if parent[run] == run:
            shape[run] = count
            count += 1
        else:
            shape[run] = shape[_root(parent, run)]
    return shape, count


@numba.njit(cache=True, nogil=True)
def _measure(run_row: Any, start: Any, stop: Any, shape: Any, count: Any) -> Any:
    area = np.zeros(count, np.int64)
    box, anchor = np.empty((count, 4), np.int32), np.empty((count, 2), np.int32)
    for y in range(len(run_row) - 1):
        for run in range(run_row[y], run_row[y + 1]):
            one = shape[run]
            if area[one] == 0:
                anchor[one, 0], anchor[one, 1] = y, start[run]
                box[one, 0], box[one, 1], box[one, 3] = y, start[run], stop[run]
            area[one] += stop[run] - start[run]
            box[one, 1] = min(box[one, 1], start[run])
            box[one, 2] = y + 1
            box[one, 3] = max(box[one, 3], stop[run])
    return area, box, anchor


@numba.njit(cache=True, nogil=True)
def _paint(
    out: Any, top: Any, left: Any, shape: Any, run_row: Any, start: Any, stop: Any, owner: Any
) -> None:  # fmt: skip
    for y in range(out.shape[0]):
        for run in range(run_row[top + y], run_row[top + y + 1]):
            if owner[run] == shape:
                out[y, start[run] - left : stop[run] - left] = 1
