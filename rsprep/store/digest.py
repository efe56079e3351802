"""The fingerprint of a chip: what verify compares, and what tells two builds apart."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

DIGEST_BYTES = 16


def chip_digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    """BLAKE2b-128 over names, types, shapes and values of one chip's arrays, as hex.

    Equal pixels give equal digests: byte order, memory layout and the order of the mapping do not
    count, every NaN counts as one NaN and −0.0 as 0.0.

    Parameters
    ----------
    arrays : variable name to one chip's values, ([bands], y, x).
    """
    state = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for name in sorted(arrays):
        values = _canonical(np.asarray(arrays[name]))
        header = f"{name}\0{values.dtype.str}\0{values.shape}\0".encode()
        state.update(len(header).to_bytes(8, "little") + header)
        state.update(values.data)
    return state.hexdigest()


def _canonical(values: NDArray[Any]) -> NDArray[Any]:
    values = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"), copy=False)
    if values.dtype.kind == "f":
        values = np.where(np.isnan(values), values.dtype.type(np.nan), values)
        values[values == 0] = 0  # −0.0, too
    return values
