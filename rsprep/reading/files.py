"""Pixels from files, on disk or http: one window of one band at a time, after the file has been checked.

A file is trusted only where its item and its source definition say the same as the file itself. What
cannot be read raises; nothing is ever filled in for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window as PixelWindow

from rsprep.errors import CatalogError, ReadError
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
from rsprep.reading.checks import check_bytes, checked_grid, contradiction, grid_of, refuse_holes, refuse_monster
from rsprep.reading.control import ControlCache
from rsprep.reading.opener import RangedFile, opened
from rsprep.reading.ranges import LONGEST_BYTES, Remote, shared_client
from rsprep.reading.reach import Reach
from rsprep.reading.spec import BandSpec
from rsprep.reading.window import Window, needed

DEFAULT_POLICY = ReadPolicy()
OPTIONS = {"driver": "GTiff", "OVERVIEW_LEVEL": "NONE"}
"""Overviews are smoothed or thinned copies: never right for classes, never asked for elsewhere."""
MOST_WINDOW_PX = 2**27
"""Most pixels of one window: a block of 10 km at 1 m, and some more."""
BLOCK_PX = 256
"""Side of the smallest blocks that COGs are published in."""
Found = TypeVar("Found")


class FileAccess:
    """Reads files; an :class:`rsprep.reading.access.Access`.

    Parameters
    ----------
    signer : turns hrefs into ones that can be fetched; asked when a file is opened, and again when it is refused.
    policy : how hard a remote file is tried.
    reach : what hrefs, and redirects from there, may lead to; None: to whatever the caller names.
    """

    def __init__(
        self, signer: Signer | None = None, policy: ReadPolicy = DEFAULT_POLICY, reach: Reach | None = None
    ) -> None:
        self.signer: Signer = signer or NoSigning()
        self.policy = policy
        self.reach = reach

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
                itemsize = np.dtype(spec.dtype).itemsize
                requests = most_requests(part.shape, itemsize) if is_remote(asset.href) else 0
                total += Cost(requests=requests, bytes=part.shape[0] * part.shape[1] * itemsize)
        return total

    def _opened(self, asset: Asset, use: Callable[[Any], Found]) -> Found:
        """What `use` makes of the open file."""

        def checked(file: Any) -> Found:
            refuse_monster(file, asset)
            return use(file)

        with rasterio.Env(**gdal_options()):
            try:
                if is_remote(asset.href):
                    if self.reach is not None:
                        self.reach.check(asset.href)
                    return self._fetched(asset, checked)
                path = local_path(asset.href) if self.reach is None else self.reach.local(asset.href)
            except CatalogError as error:  # of one file of many: what needs it is not made
                raise ReadError("off-limits", error.cause, value=error.value, remedy=error.remedy) from None
            check_bytes(asset, self.policy)
            try:
                with _refusing_no_place(asset), DatasetReader(str(path), **OPTIONS) as file:
                    return checked(file)
            except (RasterioError, OSError) as error:
                raise _unreadable(asset, error) from None

    def _fetched(self, asset: Asset, use: Callable[[Any], Found]) -> Found:
        """The same for a remote file. Requests are retried one by one; here, what came of them gets a second chance."""
        client = shared_client()
        for last in (self.policy.attempts == 1, True):
            source = RangedFile(
                client, Remote(href=asset.href, signer=self.signer, policy=self.policy, reach=self.reach)
            )
            if asset.size is not None and source.header.total != asset.size:
                client.forget(asset.href)
                raise contradiction(asset, "size", f"the item says {asset.size} bytes", source.header.total)
            try:
                with _refusing_no_place(asset):
                    return opened(source, use, **OPTIONS)
            except ReadError as error:
                # Replaced since its header was kept: the file as it is now may be read as well as any other.
                if last or error.slug != "changed":
                    raise
            except (RasterioError, OSError) as error:
                if last:
                    raise _unreadable(asset, error) from None
            # Bytes of the right number can still be wrong ones, the kept header among them.
            client.forget(asset.href)
        raise AssertionError("a read ends by returning or raising")


def most_requests(shape: tuple[int, int], itemsize: int) -> int:
    """Requests that a window of (rows, columns) of a remote COG takes at most: its header, and its rows of blocks.

    For blocks of :data:`BLOCK_PX` or more, stored row by row.
    """
    block_rows = shape[0] // BLOCK_PX + 2
    row_bytes = (shape[1] + 2 * BLOCK_PX) * BLOCK_PX * itemsize
    return 1 + block_rows * -(-row_bytes // LONGEST_BYTES)


@contextmanager
def _refusing_no_place(asset: Asset) -> Iterator[None]:
    try:
        yield
    except NotGeoreferencedWarning:
        # Only where warnings are turned into errors; elsewhere the missing CRS is found later.
        raise contradiction(asset, "no-crs", "the file has no coordinate system", None) from None


def _read(file: Any, asset: Asset, spec: BandSpec, controls: ControlCache) -> Window | None:
    whole = checked_grid(file, asset, spec)
    part = needed(whole, spec, controls)
    if part is None:
        return None
    if part.shape[0] * part.shape[1] > MOST_WINDOW_PX:
        raise contradiction(asset, "window", f"at most {MOST_WINDOW_PX:,} pixels are read at once", part.shape)
    if file.nodatavals[asset.band - 1] is None and spec.nodata != 0:
        refuse_holes(file, asset, part.rows, part.columns)
    values = file.read(asset.band, window=PixelWindow.from_slices(part.rows, part.columns))
    if values.shape != part.shape:
        raise contradiction(asset, "short", f"asked for {part.shape} pixels", values.shape)
    return part.window(values, whole)


def _unreadable(asset: Asset, error: BaseException) -> ReadError:
    causes: list[str] = []
    link: BaseException | None = error
    while link is not None and len(causes) < 3:
        causes.append(without_secrets(str(link)))
        link = link.__cause__
    return ReadError(
        "undecodable",
        f"the file could not be read: {' / '.join(causes)}",
        value=without_query(asset.href),
        remedy="fetch the file again, then run the same command with --retry-failed",
    )
