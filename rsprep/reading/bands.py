"""Bands of one granule on a target grid, under one mask."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from rsprep.errors import RasterError
from rsprep.granule import Asset, Granule
from rsprep.reading.access import Access
from rsprep.reading.control import ControlCache
from rsprep.reading.extent import outline
from rsprep.reading.layer import Layer
from rsprep.reading.spec import BandSpec
from rsprep.reading.warp import fill_invalid, warp
from rsprep.reading.window import Window

PLACED_SHARE = 0.5
"""Footprint and pixels of one granule that share less than this of the smaller of them contradict each other."""


def load_granule(
    granule: Granule,
    bands: Sequence[str],
    target: GeoBox,
    spec: BandSpec,
    *,
    access: Access,
    controls: ControlCache | None = None,
    pool: Executor | None = None,
) -> Layer | None:
    """Read `bands` of one granule onto `target`.

    A band is warped as soon as it is decoded, so that few source windows are in memory at a time.

    Parameters
    ----------
    access : where the granule's pixels come from.
    controls : control grids of this target, shared by everything that is read for it.
    pool : see :meth:`rsprep.reading.access.Access.read`.

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
    touched = [False] * len(bands)

    def onto_target(index: int, window: Window | None) -> None:
        if window is None:
            return
        touched[index] = True
        warp(
            window.values, window.grid, target, resampling=window.resampling, nodata=spec.nodata,
            control=controls.get(window.file_grid),
            categorical=spec.categorical, out=values[index], out_valid=valid,
        )  # fmt: skip

    assets = [asset_of(granule, band) for band in bands]
    access.read(assets, spec, controls, onto_target, pool=pool)
    if not all(touched):
        if not any(touched):
            _check_place(granule, assets[0], target, access)
        return None
    if not valid.any():
        return None
    fill_invalid(values, valid, spec.nodata)
    return Layer(values=values, valid=valid, bands=tuple(bands), grid=target)


def asset_of(granule: Granule, band: str) -> Asset:
    """Where a band of a granule is; RasterError ``no-asset`` where its item lacks what its definition promises."""
    asset = granule.assets.get(band)
    if asset is None:
        raise RasterError(
            "no-asset",
            f"granule {granule.id} lacks the asset for {band}",
            value=", ".join(granule.assets),
            remedy="correct the assets in the source definition",
        )
    return asset


def _check_place(granule: Granule, asset: Asset, target: GeoBox, access: Access) -> None:
    """A granule whose footprint meets the target, but none of whose pixels do, must at least lie on its footprint.

    The footprint alone is no witness: its straight edges in degrees leave the edges of a tile by tens of pixels.
    """
    footprint = granule.footprint
    if not isinstance(footprint, shapely.Polygon | shapely.MultiPolygon) or not footprint.intersects(outline(target)):
        return
    grid = asset.grid or access.grid(asset)
    ground = outline(grid)
    shared = footprint.intersection(ground).area / min(footprint.area, ground.area)
    if shared < PLACED_SHARE:
        raise RasterError(
            "misplaced",
            f"the footprint of {granule.id} and its pixels share {shared:.0%} of the smaller of them",
            value=f"footprint {footprint.bounds}, pixels {ground.bounds}",
            remedy="the item's footprint or the file's transform is wrong: leave the granule out",
        )
