"""Many dates to one image, pixel by pixel: the least cloudy clear date, or the median of the clear ones."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from rsprep.products.sentinel2 import NODATA

NO_DATE = -1
_LARGEST = np.int16(32767)


def rank_dates(clear: NDArray[np.bool_], chip_px: int) -> NDArray[np.int16]:
    """Rank the dates of each chip of a block, 0 for the least cloudy.

    Parameters
    ----------
    clear : (dates, y, x), True where a date shows the ground. What is outside the swath counts as not clear.
    chip_px : pixels along a chip's side; y and x are multiples of it.

    Returns
    -------
    (dates, chip rows, chip columns); dates that are equally clear keep their order.
    """
    dates, rows, columns = clear.shape
    if rows % chip_px or columns % chip_px:
        raise ValueError(f"a block of {rows} × {columns} pixels does not hold whole chips of {chip_px}")
    counts = clear.reshape(dates, rows // chip_px, chip_px, columns // chip_px, chip_px).sum(axis=(2, 4))
    order = np.argsort(-counts, axis=0, kind="stable")
    ranks = np.empty(order.shape, np.int16)
    np.put_along_axis(ranks, order, np.arange(dates, dtype=np.int16)[:, None, None], axis=0)
    return ranks


class BestDate:
    """Composite that takes each pixel from the least cloudy date that is clear there.

    Dates may be added in any order; the result depends on the ranks alone. All bands of a pixel come
    from one date. Pixels that are clear on no date stay nodata (−32768).

    Parameters
    ----------
    bands : number of bands.
    ranks : (dates, chip rows, chip columns) from :func:`rank_dates`.
    chip_shape : pixels along a chip's side, or its (rows, columns).

    Examples
    --------
    >>> clear = np.array([[[True, False]], [[True, True]]])
    >>> best = BestDate(1, np.array([[[0]], [[1]]], np.int16), (1, 2))
    >>> best.add(np.array([[[5, 6]]], np.int16), clear[0], 0)
    1
    >>> best.add(np.array([[[7, 8]]], np.int16), clear[1], 1)
    1
    >>> best.values.tolist(), best.date_index.tolist(), best.done
    ([[[5, 8]]], [[0, 1]], True)
    """

    values: NDArray[np.int16]
    """(bands, y, x), nodata −32768."""
    date_index: NDArray[np.int16]
    """(y, x): which date a pixel comes from; −1 where none is clear."""

    def __init__(self, bands: int, ranks: NDArray[np.int16], chip_shape: int | tuple[int, int]) -> None:
        chip_rows, chip_columns = (chip_shape, chip_shape) if isinstance(chip_shape, int) else chip_shape
        shape = (ranks.shape[1] * chip_rows, ranks.shape[2] * chip_columns)
        self._chip_shape = (chip_rows, chip_columns)
        self._ranks = np.ascontiguousarray(ranks, np.int16)
        self._left = set(range(len(ranks)))
        # Rank of the date each pixel has now, and the worst of them chip by chip.
        self._rank = np.full(shape, _LARGEST, np.int16)
        self._worst = np.full(ranks.shape[1:], _LARGEST, np.int16)
        self.values = np.full((bands, *shape), NODATA, np.int16)
        self.date_index = np.full(shape, NO_DATE, np.int16)

    def needs(self, date: int) -> bool:
        """Whether `date` could still change a pixel. A date that is not needed need not be read."""
        return date in self._left and bool((self._ranks[date] < self._worst).any())

    def improved_by(self, date: int, clear: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(y, x): True where `date`, clear as given, would replace what a pixel has now."""
        rows, columns = self._chip_shape
        rank = np.repeat(np.repeat(self._ranks[date], rows, axis=0), columns, axis=1)
        return clear & (rank < self._rank)

    @property
    def done(self) -> bool:
        """Whether no date that is left could change a pixel."""
        return not any(self.needs(date) for date in self._left)

    @property
    def clear(self) -> NDArray[np.bool_]:
        """(y, x): True where the composite holds a clear observation."""
        return np.asarray(self.date_index != NO_DATE)

    def add(self, values: NDArray[np.int16], clear: NDArray[np.bool_], date: int) -> int:
        """Add one date and return how many pixels took it.

        Parameters
        ----------
        values : (bands, y, x) reflectance. A pixel with nodata in any band is not used.
        clear : (y, x), True where the date shows the ground.
        date : position of the date on the first axis of the ranks.
        """
        if values.shape != self.values.shape or clear.shape != self.date_index.shape:
            raise ValueError(f"expected {self.values.shape}, got values {values.shape} and clear {clear.shape}")
        if date not in self._left:
            raise ValueError(f"date {date} was added before, or is none of the {len(self._ranks)} ranked")
        self._left.discard(date)
        taken: int = _take_better(
            values, clear, self._ranks[date], date, self._chip_shape, self.values, self._rank, self.date_index
        )
        chips = self._rank.reshape(self._ranks.shape[1], self._chip_shape[0], self._ranks.shape[2], self._chip_shape[1])
        self._worst = chips.max(axis=(1, 3))
        return taken


@numba.njit(cache=True, nogil=True)
def _take_better(
    values: NDArray[np.int16],
    clear: NDArray[np.bool_],
    ranks: NDArray[np.int16],
    date: int,
    chip_shape: tuple[int, int],
    out: NDArray[np.int16],
    rank: NDArray[np.int16],
    date_index: NDArray[np.int16],
) -> int:
    bands, rows, columns = values.shape
    take = np.empty(columns, np.bool_)
    taken = 0
    for y in range(rows):
        row_ranks = ranks[y // chip_shape[0]]
        for x in range(columns):
            take[x] = clear[y, x] and row_ranks[x // chip_shape[1]] < rank[y, x]
        for band in range(bands):
            for x in range(columns):
                take[x] &= values[band, y, x] != NODATA
        for x in range(columns):
            if take[x]:
                rank[y, x] = row_ranks[x // chip_shape[1]]
                date_index[y, x] = date
                taken += 1
        for band in range(bands):
            for x in range(columns):
                out[band, y, x] = values[band, y, x] if take[x] else out[band, y, x]
    return taken


def median(values: NDArray[np.int16], clear: NDArray[np.bool_]) -> tuple[NDArray[np.int16], NDArray[np.uint16]]:
    """Median over the clear dates, pixel by pixel and band by band.

    Parameters
    ----------
    values : (dates, bands, y, x) reflectance. A date with nodata in any band of a pixel is not used there,
        so that all bands of a pixel are medians over the same dates.
    clear : (dates, y, x), True where a date shows the ground.

    Returns
    -------
    composite : (bands, y, x). Of an even number of dates, the mean of the two in the middle, halves
        rounded to the even neighbour. −32768 where no date is clear.
    count : (y, x), number of dates used.
    """
    dates, bands, rows, columns = values.shape
    if clear.shape != (dates, rows, columns):
        raise ValueError(f"clear must have shape {(dates, rows, columns)}, got {clear.shape}")
    out = np.empty((bands, rows, columns), np.int16)
    count = np.empty((rows, columns), np.uint16)
    _median(values, clear, out, count)
    return out, count


@numba.njit(cache=True, nogil=True)
def _median(
    values: NDArray[np.int16], clear: NDArray[np.bool_], out: NDArray[np.int16], count: NDArray[np.uint16]
) -> None:
    dates, bands, rows, columns = values.shape
    use = np.empty((dates, columns), np.bool_)
    sample = np.empty((dates, columns), np.int16)
    for y in range(rows):
        count[y] = 0
        for date in range(dates):
            for x in range(columns):
                use[date, x] = clear[date, y, x]
            for band in range(bands):
                for x in range(columns):
                    use[date, x] &= values[date, band, y, x] != NODATA
            for x in range(columns):
                count[y, x] += use[date, x]
        for band in range(bands):
            for date in range(dates):
                for x in range(columns):
                    # What is not used sorts to the end, past the last of `count` samples.
                    sample[date, x] = values[date, band, y, x] if use[date, x] else _LARGEST
            _sort_columns(sample)
            for x in range(columns):
                out[band, y, x] = _middle(sample, x, count[y, x])


@numba.njit(cache=True, nogil=True)
def _sort_columns(sample: NDArray[np.int16]) -> None:
    """Sort every column by exchanging neighbouring rows: no branches, so a whole row is worked on at once."""
    for last in range(sample.shape[0] - 1, 0, -1):
        for row in range(last):
            _exchange(sample[row], sample[row + 1])


@numba.njit(cache=True, nogil=True)
def _exchange(low: NDArray[np.int16], high: NDArray[np.int16]) -> None:
    for x in range(low.size):
        smaller, larger = min(low[x], high[x]), max(low[x], high[x])
        low[x] = smaller
        high[x] = larger


@numba.njit(cache=True, nogil=True)
def _middle(ordered: NDArray[np.int16], x: int, count: int) -> Any:
    if count == 0:
        return np.int16(NODATA)
    total = int(ordered[(count - 1) // 2, x]) + int(ordered[count // 2, x])
    half = total >> 1
    # An odd total ends in one half: up when the floor is odd.
    return np.int16(half + (total & half & 1))
