"""Which source pixels may be looked at, and a coarse summary that lets kernels skip the question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsprep.reading.jit import compiled

BLOCK_PX = 32
_NOTHING = np.zeros((1, 1), np.uint8)


@dataclass(frozen=True, kw_only=True)
class Validity:
    """Invalid pixels of a source window."""

    any_invalid: bool
    """False where every pixel of the window is valid; the arrays are placeholders then."""
    invalid: NDArray[np.uint8]
    """Shape of the window; 1 where the pixel must not be used."""
    blocks: NDArray[np.uint8]
    """One value for each BLOCK_PX by BLOCK_PX pixels; 1 where the block holds an invalid pixel."""


def find_invalid(values: NDArray[Any], nodata: float | None, valid: NDArray[np.bool_] | None = None) -> Validity:
    """Invalid pixels of `values` (y, x): nodata, not finite, or False in `valid`.

    Raises ValueError where `nodata` is no value of the array's dtype or `valid` has another shape.
    """
    if valid is not None and valid.shape != values.shape:
        raise ValueError(f"mask has shape {valid.shape}, values {values.shape}")
    sentinel = sentinel_for(values.dtype, nodata)
    mask = _NOTHING if valid is None else valid.view(np.uint8)
    has_sentinel = nodata is not None and not (isinstance(nodata, float) and np.isnan(nodata))
    blocks = np.zeros((-(-values.shape[0] // BLOCK_PX), -(-values.shape[1] // BLOCK_PX)), np.uint8)
    floating = values.dtype.kind == "f"
    _summarise(values, floating, has_sentinel, sentinel, valid is not None, mask, blocks)
    if not blocks.any():
        return Validity(any_invalid=False, invalid=_NOTHING, blocks=_NOTHING)
    invalid = np.empty(values.shape, np.uint8)
    _mark(values, floating, has_sentinel, sentinel, valid is not None, mask, invalid)
    return Validity(any_invalid=True, invalid=invalid, blocks=blocks)


def sentinel_for(dtype: np.dtype[Any], nodata: float | None) -> Any:
    """`nodata` as a scalar of `dtype`, zero where there is none; ValueError where it does not fit."""
    if nodata is None or dtype.kind == "f":
        return dtype.type(0 if nodata is None else nodata)
    limits = np.iinfo(dtype)
    if nodata != int(nodata) or not limits.min <= nodata <= limits.max:
        raise ValueError(f"nodata {nodata} is no value of {dtype}")
    return dtype.type(int(nodata))


@compiled
def _summarise(
    values: Any, floating: bool, has_sentinel: bool, sentinel: Any, has_mask: bool, mask: Any, blocks: Any
) -> None:
    height, width = values.shape
    for row in range(height):
        for block in range(blocks.shape[1]):
            first = block * BLOCK_PX
            last = min(first + BLOCK_PX, width)
            part = values[row, first:last]
            bad = np.int32(0)
            if has_sentinel:
                for k in range(part.size):
                    bad += np.int32(part[k] == sentinel)
            if floating:
                for k in range(part.size):
                    # NaN for NaN and for infinity, zero for all else; unlike isfinite it runs in vector registers.
                    rest = part[k] - part[k]
                    bad += np.int32(rest != rest)
            if has_mask:
                seen = mask[row, first:last]
                for k in range(seen.size):
                    bad += np.int32(seen[k] == 0)
            if bad > 0:
                blocks[row // BLOCK_PX, block] = 1


@compiled
def _mark(
    values: Any, floating: bool, has_sentinel: bool, sentinel: Any, has_mask: bool, mask: Any, invalid: Any
) -> None:
    height, width = values.shape
    for row in range(height):
        for column in range(width):
            bad = has_sentinel and values[row, column] == sentinel
            if floating:
                bad = bad or not np.isfinite(values[row, column])
            if has_mask:
                bad = bad or mask[row, column] == 0
            invalid[row, column] = bad
