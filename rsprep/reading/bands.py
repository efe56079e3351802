"""Bands of one granule on a target grid, under one mask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from rsprep.errors import RasterError
from rsprep.granule import Granule
from rsprep.reading.access import ReadPolicy, Sign
from rsprep.reading.control import ControlCache
from rsprep.reading.extent import outline
from rsprep.reading.layer import Layer
from rsprep.reading.warp import Resampling, fill_invalid, warp
from rsprep.reading.windows import DEFAULT_POLICY, file_grid, read_window

BAND_THREADS = 4
PLACED_SHARE = 0.5
"""Footprint and pixels of one granule that share less than this of the smaller of them contradict each other."""


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
    controls = controls or ControlCache(target)
    shape = (int(target.shape[0]), int(target.shape[1]))
    values: NDArray[Any] = np.empty((len(bands), *shape), np.dtype(spec.dtype))
    valid = np.ones(shape, np.bool_)

    def one(index: int) -> bool:
        return _load_band(granule, bands[index], target, spec, controls, sign, policy, values[index], valid)

    touched = _each(one, len(bands), pool)
    if not all(touched):
        if not any(touched):
            _check_place(granule, bands[0], target, sign, policy)
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
        raise no_asset(granule, band)
    window = read_window(
        asset, target, nodata=spec.nodata, dtype=spec.dtype, resampling=spec.resampling,
        controls=controls, sign=sign, policy=policy,
    )  # fmt: skip
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


def _check_place(granule: Granule, band: str, target: GeoBox, sign: Sign | None, policy: ReadPolicy) -> None:
    """A granule whose footprint meets the target, but none of whose pixels do, must at least lie on its footprint.

    The footprint alone is no witness: its straight edges in degrees leave the edges of a tile by tens of pixels.
    """
    footprint = granule.footprint
    if not isinstance(footprint, shapely.Polygon | shapely.MultiPolygon) or not footprint.intersects(outline(target)):
        return
    asset = granule.assets[band]
    grid = asset.grid or file_grid(asset, sign=sign, policy=policy)
    ground = outline(grid)
    shared = footprint.intersection(ground).area / min(footprint.area, ground.area)
    if shared < PLACED_SHARE:
        raise RasterError(
            "misplaced",
            f"the footprint of {granule.id} and its pixels share {shared:.0%} of the smaller of them",
            value=f"footprint {footprint.bounds}, pixels {ground.bounds}",
            remedy="the item's footprint or the file's transform is wrong: leave the granule out",
        )
