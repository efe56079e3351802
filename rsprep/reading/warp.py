"""Take an array from its own grid to a target grid. Knows arrays and grids only.

The cheapest exact way is chosen: aligned lattices are pasted bit for bit, parallel ones are resampled
row by row, all others go through a control grid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from rsprep.reading import kernels, separable
from rsprep.reading.control import ControlGrid, crs_of, pixel_lengths
from rsprep.reading.validity import Validity, find_invalid

Resampling = Literal["nearest", "bilinear", "cubic", "average"]
Method = Literal["paste", "parallel", "control"]

PASTE_TOLERANCE_PX = 1e-3
"""Lattices closer than this everywhere count as one lattice."""
PARALLEL_TOLERANCE_PX = 1e-6
AVERAGE_FROM = 1.5
"""Continuous bands are averaged rather than interpolated where a target pixel is this many source pixels wide."""
EXACT_IN_FLOAT32 = ("u1", "i1", "u2", "i2", "f4")


@dataclass(frozen=True, kw_only=True)
class Warped:
    """What :func:`warp` returns."""

    values: NDArray[Any]
    """Shape (y, x) of the target, or (bands, y, x), in the dtype of the source."""
    valid: NDArray[np.bool_]
    """Shape (y, x); True where the source pixel under the target's centre is valid in every band."""
    method: Method
    """How the pixels came here: pasted, resampled along parallel axes, or through a control grid."""
    shift: tuple[float, float]
    """How far values lie from their true place along (x, y), in source pixels. Zero for interpolating
    kernels; for a paste or a nearest copy on an equal lattice it is the offset that was rounded away."""


@dataclass(frozen=True, kw_only=True)
class Relation:
    """How a target grid lies in a source grid of the same CRS."""

    to_source: Affine
    """Target pixel coordinates to source pixel coordinates."""
    parallel: bool
    """True where rows lie along rows and columns along columns (either direction)."""
    paste: tuple[int, int] | None
    """Row and column of the source under the target's first pixel where the two lattices are one."""
    residual: tuple[float, float]
    """Offset (x, y) of lattices of equal resolution from whole source pixels, in -0.5..0.5; zero for others."""


def relate(source: GeoBox, target: GeoBox) -> Relation | None:
    """Relation of two grids in one CRS; None where their CRS differ."""
    if source.crs != target.crs:
        return None
    m: Affine = ~source.affine * target.affine
    height, width = int(target.shape[0]), int(target.shape[1])
    parallel = abs(m.b) * height < PARALLEL_TOLERANCE_PX and abs(m.d) * width < PARALLEL_TOLERANCE_PX
    equal = parallel and abs(m.a - 1) * width < PASTE_TOLERANCE_PX and abs(m.e - 1) * height < PASTE_TOLERANCE_PX
    if not equal:
        return Relation(to_source=m, parallel=parallel, paste=None, residual=(0.0, 0.0))
    residual = (m.c - round(m.c), m.f - round(m.f))
    corners = [abs(value) for value in (*residual, residual[0] + (m.a - 1) * width, residual[1] + (m.e - 1) * height)]
    paste = (round(m.f), round(m.c)) if max(corners) <= PASTE_TOLERANCE_PX else None
    return Relation(to_source=m, parallel=True, paste=paste, residual=residual)


def suited(resampling: Resampling, source: GeoBox, control: ControlGrid) -> Resampling:
    """`average` instead of an interpolating kernel where the target is coarser by AVERAGE_FROM or more."""
    if resampling in ("nearest", "average"):
        return resampling
    target_size, source_size = control.pixel_size(), pixel_lengths(source)
    ratio = min(target_size[0] / source_size[0], target_size[1] / source_size[1])
    return "average" if ratio >= AVERAGE_FROM - 1e-6 else resampling


def support(resampling: Resampling, source: GeoBox, control: ControlGrid) -> int:
    """Source pixels that a kernel needs around the area that a target covers."""
    if resampling == "average":
        target_size, source_size = control.pixel_size(), pixel_lengths(source)
        return 2 + math.ceil(max(target_size[0] / source_size[0], target_size[1] / source_size[1]))
    return {"nearest": 1, "bilinear": 2, "cubic": 3}[resampling]


def warp(
    values: NDArray[Any],
    source: GeoBox,
    target: GeoBox,
    *,
    resampling: Resampling,
    nodata: float | None,
    valid: NDArray[np.bool_] | None = None,
    control: ControlGrid | None = None,
    categorical: bool = False,
    out: NDArray[Any] | None = None,
    out_valid: NDArray[np.bool_] | None = None,
) -> Warped:
    """Resample `values` from `source` to `target`.

    Parameters
    ----------
    values : array (y, x) or (bands, y, x) on `source`; 8- or 16-bit integers or float32. Nearest takes any dtype.
    nodata : value that marks missing pixels; None where only NaN, infinity and `valid` mark them.
    valid : optional mask (y, x) on `source`, False for pixels that must not be used.
    control : control grid for (source CRS, target); built here if absent.
    categorical : True for classes and bit fields; any kernel but nearest is refused for them.
    out : array to fill, shape of the result and dtype of `values`.
    out_valid : mask (y, x) on `target` to clear where a pixel has no valid source. It is never set to
        True here, so bands that share it end with the pixels valid in all of them, and invalid pixels
        of `out` are left to :func:`fill_invalid` once all bands are done.

    Returns
    -------
    Warped
        Invalid pixels hold `nodata`, or NaN for floats and 0 for integers where there is none. Integers
        are rounded half away from zero and clipped to the range of their dtype.

    Raises
    ------
    ValueError : shapes, dtypes or the kernel do not fit.
    """
    bands = values[None] if values.ndim == 2 else values
    _check(bands, source, resampling, categorical)
    shape = (int(target.shape[0]), int(target.shape[1]))
    whole_shape = (*values.shape[:-2], *shape)
    if out is None:
        out = np.empty(whole_shape, values.dtype)
    shared = np.ones(shape, np.bool_) if out_valid is None else out_valid
    if out.shape != whole_shape or out.dtype != values.dtype or shared.shape != shape:
        raise ValueError(f"output has shape {out.shape} and dtype {out.dtype}, expected {whole_shape}, {values.dtype}")
    relation = relate(source, target)
    method = _method(relation, resampling)
    if method == "control" and control is None:
        control = ControlGrid.build(crs_of(source), target, source_resolution=pixel_lengths(source))
    for band, band_out in zip(bands, out[None] if values.ndim == 2 else out, strict=True):
        band = np.ascontiguousarray(band)
        validity = find_invalid(band, nodata, valid)
        if relation is not None and relation.paste is not None:
            _paste(band, validity, relation.paste, band_out, shared)
        elif relation is not None and method == "parallel":
            _parallel(band, validity, relation.to_source, resampling, band_out, shared)
        elif control is not None:
            _through_control(band, validity, source, control, resampling, band_out, shared)
    if out_valid is None:
        fill_invalid(out, shared, nodata)
    moved = relation is not None and (method == "paste" or resampling == "nearest")
    return Warped(values=out, valid=shared, method=method, shift=relation.residual if relation and moved else (0, 0))


def _method(relation: Relation | None, resampling: Resampling) -> Method:
    if relation is not None and relation.paste is not None:
        return "paste"
    if relation is not None and relation.parallel and resampling in ("nearest", "bilinear"):
        return "parallel"
    return "control"


def fill_invalid(values: NDArray[Any], valid: NDArray[np.bool_], nodata: float | None) -> None:
    """Put `nodata` (NaN or 0 without one) into `values` (..., y, x) wherever `valid` is False."""
    if valid.all():
        return
    fill = nodata if nodata is not None else (np.nan if values.dtype.kind == "f" else 0)
    np.copyto(values, values.dtype.type(fill), where=~valid)


def _check(bands: NDArray[Any], source: GeoBox, resampling: Resampling, categorical: bool) -> None:
    if bands.ndim != 3 or bands.shape[1:] != (int(source.shape[0]), int(source.shape[1])):
        raise ValueError(f"values have shape {bands.shape}, their grid {tuple(source.shape)}")
    if categorical and resampling != "nearest":
        raise ValueError(f"classes can only be resampled by nearest, not by {resampling}")
    if resampling not in ("nearest", "bilinear", "cubic", "average"):
        raise ValueError(f"unknown resampling {resampling!r}; use nearest, bilinear, cubic or average")
    if resampling != "nearest" and bands.dtype.str[1:] not in EXACT_IN_FLOAT32:
        raise ValueError(f"{resampling} takes 8- and 16-bit integers and float32, not {bands.dtype}")


def _paste(
    band: NDArray[Any], validity: Validity, at: tuple[int, int], out: NDArray[Any], valid: NDArray[np.bool_]
) -> None:
    height, width = out.shape
    top, left = max(0, -at[0]), max(0, -at[1])
    bottom, right = min(height, band.shape[0] - at[0]), min(width, band.shape[1] - at[1])
    if bottom <= top or right <= left:
        valid[:] = False
        return
    here = (slice(top, bottom), slice(left, right))
    there = (slice(top + at[0], bottom + at[0]), slice(left + at[1], right + at[1]))
    out[here] = band[there]
    valid[:top], valid[bottom:] = False, False
    valid[:, :left], valid[:, right:] = False, False
    if validity.any_invalid:
        valid[here] &= validity.invalid[there] == 0


def _parallel(
    band: NDArray[Any],
    validity: Validity,
    to_source: Affine,
    resampling: Resampling,
    out: NDArray[Any],
    valid: NDArray[np.bool_],
) -> None:
    x = separable.positions(to_source.a, to_source.c, out.shape[1])
    y = separable.positions(to_source.e, to_source.f, out.shape[0])
    near_x, near_y = separable.nearest_index(x, band.shape[1]), separable.nearest_index(y, band.shape[0])
    state = (band, validity.invalid, validity.any_invalid)
    if resampling == "nearest":
        separable.nearest_separable(*state, near_y, near_x, out, valid)
        return
    columns, column_weights = separable.linear_index(x, band.shape[1])
    rows, row_weights = separable.linear_index(y, band.shape[0])
    separable.bilinear_separable(
        *state, near_y, near_x, rows, row_weights, columns, column_weights, out, valid, *storage(band.dtype)
    )


def _through_control(
    band: NDArray[Any],
    validity: Validity,
    source: GeoBox,
    control: ControlGrid,
    resampling: Resampling,
    out: NDArray[Any],
    valid: NDArray[np.bool_],
) -> None:
    node_x, node_y = control.pixels_in(source)
    arguments = (
        band, validity.invalid, validity.any_invalid, validity.blocks,
        control.rows, control.columns, node_x, node_y, out, valid,
    )  # fmt: skip
    if resampling == "nearest":
        kernels.nearest(*arguments)
    elif resampling == "bilinear":
        kernels.bilinear(*arguments, *storage(band.dtype))
    elif resampling == "cubic":
        kernels.cubic(*arguments, *storage(band.dtype))
    else:
        kernels.average(*arguments, *storage(band.dtype))


def storage(dtype: np.dtype[Any]) -> tuple[bool, float, float]:
    """Whether values are rounded to integers, and the range they are clipped to."""
    if dtype.kind == "f":
        return False, 0.0, 0.0
    limits = np.iinfo(dtype)
    return True, float(limits.min), float(limits.max)
