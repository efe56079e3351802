"""Pixels from files, on disk or http: one window of one band at a time, after the file has been checked.

A file is trusted only where its item and its source definition say the same as the file itself. What
cannot be read raises; nothing is ever filled in for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any, TypeVar

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window as PixelWindow

from rsprep.errors import ReadError
from rsprep.granule import Asset
from rsprep.reading.access import (
    Cost,
    NoSigning,
    ReadPolicy,
    Signer,
    Use,
    gdal_options,
    is_remote,
    local_path,
    without_query,
    without_secrets,
)
from rsprep.reading.checks import check_bytes, checked_grid, contradiction, grid_of, refuse_holes
from rsprep.reading.control import ControlCache
from rsprep.reading.spec import BandSpec
from rsprep.reading.window import Window, needed

DEFAULT_POLICY = ReadPolicy()
Found = TypeVar("Found")


class FileAccess:
    """Reads files; an :class:`rsprep.reading.access.Access`.

    Parameters
    ----------
    signer : turns hrefs into ones that can be fetched. Asked before every attempt, as signatures expire.
    policy : how hard a remote file is tried.
    """

    def __init__(self, signer: Signer | None = None, policy: ReadPolicy = DEFAULT_POLICY) -> None:
        self.signer: Signer = signer or NoSigning()
        self.policy = policy

    def read(
        self,
        assets: Sequence[Asset],
        spec: BandSpec,
        controls: ControlCache,
        use: Use,
        *,
        pool: Executor | None = None,
    ) -> None:
        """See :meth:`rsprep.reading.access.Access.read`; few windows are in memory at a time."""

        def one(index: int) -> None:
            use(index, self.window(assets[index], spec, controls))

        run = map if pool is None or len(assets) == 1 else pool.map
        for _ in run(one, range(len(assets))):
            pass

    def window(self, asset: Asset, spec: BandSpec, controls: ControlCache) -> Window | None:
        """The window of one asset; raises as :meth:`read` does."""
        return self._opened(asset, lambda file: _read(file, asset, spec, controls))

    def grid(self, asset: Asset) -> GeoBox:
        """The lattice of the whole file, by its own header."""
        return self._opened(asset, lambda file: grid_of(file, asset))

    def cost(self, assets: Sequence[Asset], spec: BandSpec, controls: ControlCache) -> Cost:
        """See :meth:`rsprep.reading.access.Access.cost`; files on disk take no requests."""
        total = Cost()
        for asset in assets:
            part = needed(asset.grid, spec, controls) if asset.grid is not None else None
            if part is not None:
                rows, columns = part.shape
                requests = 2 if is_remote(asset.href) else 0  # the header, and the pixels
                total += Cost(requests=requests, bytes=rows * columns * np.dtype(spec.dtype).itemsize)
        return total

    def _opened(self, asset: Asset, use: Callable[[Any], Found]) -> Found:
        """What `use` makes of the open file; a remote one is opened again until it answers."""
        remote = is_remote(asset.href)
        if not remote:
            check_bytes(asset, self.policy)
        attempts = self.policy.attempts if remote else 1
        for attempt in range(attempts):
            path = self.signer.sign(asset.href) if remote else str(local_path(asset.href))
            try:
                with rasterio.Env(**gdal_options(self.policy)), _open(asset, path) as file:
                    return use(file)
            except (RasterioError, OSError) as error:
                if attempt + 1 == attempts:
                    raise _unreadable(asset, error, attempts) from None
            self.policy.sleep(self.policy.backoff_s * 2**attempt)
        raise AssertionError("a read ends by returning or raising")


def _open(asset: Asset, path: str) -> Any:
    try:
        # Overviews are smoothed or thinned copies: never right for classes, never asked for elsewhere.
        return rasterio.open(path, driver="GTiff", OVERVIEW_LEVEL="NONE")
    except NotGeoreferencedWarning:
        # Only where warnings are turned into errors; elsewhere the missing CRS is found below.
        raise contradiction(asset, "no-crs", "the file has no coordinate system", None) from None


def _read(file: Any, asset: Asset, spec: BandSpec, controls: ControlCache) -> Window | None:
    whole = checked_grid(file, asset, spec)
    part = needed(whole, spec, controls)
    if part is None:
        return None
    if file.nodatavals[asset.band - 1] is None and spec.nodata != 0:
        refuse_holes(file, asset, part.rows, part.columns)
    values = file.read(asset.band, window=PixelWindow.from_slices(part.rows, part.columns))
    if values.shape != part.shape:
        raise contradiction(asset, "short", f"asked for {part.shape} pixels", values.shape)
    return part.window(values, whole)


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
