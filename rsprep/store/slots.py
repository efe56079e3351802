"""The committed slots of one variable, as an array that Dask can cut into pieces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

READ_THROUGH = 8
"""Slots without a chip that are read and thrown away rather than breaking a run in two."""


class CommittedSlots:
    """Some slots of a zarr array, in order, as if there were no others.

    Zarr looks a list of slots up one by one, which costs a hundred times what their pixels do. Here runs of
    neighbours are read in one piece each.

    Parameters
    ----------
    array : (slot, [bands], y, x).
    slots : ascending positions along its first axis.
    """

    def __init__(self, array: zarr.Array[Any], slots: NDArray[np.int64]) -> None:
        self._array = array
        self._slots = slots
        self.shape: tuple[int, ...] = (len(slots), *array.shape[1:])
        self.dtype = array.dtype
        self.ndim = array.ndim

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """As numpy has it, with at most one list."""
        first, *rest = key if isinstance(key, tuple) else (key,)
        if not all(isinstance(part, (int, np.integer, slice)) for part in rest):
            return np.asarray(self[first][(slice(None), *rest)])
        wanted = self._slots[first]
        if np.ndim(wanted) == 0:
            return np.asarray(self._array[(int(wanted), *rest)])
        ascending, back = np.unique(wanted, return_inverse=True)
        pixels = self._read(ascending, rest)
        return pixels if np.array_equal(ascending, wanted) else pixels[back]

    def _read(self, slots: NDArray[np.int64], rest: Sequence[Any]) -> NDArray[Any]:
        """Pixels of ascending slots, run by run."""
        if not len(slots):
            return np.asarray(self._array[(slice(0, 0), *rest)])
        parts = [
            np.asarray(self._array[(slice(int(run[0]), int(run[-1]) + 1), *rest)])[run - run[0]]
            for run in np.split(slots, np.flatnonzero(np.diff(slots) > READ_THROUGH) + 1)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)
