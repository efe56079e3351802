"""From granules to one raster with one mask: read, warp, and lay on top of one another.

Sources are counted. A granule that should contribute and cannot be read either raises or, in the
collecting mode, comes back as a record that says which part of the target it would have filled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.geom import Geometry

from rsprep.errors import RasterError, ReadError, RsprepError
from rsprep.granule import Granule
from rsprep.reading.access import ReadPolicy, Sign
from rsprep.reading.control import ControlCache, crs_of
from rsprep.reading.extent import target_region
from rsprep.reading.layer import Layer
from rsprep.reading.warp import Resampling, fill_invalid, warp
from rsprep.reading.windows import DEFAULT_POLICY, read_window

BAND_THREADS = 4
MISPLACED_SHARE = 0.05
"""A footprint that covers more of the target than this must have pixels there."""


@dataclass(frozen=True, kw_only=True)
class BandSpec:
    """What the source definition says about the bands that are read together."""

    dtype: str
    """Pixel type of the files, as in ``"uint16"``."""
    nodata: float | None
    """Value of missing pixels; None where only NaN or nothing marks them."""
    resampling: Resampling = "bilinear"
    """Kernel. Interpolating kernels give way to the area average where the target is much coarser."""
    categorical: bool = False
    """True for classes and bit fields, which are only ever copied."""

    def __post_init__(self) -> None:
        if self.categorical and self.resampling != "nearest":
            raise ValueError(f"classes can only be resampled by nearest, not by {self.resampling}")


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


class _BandError(Exception):
    def __init__(self, band: str, error: RsprepError) -> None:
        super().__init__(band, error)
        self.band = band
        self.error = error


def load_granule(
    granule: Granule,
    bands: Sequence[str],
    target: GeoBox,
    spec: BandSpec,
    *,
    controls: ControlCache | None = None,
    pool: Executor | None = None,
    sign: Sign | None = None,
    policy: ReadPolicy = DEFAULT_POLICY,
) -> Layer | None:
    """Read `bands` of one granule onto `target`.

    A band is warped as soon as it is decoded, so that few source windows are in memory at a time.

    Parameters
    ----------
    controls : control grids of this target, shared by everything that is read for it.
    pool : where bands are read concurrently; must not be the pool this call itself runs in, which
        would wait for itself. A small one of its own by default.
    sign, policy : see :func:`rsprep.reading.windows.read_window`.

    Returns
    -------
    Layer or None
        Values in the files' dtype, `spec.nodata` (NaN or 0 without one) where any band is missing;
        None where no pixel of the target is valid.

    Raises
    ------
    ReadError, RasterError : a band could not be read, or its file contradicts its item.
    """
    try:
        return _load(granule, bands, target, spec, controls or ControlCache(target), pool, sign, policy)
    except _BandError as failure:
        raise failure.error from None


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
            layer = _load(granule, bands, target, spec, controls, pool, sign, policy)
        except _BandError as failure:
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
    values, valid = first.values.copy(), first.valid.copy()
    for layer in layers[1:]:
        missing = layer.valid & ~valid
        if missing.any():
            for band in range(len(first.bands)):
                np.copyto(values[band], layer.values[band], where=missing)
            valid |= missing
    return Layer(values=values, valid=valid, bands=first.bands, grid=first.grid)


def reach(granule: Granule, band: str, target: GeoBox, controls: ControlCache) -> tuple[slice, slice]:
    """Rows and columns of `target` that `band` of the granule may fill, by its declared grid or its footprint.

    Empty slices where it reaches none; the whole target where nothing is known.
    """
    asset = granule.assets.get(band)
    if asset is not None and asset.grid is not None:
        region = target_region(asset.grid, controls.get(asset.grid), margin=3)
        return region if region is not None else (slice(0, 0), slice(0, 0))
    height, width = int(target.shape[0]), int(target.shape[1])
    outline = target.extent.to_crs("EPSG:4326", resolution=target.extent.length / 64).geom
    if not granule.footprint.intersects(outline):
        return slice(0, 0), slice(0, 0)
    shared = granule.footprint.intersection(outline)
    left, bottom, right, top = Geometry(shared, "EPSG:4326").to_crs(crs_of(target)).geom.bounds
    corners = [~target.affine * corner for corner in ((left, top), (right, top), (left, bottom), (right, bottom))]
    columns, rows = [corner[0] for corner in corners], [corner[1] for corner in corners]
    return (
        slice(max(0, int(min(rows)) - 3), min(height, int(max(rows)) + 4)),
        slice(max(0, int(min(columns)) - 3), min(width, int(max(columns)) + 4)),
    )


def _load(
    granule: Granule,
    bands: Sequence[str],
    target: GeoBox,
    spec: BandSpec,
    controls: ControlCache,
    pool: Executor | None,
    sign: Sign | None,
    policy: ReadPolicy,
) -> Layer | None:
    shape = (int(target.shape[0]), int(target.shape[1]))
    values: NDArray[Any] = np.empty((len(bands), *shape), np.dtype(spec.dtype))
    valid = np.ones(shape, np.bool_)

    def one(index: int) -> bool:
        return _load_band(granule, bands[index], target, spec, controls, sign, policy, values[index], valid)

    touched = _each(one, len(bands), pool)
    if not all(touched):
        if not any(touched):
            _check_place(granule, bands[0], target)
        return None
    if not valid.any():
        return None
    fill_invalid(values, valid, spec.nodata)
    return Layer(values=values, valid=valid, bands=tuple(bands), grid=target)


def _each(task: Callable[[int], bool], count: int, pool: Executor | None) -> list[bool]:
    if count == 1:
        return [task(0)]
    if pool is not None:
        return list(pool.map(task, range(count)))
    with ThreadPoolExecutor(min(BAND_THREADS, count)) as own:
        return list(own.map(task, range(count)))


def _load_band(
    granule: Granule,
    band: str,
    target: GeoBox,
    spec: BandSpec,
    controls: ControlCache,
    sign: Sign | None,
    policy: ReadPolicy,
    values: NDArray[Any],
    valid: NDArray[np.bool_],
) -> bool:
    """Fill `values` and clear `valid`; False where the file does not touch the target."""
    asset = granule.assets.get(band)
    if asset is None:
        raise _BandError(band, no_asset(granule, band))
    try:
        window = read_window(
            asset, target, nodata=spec.nodata, dtype=spec.dtype, resampling=spec.resampling,
            controls=controls, sign=sign, policy=policy,
        )  # fmt: skip
    except (ReadError, RasterError) as error:
        raise _BandError(band, error) from None
    if window is None:
        return False
    warp(
        window.values, window.grid, target, resampling=window.resampling, nodata=spec.nodata,
        control=controls.get(window.file_grid),
        categorical=spec.categorical, out=values, out_valid=valid,
    )  # fmt: skip
    return True


def no_asset(granule: Granule, band: str) -> RasterError:
    """The error for a granule whose source definition promises `band` and whose item has no such asset."""
    return RasterError(
        "no-asset",
        f"granule {granule.id} lacks the asset for {band}",
        value=", ".join(granule.assets),
        remedy="correct the assets in the source definition",
    )


def _check_place(granule: Granule, band: str, target: GeoBox) -> None:
    outline = target.extent.to_crs("EPSG:4326", resolution=target.extent.length / 64).geom
    if not isinstance(granule.footprint, shapely.Polygon | shapely.MultiPolygon):
        return
    share = granule.footprint.intersection(outline).area / outline.area
    if share > MISPLACED_SHARE:
        raise _BandError(
            band,
            RasterError(
                "misplaced",
                f"the footprint of {granule.id} covers {share:.0%} of the target, its pixels none of it",
                value=str(granule.footprint.bounds),
                remedy="the item's footprint or the file's transform is wrong: leave the granule out",
            ),
        )
