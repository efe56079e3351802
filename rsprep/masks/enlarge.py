"""Enlarge a picture or bring it to a smaller grid, with pixels that have no data left out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_NOTHING = 1e-9
"""Weights below this are rounding."""


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
    return fit(image, shape, missing, nodata)


def fit(image: NDArray[Any], shape: tuple[int, int], missing: NDArray[np.bool_], nodata: float | None) -> NDArray[Any]:
    """An image on another grid over the same ground: averaged over areas where a side shrinks, bilinear where it grows.

    Parameters, returns : as :func:`enlarge`, with `shape` as one likes. Averages weigh each pixel by how much of
    it lies under the new one, so a side need not shrink by a whole number.
    """
    values = np.where(missing, 0.0, image.astype(np.float64))
    gone = missing.astype(np.float64)[None]
    for axis, side in ((1, shape[0]), (2, shape[1])):
        change = _average if side < values.shape[axis] else _stretch
        values, gone = change(values, axis, side), change(gone, axis, side)
    out = np.rint(values) if image.dtype.kind in "iu" else values
    if missing.any():
        out = np.where(gone > _NOTHING, np.nan if nodata is None else nodata, out)
    return np.asarray(out.astype(image.dtype))


def _average(values: NDArray[np.float64], axis: int, side: int) -> NDArray[np.float64]:
    """Means along one axis over `side` equal parts, whose edges may lie within pixels."""
    count = values.shape[axis]
    edges = np.arange(side + 1) * (count / side)
    at = np.arange(count)[:, None]
    inside = np.clip(np.minimum(edges[1:], at + 1) - np.maximum(edges[:-1], at), 0, None)  # (pixel, part)
    return np.moveaxis(np.moveaxis(values, axis, -1) @ (inside * (side / count)), -1, axis)


def _stretch(values: NDArray[np.float64], axis: int, side: int) -> NDArray[np.float64]:
    """Linear interpolation along one axis; pixels beyond the outermost centres take these."""
    count = values.shape[axis]
    at = np.clip((np.arange(side) + 0.5) * count / side - 0.5, 0, count - 1)
    first = np.minimum(at.astype(np.int64), count - 1)
    second = np.minimum(first + 1, count - 1)
    weight = (at - first).reshape([-1 if a == axis else 1 for a in range(values.ndim)])
    return np.asarray(values.take(first, axis) * (1 - weight) + values.take(second, axis) * weight)
