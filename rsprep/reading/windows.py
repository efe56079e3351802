"""Read one window of one band of one file, after the file has been checked against its item.

A file is trusted only where its item and its source definition say the same as the file itself. What
cannot be read raises; nothing is ever filled in for it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from rasterio.errors import NotGeoreferencedWarning, RasterBlockError, RasterioError
from rasterio.windows import Window as PixelWindow

from rsprep.errors import RasterError, ReadError
from rsprep.granule import Asset
from rsprep.reading.access import (
    ReadPolicy,
    Sign,
    gdal_options,
    is_remote,
    local_path,
    without_query,
    without_secrets,
)
from rsprep.reading.control import ControlCache
from rsprep.reading.extent import source_window
from rsprep.reading.warp import Resampling, suited, support

GRID_TOLERANCE_PX = 1e-3
DEFAULT_POLICY = ReadPolicy()
Found = TypeVar("Found")


@dataclass(frozen=True, kw_only=True)
class Window:
    """Pixels of one band under a target, with their place."""

    values: NDArray[Any]
    """Shape (y, x), in the file's dtype; nodata is still in it."""
    grid: GeoBox
    """Where those pixels lie."""
    file_grid: GeoBox
    """The lattice of the whole file."""
    resampling: Resampling
    """Kernel that suits the step from this resolution to the target's; see :func:`rsprep.reading.warp.suited`."""


def read_window(
    asset: Asset,
    target: GeoBox,
    *,
    nodata: float | None,
    dtype: str,
    resampling: Resampling = "bilinear",
    controls: ControlCache | None = None,
    sign: Sign | None = None,
    policy: ReadPolicy = DEFAULT_POLICY,
) -> Window | None:
    """Read the pixels of `asset` that `target` needs, at full resolution and in one piece.

    Parameters
    ----------
    nodata : value for missing pixels by the source definition; None where it says there is none.
    dtype : pixel type by the source definition, as in ``"uint16"``.
    resampling : kernel that the pixels will go through; its support is read around the target's footprint.
    controls : control grids of `target`, shared by everything that is read for it.
    sign : turns the href into one that can be fetched. Called before every attempt, as signatures expire.

    Returns
    -------
    Window or None
        None where the file does not touch the target.

    Raises
    ------
    RasterError : the file contradicts its item or its definition (band, CRS, grid, dtype, nodata, size, checksum).
    ReadError : the file cannot be opened or decoded; remote files are tried ``policy.attempts`` times.
    """
    controls = controls or ControlCache(target)
    return _opened(asset, sign, policy, lambda file: _read(file, asset, nodata, dtype, resampling, controls))


def file_grid(asset: Asset, *, sign: Sign | None = None, policy: ReadPolicy = DEFAULT_POLICY) -> GeoBox:
    """The lattice of the whole file, by its own header; raises as :func:`read_window` does."""
    return _opened(asset, sign, policy, lambda file: _grid_of(file, asset))


def _opened(asset: Asset, sign: Sign | None, policy: ReadPolicy, use: Callable[[Any], Found]) -> Found:
    """What `use` makes of the open file; a remote one is opened again until it answers."""
    remote = is_remote(asset.href)
    if not remote:
        _check_bytes(asset, policy)
    attempts = policy.attempts if remote else 1
    for attempt in range(attempts):
        href = sign(asset.href) if sign is not None else asset.href
        try:
            with rasterio.Env(**gdal_options(policy)), _open(asset, href if remote else str(local_path(href))) as file:
                return use(file)
        except (RasterioError, OSError) as error:
            if attempt + 1 == attempts:
                raise _unreadable(asset, error, attempts) from None
        policy.sleep(policy.backoff_s * 2**attempt)
    raise AssertionError("a read ends by returning or raising")


def _open(asset: Asset, path: str) -> Any:
    try:
        # Overviews are smoothed or thinned copies: never right for classes, never asked for elsewhere.
        return rasterio.open(path, driver="GTiff", OVERVIEW_LEVEL="NONE")
    except NotGeoreferencedWarning:
        # Only where warnings are turned into errors; elsewhere the missing CRS is found below.
        raise _contradiction(asset, "no-crs", "the file has no coordinate system", None) from None


def _read(
    file: Any, asset: Asset, nodata: float | None, dtype: str, resampling: Resampling, controls: ControlCache
) -> Window | None:
    whole = _checked_grid(file, asset, nodata, dtype)
    control = controls.get(whole)
    chosen = suited(resampling, whole, control)
    found = source_window(whole, control, support(chosen, whole, control))
    if found is None:
        return None
    rows, columns = found
    if file.nodatavals[asset.band - 1] is None and nodata != 0:
        _refuse_holes(file, asset, rows, columns)
    values = file.read(asset.band, window=PixelWindow.from_slices(rows, columns))
    expected = (rows.stop - rows.start, columns.stop - columns.start)
    if values.shape != expected:
        raise _contradiction(asset, "short", f"asked for {expected} pixels", values.shape)
    return Window(values=values, grid=whole[rows, columns], file_grid=whole, resampling=chosen)


def _refuse_holes(file: Any, asset: Asset, rows: slice, columns: slice) -> None:
    """Blocks that a sparse file leaves out decode as 0, which is a value unless 0 is what marks missing pixels."""
    height, width = file.block_shapes[asset.band - 1]
    for i in range(rows.start // height, -(-rows.stop // height)):
        for j in range(columns.start // width, -(-columns.stop // width)):
            try:
                file.block_size(asset.band, i, j)
            except RasterBlockError:
                raise _contradiction(
                    asset, "hole", "a sparse file must declare its nodata value", f"no block at row {i}, column {j}"
                ) from None


def _checked_grid(file: Any, asset: Asset, nodata: float | None, dtype: str) -> GeoBox:
    if not 1 <= asset.band <= file.count:
        raise _contradiction(asset, "no-band", f"the file has {file.count} band(s)", asset.band)
    grid = _grid_of(file, asset)
    if asset.grid is not None:
        _check_grid(asset, asset.grid, grid)
    actual = file.dtypes[asset.band - 1]
    if np.dtype(actual) != np.dtype(dtype):
        raise _contradiction(asset, "dtype", f"the source definition says {dtype}", actual)
    declared = file.nodatavals[asset.band - 1]
    if declared is not None and not _same_number(declared, nodata):
        raise _contradiction(asset, "nodata", f"the source definition says nodata is {nodata}", declared)
    return grid


def _grid_of(file: Any, asset: Asset) -> GeoBox:
    if file.crs is None:
        raise _contradiction(asset, "no-crs", "the file has no coordinate system", None)
    return GeoBox((file.height, file.width), file.transform, CRS(file.crs))


def _check_grid(asset: Asset, declared: GeoBox, actual: GeoBox) -> None:
    if declared.crs != actual.crs:
        raise _contradiction(asset, "crs", f"the item says {declared.crs}", str(actual.crs))
    if tuple(declared.shape) != tuple(actual.shape):
        raise _contradiction(asset, "shape", f"the item says {tuple(declared.shape)}", tuple(actual.shape))
    height, width = actual.shape
    to_actual = ~actual.affine * declared.affine
    for corner in ((0, 0), (width, 0), (0, height), (width, height)):
        column, row = to_actual * corner
        if math.hypot(column - corner[0], row - corner[1]) > GRID_TOLERANCE_PX:
            raise _contradiction(
                asset,
                "transform",
                f"the item says {tuple(declared.affine)[:6]}",
                tuple(actual.affine)[:6],
            )


def _same_number(a: float, b: float | None) -> bool:
    if b is None:
        return False
    return a == b or (math.isnan(a) and math.isnan(b))


def _check_bytes(asset: Asset, policy: ReadPolicy) -> None:
    path = local_path(asset.href)
    if not path.is_file():
        raise ReadError("absent", "there is no such file", value=asset.href, remedy="check the catalog's hrefs")
    if asset.size is not None and path.stat().st_size != asset.size:
        raise _contradiction(asset, "size", f"the item says {asset.size} bytes", path.stat().st_size)
    if asset.checksum is not None and policy.verify_checksum:
        code, expected = asset.checksum[:4].lower(), asset.checksum[4:].lower()
        if code != "1220" or len(expected) != 64:
            raise _contradiction(asset, "checksum-kind", "only sha2-256 multihashes (1220…) are known", asset.checksum)
        with path.open("rb") as stream:
            actual = hashlib.file_digest(stream, "sha256").hexdigest()
        if actual != expected:
            raise _contradiction(asset, "checksum", f"the item says {expected}", actual)


def _contradiction(asset: Asset, slug: str, said: str, found: object) -> RasterError:
    return RasterError(
        slug,
        f"{said}, but the file {without_query(asset.href)} disagrees" if found is not None else said,
        value=without_query(asset.href) if found is None else found,
        remedy="correct the item or the source definition, or fetch the file again",
    )


def _unreadable(asset: Asset, error: BaseException, attempts: int) -> ReadError:
    causes: list[str] = []
    link: BaseException | None = error
    while link is not None and len(causes) < 3:
        causes.append(without_secrets(str(link)))
        link = link.__cause__
    tried = f" after {attempts} attempts" if attempts > 1 else ""
    return ReadError(
        "undecodable",
        f"the file could not be read{tried}: {' / '.join(causes)}",
        value=without_query(asset.href),
        remedy="fetch the file again, then run the same command with --retry-failed",
    )
