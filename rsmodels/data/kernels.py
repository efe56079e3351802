"""Loops over pixels that run outside Python's lock."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(cache=True, nogil=True, error_model="numpy")
def known(
    raw: NDArray[Any], has_nodata: bool, nodata: Any, use_clear: bool, clear: NDArray[np.uint8], valid: Any
) -> None:
    """`valid` (y, x): True where every band of `raw` (bands, y, x) has data and, if asked, `clear` is 1."""
    for y in range(raw.shape[1]):
        for x in range(raw.shape[2]):
            valid[y, x] = clear[y, x] == 1 if use_clear else True
    for band in range(raw.shape[0]):
        for y in range(raw.shape[1]):
            for x in range(raw.shape[2]):
                value = raw[band, y, x]
                # The difference of a float with itself is 0 only where it is finite.
                valid[y, x] = valid[y, x] & (value - value == 0) & (not (has_nodata and value == nodata))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def affine(
    raw: NDArray[Any], has_nodata: bool, nodata: Any, use_clear: bool, clear: NDArray[np.uint8],
    gain: NDArray[np.float32], bias: NDArray[np.float32], root: bool, out: NDArray[np.float32], valid: Any,
) -> None:  # fmt: skip
    """`out` = v = `raw` · `gain` + `bias` a band, or 2 sign(v) sqrt(abs(v)) − 1; 0 where it is not :func:`known`."""
    known(raw, has_nodata, nodata, use_clear, clear, valid)
    for band in range(raw.shape[0]):
        for y in range(raw.shape[1]):
            for x in range(raw.shape[2]):
                scaled = np.float32(raw[band, y, x]) * gain[band] + bias[band]
                if root:
                    bent = np.sqrt(abs(scaled))
                    scaled = np.float32(2) * (bent if scaled > 0 else -bent) - np.float32(1)
                out[band, y, x] = scaled if valid[y, x] else np.float32(0)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def count_codes(raw: NDArray[Any], lowest: int, valid: Any, counts: NDArray[np.int64]) -> None:
    """Add the valid pixels of integer `raw` (bands, y, x) to `counts` (bands, values from `lowest` on)."""
    for band in range(raw.shape[0]):
        for y in range(raw.shape[1]):
            for x in range(raw.shape[2]):
                if valid[y, x]:
                    counts[band, np.int64(raw[band, y, x]) - lowest] += 1
