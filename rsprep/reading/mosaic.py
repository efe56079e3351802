"""From granules to one raster with one mask: read, warp, and lay on top of one another.

Sources are counted. A granule that should contribute and cannot be read either raises or, in the
collecting mode, comes back as a record that says which part of the target it would have filled.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from rsprep.errors import RsprepError
from rsprep.granule import Granule
from rsprep.reading.access import ReadPolicy, Sign
from rsprep.reading.bands import BandError, BandSpec, load_granule, read_bands
from rsprep.reading.control import ControlCache
from rsprep.reading.extent import footprint_region, target_region
from rsprep.reading.jit import compiled
from rsprep.reading.layer import Layer
from rsprep.reading.warp import fill_invalid
from rsprep.reading.windows import DEFAULT_POLICY

__all__ = [
    "BandSpec",
    "Collected",
    "FailedRead",
    "Mosaic",
    "load_granule",
    "load_granules",
    "load_mosaic",
    "mosaic",
    "reach",
]


@dataclass(frozen=True, kw_only=True)
class FailedRead:
    """A granule that should contribute to a target and could not be read."""

    granule_id: str
    band: str
    error: RsprepError
    """A ReadError, or the RasterError of a file that contradicts its item."""
    rows: slice
    """Rows of the target that the granule may have filled."""
    columns: slice
    """Columns of the target likewise."""


@dataclass(frozen=True, kw_only=True)
class Collected:
    """Every granule accounted for: read, failed, or without a pixel on the target."""

    layers: tuple[Layer, ...]
    granule_ids: tuple[str, ...]
    """Granules of `layers`, in the same order, which is the order that was asked for."""
    failed: tuple[FailedRead, ...]
    untouched: tuple[str, ...]
    """Granules that have no pixel on the target."""
    planned: int

    def __post_init__(self) -> None:
        if self.planned != len(self.layers) + len(self.failed) + len(self.untouched):
            raise ValueError("granules were lost between the plan and the read")


@dataclass(frozen=True, kw_only=True)
class Mosaic:
    """What :func:`load_mosaic` returns: one layer, and an account of every granule."""

    layer: Layer | None
    """None where no granule has a valid pixel."""
    granule_ids: tuple[str, ...]
    """Granules that gave pixels, in order."""
    failed: tuple[FailedRead, ...]
    untouched: tuple[str, ...]
    """Granules without a valid pixel where one was still missing."""
    unneeded: tuple[str, ...]
    """Granules that were not read, as those before them had filled the target."""


def load_granules(
    granules: Sequence[Granule],
    bands: Sequence[str],
    target: GeoBox,
    spec: BandSpec,
    *,
    controls: ControlCache | None = None,
    pool: Executor | None = None,
    sign: Sign | None = None,
    policy: ReadPolicy = DEFAULT_POLICY,
) -> Collected:
    """Read each of `granules` as :func:`load_granule` does, and collect failures instead of raising them."""
    controls = controls or ControlCache(target)
    layers: list[Layer] = []
    ids: list[str] = []
    failed: list[FailedRead] = []
    untouched: list[str] = []
    for granule in granules:
        try:
            layer = read_bands(granule, bands, target, spec, controls, pool, sign, policy)
        except BandError as failure:
            rows, columns = reach(granule, failure.band, target, controls)
            failed.append(
                FailedRead(granule_id=granule.id, band=failure.band, error=failure.error, rows=rows, columns=columns)
            )
            continue
        if layer is None:
            untouched.append(granule.id)
        else:
            layers.append(layer)
            ids.append(granule.id)
    return Collected(
        layers=tuple(layers),
        granule_ids=tuple(ids),
        failed=tuple(failed),
        untouched=tuple(untouched),
        planned=len(granules),
    )


def load_mosaic(
    granules: Sequence[Granule],
    bands: Sequence[str],
    target: GeoBox,
    spec: BandSpec,
    *,
    controls: ControlCache | None = None,
    pool: Executor | None = None,
    sign: Sign | None = None,
    policy: ReadPolicy = DEFAULT_POLICY,
) -> Mosaic:
    """Read granules in order until every pixel of the target is valid, and only where one is still missing.

    The pixels are those of ``mosaic(load_granules(...).layers)``; neighbouring tiles overlap widely, so
    much of what that would read and resample is never looked at. Failures are collected as there.
    """
    controls = controls or ControlCache(target)
    values: NDArray[Any] | None = None
    valid = np.zeros((int(target.shape[0]), int(target.shape[1])), np.bool_)
    used: list[str] = []
    failed: list[FailedRead] = []
    untouched: list[str] = []
    unneeded: list[str] = []
    for granule in granules:
        gap = controls.cell_bounds(_gap(valid))
        if gap is None:
            unneeded.append(granule.id)
            continue
        part = controls.cropped(*gap)
        try:
            layer = read_bands(granule, bands, part.target, spec, part, pool, sign, policy)
        except BandError as failure:
            rows, columns = reach(granule, failure.band, target, controls)
            failed.append(
                FailedRead(granule_id=granule.id, band=failure.band, error=failure.error, rows=rows, columns=columns)
            )
            continue
        if layer is None or not (layer.valid & ~valid[gap]).any():
            untouched.append(granule.id)
            continue
        used.append(granule.id)
        if values is None:
            values, valid = layer.values, layer.valid.copy()
        else:
            _lay_under(values[:, gap[0], gap[1]], valid[gap], layer.values, layer.valid)
    if values is not None:
        fill_invalid(values, valid, spec.nodata)
    return Mosaic(
        layer=None if values is None else Layer(values=values, valid=valid, bands=tuple(bands), grid=target),
        granule_ids=tuple(used),
        failed=tuple(failed),
        untouched=tuple(untouched),
        unneeded=tuple(unneeded),
    )


def _gap(valid: NDArray[np.bool_]) -> tuple[slice, slice] | None:
    """Rows and columns between which pixels are missing; None where none is."""
    if valid.all():
        return None
    rows, columns = np.flatnonzero(~valid.all(axis=1)), np.flatnonzero(~valid.all(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


@compiled
def _lay_under(values: Any, valid: Any, new_values: Any, new_valid: Any) -> None:
    """Fill pixels of `values` (bands, y, x) that are not valid from `new_values` where those are."""
    missing = np.empty(valid.shape[1], np.int64)
    for row in range(valid.shape[0]):
        count = 0
        for column in range(valid.shape[1]):
            if new_valid[row, column] and not valid[row, column]:
                missing[count] = column
                count += 1
                valid[row, column] = True
        for band in range(values.shape[0]):
            for k in range(count):
                values[band, row, missing[k]] = new_values[band, row, missing[k]]


def mosaic(layers: Sequence[Layer]) -> Layer:
    """Lay `layers` on one another: each pixel comes from the first layer in which it is valid.

    Raises ValueError where there is no layer, or where bands, grids or dtypes differ.
    """
    if not layers:
        raise ValueError("there is nothing to mosaic")
    first = layers[0]
    if len(layers) == 1:
        return first
    for layer in layers[1:]:
        if layer.bands != first.bands or layer.grid != first.grid or layer.values.dtype != first.values.dtype:
            raise ValueError(f"layers differ: {first.bands} {first.values.dtype}, {layer.bands} {layer.values.dtype}")
    if first.valid.all():
        return first
    values, valid = first.values.copy(), first.valid.copy()
    for layer in layers[1:]:
        _lay_under(values, valid, layer.values, layer.valid)
    return Layer(values=values, valid=valid, bands=first.bands, grid=first.grid)


def reach(granule: Granule, band: str, target: GeoBox, controls: ControlCache) -> tuple[slice, slice]:
    """Rows and columns of `target` that `band` of the granule may fill, by its declared grid or its footprint.

    Empty slices where it reaches none.
    """
    asset = granule.assets.get(band)
    if asset is not None and asset.grid is not None:
        region = target_region(asset.grid, controls.get(asset.grid), margin=3)
        return region if region is not None else (slice(0, 0), slice(0, 0))
    return footprint_region(granule.footprint, target) or (slice(0, 0), slice(0, 0))
