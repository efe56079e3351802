"""Granules on one another: every pixel comes, in all its bands, from the first that is valid there."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsprep.reading.jit import compiled
from rsprep.reading.warp import fill_invalid

Box = tuple[slice, slice]
"""Rows and columns of a raster, in pixels."""


class Mosaic:
    """Takes granules in order, each of them only where something is still missing.

    Examples
    --------
    >>> mosaic = Mosaic((1, 1, 3), np.dtype("int16"), -1)
    >>> given = mosaic.take(np.array([[[5, 6, 7]]], np.int16), np.array([[True, False, False]]), mosaic.everything)
    >>> mosaic.gap()
    (slice(0, 1, None), slice(1, 3, None))
    >>> mosaic.take(np.array([[[8, 9]]], np.int16), np.array([[True, False]]), (slice(0, 1), slice(1, 3))).tolist()
    [[False, True, False]]
    >>> mosaic.values.tolist(), mosaic.valid.tolist()
    ([[[5, 8, -1]]], [[True, True, False]])
    """

    def __init__(self, shape: tuple[int, int, int], dtype: np.dtype[Any], nodata: float) -> None:
        """`shape` is (bands, y, x)."""
        self.shape = shape
        self.dtype = dtype
        self.nodata = nodata
        self.valid = np.zeros(shape[1:], np.bool_)
        """Shape (y, x): where some granule was valid."""
        self._values: NDArray[Any] | None = None

    @property
    def everything(self) -> Box:
        """All rows and columns."""
        return slice(0, self.shape[1]), slice(0, self.shape[2])

    @property
    def values(self) -> NDArray[Any]:
        """Shape (bands, y, x); `nodata` where no granule is valid."""
        if self._values is None:
            self._values = np.full(self.shape, self.nodata, self.dtype)
        return self._values

    def gap(self) -> Box | None:
        """Rows and columns between which pixels are missing; None where none is."""
        rows = np.flatnonzero(~self.valid.all(axis=1))
        if not rows.size:
            return None
        columns = np.flatnonzero(~self.valid.all(axis=0))
        return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)

    def take(self, values: NDArray[Any], valid: NDArray[np.bool_], part: Box) -> NDArray[np.bool_]:
        """Fill what is missing in `part` from one granule; returns the pixels, shape (y, x) of the whole, that it gave.

        Parameters
        ----------
        values : (bands, y, x) of `part`. Given up by the caller: the first granule may become the mosaic.
        valid : (y, x) of `part`.
        part : rows and columns of the mosaic.
        """
        if values.dtype != self.dtype or values.shape != (self.shape[0], *self.valid[part].shape):
            raise ValueError(f"cannot lay {values.shape} {values.dtype} on {part} of {self.shape} {self.dtype}")
        given = np.zeros(self.valid.shape, np.bool_)
        if self._values is None and part == self.everything:
            fill_invalid(values, valid, self.nodata)
            self._values, given[:], self.valid[:] = values, valid, valid
        else:
            _lay_under(self.values[:, part[0], part[1]], self.valid[part], values, valid, given[part])
        return given


@compiled
def _lay_under(values: Any, valid: Any, new_values: Any, new_valid: Any, given: Any) -> None:
    """Fill pixels of `values` (bands, y, x) that are not valid from `new_values` where those are."""
    missing = np.empty(valid.shape[1], np.int64)
    for row in range(valid.shape[0]):
        count = 0
        for column in range(valid.shape[1]):
            if new_valid[row, column] and not valid[row, column]:
                missing[count] = column
                count += 1
                valid[row, column] = True
                given[row, column] = True
        for band in range(values.shape[0]):
            for k in range(count):
                values[band, row, missing[k]] = new_values[band, row, missing[k]]
