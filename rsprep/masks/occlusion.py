"""Occlusion pairs: a clean image, a mask of what hides it, and what is seen instead.

Paper C (``c2f-inpainting-maskmix.txt``), section IV-A: for each image one mask is picked, rotated,
translated and resized at random so that it covers 15 to 60 % of the image, and laid over it. What is
seen where the mask is 1 is one value a band, or the pixels of a real cloud.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

_CORRECTIONS = 6
"""Times that the size of a mask is put right for what the frame cuts off."""
_NEAR = 0.005
"""Share of the image by which the hidden area may miss the drawn one."""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Least and largest share of an image that may be hidden, both included."""

    low: float = 0.15
    high: float = 0.60

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high <= 1:
            raise ValueError(f"shares go from 0 to 1, the lower one first: got {self.low}, {self.high}")

    def hold(self, ratio: float) -> bool:
        """True for a share within the bounds."""
        return self.low <= ratio <= self.high


@dataclass(frozen=True, kw_only=True)
class Placing:
    """How far a mask may be moved from where it was drawn."""

    rotate: float = 180.0
    """Largest turn to either side, degrees."""
    shift: float = 1 / 3
    """Largest distance of the shape's middle from the image's, as a share of the image's side."""
    zoom: tuple[float, float] = (0.25, 4.0)
    """Least and largest factor on its size; beyond it single pixels of the mask would show as squares."""


def occlude(image: NDArray[Any], mask: NDArray[Any], fill: ArrayLike) -> NDArray[Any]:
    """`image` with `fill` where `mask` is 1; every other pixel is the same bit for bit.

    Parameters
    ----------
    image : (bands, y, x) of any dtype.
    mask : (y, x) of 0 and 1.
    fill : one number, one a band, or pixels (bands, y, x) of which those under the mask are taken. All of them
        must fit the image's dtype exactly.

    Returns
    -------
    A new array like `image`.
    """
    hidden = _binary(mask)
    if image.ndim != 3 or image.shape[1:] != hidden.shape:
        raise ValueError(f"cannot lay a mask of shape {hidden.shape} on an image of shape {image.shape}")
    values = np.asarray(fill)
    if values.ndim == 3 and values.shape == image.shape:
        values = values[:, hidden]
    elif values.ndim <= 1 and values.size in (1, len(image)):
        values = values.reshape(-1, 1)
    else:
        raise ValueError(f"cannot fill an image of shape {image.shape} with values of shape {values.shape}")
    occluded = image.copy()
    occluded[:, hidden] = _exactly(values, image.dtype)
    return occluded


def missing_pixels(image: NDArray[Any], nodata: float | None) -> NDArray[np.bool_]:
    """(y, x) True where a band of `image` (bands, y, x) has no data: `nodata`, or NaN."""
    missing = np.zeros(image.shape[1:], np.bool_)
    if nodata is not None and not math.isnan(nodata):
        missing |= (image == nodata).any(axis=0)
    if image.dtype.kind == "f":
        missing |= np.isnan(image).any(axis=0)
    return missing


def area_ratio(mask: NDArray[Any], missing: NDArray[np.bool_] | None = None) -> float:
    """Share of the pixels with data that `mask` (y, x) hides; 0 where there are none.

    Parameters
    ----------
    missing : (y, x) True for pixels without data; they count neither as hidden nor as seen.
    """
    hidden = _binary(mask)
    if missing is None:
        return float(hidden.mean()) if hidden.size else 0.0
    seen = hidden.size - int(missing.sum())
    return int((hidden & ~missing).sum()) / seen if seen else 0.0


# -- placing a mask -------------------------------------------------------------------------------


def can_meet(area_px: int, shape: tuple[int, int], bounds: Bounds, placing: Placing) -> bool:
    """True where a shape of `area_px` pixels can be resized so that it hides as much of `shape` as asked for."""
    pixels = shape[0] * shape[1]
    smallest, largest = (area_px * factor**2 for factor in placing.zoom)
    return area_px > 0 and largest >= max(bounds.low * pixels, 1) and smallest <= bounds.high * pixels


def place(
    seed: NDArray[Any], shape: tuple[int, int], rng: np.random.Generator, bounds: Bounds, placing: Placing
) -> NDArray[np.uint8]:
    """One draw of a mask turned, resized and moved; nearest neighbour, so it stays binary.

    Angle and place are drawn, and a share that is uniform within `bounds`; then the size is sought at which
    that share is hidden, with what the frame cuts off. Where `placing.zoom` does not allow it, or the
    shape's pixels are too coarse, it may miss: the caller looks at :func:`area_ratio` and draws again.

    Parameters
    ----------
    seed : (y, x) of 0 and 1, of any size, at least one pixel of it 1.
    shape : rows and columns of the image.

    Returns
    -------
    (y, x) uint8 of `shape`, 0 and 1.
    """
    ones = _binary(seed)
    rows, columns = np.flatnonzero(ones.any(axis=1)), np.flatnonzero(ones.any(axis=0))
    if not rows.size:
        raise ValueError("an empty mask cannot be placed")
    share, turn, down, right = rng.uniform(size=4).tolist()
    angle = math.radians((2 * turn - 1) * placing.rotate)
    middle = (rows[0] + rows[-1] + 1) / 2, (columns[0] + columns[-1] + 1) / 2
    target_y, target_x = (
        (0.5 + (2 * part - 1) * placing.shift) * side for part, side in zip((down, right), shape, strict=True)
    )
    wanted = (bounds.low + share * (bounds.high - bounds.low)) * shape[0] * shape[1]
    zoom = math.sqrt(wanted / int(ones.sum()))
    out = np.zeros(shape, np.uint8)
    for _ in range(_CORRECTIONS):
        zoom = min(max(zoom, placing.zoom[0]), placing.zoom[1])
        _gather(ones, out, math.cos(angle) / zoom, math.sin(angle) / zoom, target_y, target_x, middle[0], middle[1])
        hidden = int(out.sum())
        if hidden and abs(hidden - wanted) <= _NEAR * out.size:
            break
        zoom *= math.sqrt(wanted / max(hidden, 1))
    return out


@numba.njit(cache=True, nogil=True)
def _gather(
    seed: Any, out: Any, cos: float, sin: float, to_y: float, to_x: float, from_y: float, from_x: float
) -> None:
    """Each pixel of `out` takes the pixel of `seed` under its centre, and 0 beyond the seed's frame."""
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            dy, dx = y + 0.5 - to_y, x + 0.5 - to_x
            row = math.floor(from_y + cos * dy + sin * dx)
            column = math.floor(from_x - sin * dy + cos * dx)
            inside = 0 <= row < seed.shape[0] and 0 <= column < seed.shape[1]
            out[y, x] = seed[row, column] if inside else 0


# -- pasting real clouds --------------------------------------------------------------------------


def cover_offsets(mask: NDArray[Any], cloud: NDArray[Any]) -> NDArray[np.int64]:
    """Where the shape of `mask` lies on nothing but cloud.

    Parameters
    ----------
    mask : (y, x) of 0 and 1, at least one of them 1.
    cloud : (rows, columns) of 0 and 1, where a scene is cloud; of any size.

    Returns
    -------
    (n, 2) rows and columns: pixel (y, x) of the mask on pixel (y + row, x + column) of the scene. Rows and columns
    may be negative, since only the mask's ones must lie within the scene. Empty where it fits nowhere.
    """
    hidden, bright = _binary(mask), _binary(cloud)
    rows, columns = np.flatnonzero(hidden.any(axis=1)), np.flatnonzero(hidden.any(axis=0))
    if not rows.size:
        raise ValueError("an empty mask lies on anything")
    shape = hidden[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    room = bright.shape[0] - shape.shape[0] + 1, bright.shape[1] - shape.shape[1] + 1
    if min(room) < 1:
        return np.empty((0, 2), np.int64)
    # Cross-correlation: how many pixels of the shape lie on cloud, for every offset at once.
    spectrum = np.fft.rfft2(bright.astype(np.float64)) * np.conj(np.fft.rfft2(shape.astype(np.float64), bright.shape))
    on_cloud = np.fft.irfft2(spectrum, bright.shape)[: room[0], : room[1]]
    found = np.argwhere(on_cloud > int(shape.sum()) - 0.5)
    return np.asarray(found - np.array([rows[0], columns[0]]), np.int64)


def cut_patch(scene: NDArray[Any], offset: tuple[int, int], mask: NDArray[Any], image: NDArray[Any]) -> NDArray[Any]:
    """Pixels to give :func:`occlude` as fill: of `scene` under the mask, of `image` elsewhere.

    Parameters
    ----------
    scene : (bands, rows, columns) with cloud under all of the mask at `offset`, from :func:`cover_offsets`.
    mask : (y, x) of 0 and 1.
    image : (bands, y, x).
    """
    patch = image.copy()
    at_y, at_x = np.nonzero(_binary(mask))
    patch[:, at_y, at_x] = scene[:, at_y + offset[0], at_x + offset[1]]
    return patch


def _binary(mask: NDArray[Any]) -> NDArray[np.bool_]:
    if mask.ndim != 2:
        raise ValueError(f"a mask has the shape (y, x), got {mask.shape}")
    if mask.dtype == np.bool_:
        return mask
    if mask.size and not ((mask == 0) | (mask == 1)).all():
        raise ValueError("a mask holds 0 and 1 only")
    return np.asarray(mask, np.bool_)


def _exactly(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    with np.errstate(invalid="ignore"):
        cast = values.astype(dtype)
    if not np.array_equal(cast, values, equal_nan=dtype.kind == "f"):
        raise ValueError(f"{dtype} cannot hold {values.ravel()[:8].tolist()}")
    return cast
