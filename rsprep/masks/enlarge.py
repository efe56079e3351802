"""Enlarge a picture, with pixels that have no data left out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def enlarge(
    image: NDArray[Any], shape: tuple[int, int], missing: NDArray[np.bool_], nodata: float | None
) -> NDArray[Any]:
    """Bilinear, at pixel centres; integers are rounded.

    Parameters
    ----------
    image : (bands, y, x).
    shape : rows and columns wanted, at least those of `image`: nothing is averaged here.
    missing : (y, x) True without data. A pixel that any of these weighs on has no data either.
    nodata : what stands for no data; NaN in floats.

    Returns
    -------
    (bands, *shape) in the image's dtype.
    """
    if shape[0] < image.shape[1] or shape[1] < image.shape[2]:
        raise ValueError(f"cannot enlarge {image.shape[1:]} to {shape}")
    values = np.where(missing, 0.0, image.astype(np.float64))
    gone = missing.astype(np.float64)[None]
    for axis, side in ((1, shape[0]), (2, shape[1])):
        values, gone = _stretch(values, axis, side), _stretch(gone, axis, side)
    out = np.rint(values) if image.dtype.kind in "iu" else values
    if missing.any():
        out = np.where(gone > 0, np.nan if nodata is None else nodata, out)
    return np.asarray(out.astype(image.dtype))


def _stretch(values: NDArray[np.float64], axis: int, side: int) -> NDArray[np.float64]:
    """Linear interpolation along one axis; pixels beyond the outermost centres take these."""
    count = values.shape[axis]
    at = np.clip((np.arange(side) + 0.5) * count / side - 0.5, 0, count - 1)
    first = np.minimum(at.astype(np.int64), count - 1)
    second = np.minimum(first + 1, count - 1)
    weight = (at - first).reshape([-1 if a == axis else 1 for a in range(values.ndim)])
    return np.asarray(values.take(first, axis) * (1 - weight) + values.take(second, axis) * weight)
