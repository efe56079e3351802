"""What a file must agree on with its item and its source definition before one of its pixels is trusted."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from rasterio.errors import RasterBlockError

from rsprep.errors import RasterError, ReadError
from rsprep.granule import Asset
from rsprep.reading.access import MOST_BANDS, ReadPolicy, local_path, without_query
from rsprep.reading.spec import BandSpec

_SYSTEMS: dict[str, CRS] = {}
GRID_TOLERANCE_PX = 1e-3


MOST_PIXELS = 10**11
"""Most pixels of a file: the whole Earth at 100 m, and some more."""
MOST_BLOCK_BYTES = 2**28
"""Largest block, decoded: one strip of a file that was not written for windows."""


def refuse_monster(file: Any, asset: Asset) -> None:
    """A header may claim what no memory holds; told before anything is decoded."""
    if file.width * file.height > MOST_PIXELS:
        raise contradiction(asset, "too-large", f"a file has at most {MOST_PIXELS:,} pixels", (file.height, file.width))
    if file.count > MOST_BANDS:
        raise contradiction(asset, "too-many-bands", f"a file has at most {MOST_BANDS:,} bands", file.count)
    height, width = file.block_shapes[0]
    together = file.count if file.interleaving is not None and file.interleaving.value == "PIXEL" else 1
    block = height * width * together * max(np.dtype(one).itemsize for one in file.dtypes)
    if block > MOST_BLOCK_BYTES:
        raise contradiction(
            asset, "block-too-large", f"a block takes at most {MOST_BLOCK_BYTES:,} bytes", (height, width)
        )


def refuse_holes(file: Any, asset: Asset, rows: slice, columns: slice) -> None:
    """Blocks that a sparse file leaves out decode as 0, which is a value unless 0 is what marks missing pixels."""
    height, width = file.block_shapes[asset.band - 1]
    for i in range(rows.start // height, -(-rows.stop // height)):
        for j in range(columns.start // width, -(-columns.stop // width)):
            try:
                file.block_size(asset.band, i, j)
            except RasterBlockError:
                raise contradiction(
                    asset, "hole", "a sparse file must declare its nodata value", f"no block at row {i}, column {j}"
                ) from None


def checked_grid(file: Any, asset: Asset, spec: BandSpec) -> GeoBox:
    """The lattice of an open file whose band, grid, type and nodata are what item and definition say."""
    if not 1 <= asset.band <= file.count:
        raise contradiction(asset, "no-band", f"the file has {file.count} band(s)", asset.band)
    grid = grid_of(file, asset)
    if asset.grid is not None:
        _check_grid(asset, asset.grid, grid)
    actual = file.dtypes[asset.band - 1]
    if np.dtype(actual) != np.dtype(spec.dtype):
        raise contradiction(asset, "dtype", f"the source definition says {spec.dtype}", actual)
    declared = file.nodatavals[asset.band - 1]
    if declared is not None and not _same_number(declared, spec.nodata):
        raise contradiction(asset, "nodata", f"the source definition says nodata is {spec.nodata}", declared)
    return grid


def grid_of(file: Any, asset: Asset) -> GeoBox:
    """The lattice of an open file."""
    if file.crs is None:
        raise contradiction(asset, "no-crs", "the file has no coordinate system", None)
    # One object for all files of a coordinate system: comparing it to itself costs nothing.
    crs = _SYSTEMS.setdefault(file.crs.to_wkt(), CRS(file.crs))
    return GeoBox((file.height, file.width), file.transform, crs)


def _check_grid(asset: Asset, declared: GeoBox, actual: GeoBox) -> None:
    if declared.crs != actual.crs:
        raise contradiction(asset, "crs", f"the item says {declared.crs}", str(actual.crs))
    if tuple(declared.shape) != tuple(actual.shape):
        raise contradiction(asset, "shape", f"the item says {tuple(declared.shape)}", tuple(actual.shape))
    height, width = actual.shape
    to_actual = ~actual.affine * declared.affine
    for corner in ((0, 0), (width, 0), (0, height), (width, height)):
        column, row = to_actual * corner
        if math.hypot(column - corner[0], row - corner[1]) > GRID_TOLERANCE_PX:
            raise contradiction(
                asset,
                "transform",
                f"the item says {tuple(declared.affine)[:6]}",
                tuple(actual.affine)[:6],
            )


def _same_number(a: float, b: float | None) -> bool:
    if b is None:
        return False
    return a == b or (math.isnan(a) and math.isnan(b))


def check_bytes(asset: Asset, policy: ReadPolicy) -> None:
    """That a local file is there, has the size that its item declares and, where asked for, its checksum."""
    path = local_path(asset.href)
    if not path.is_file():
        raise ReadError("absent", "there is no such file", value=asset.href, remedy="check the catalog's hrefs")
    if asset.size is not None and path.stat().st_size != asset.size:
        raise contradiction(asset, "size", f"the item says {asset.size} bytes", path.stat().st_size)
    if asset.checksum is not None and policy.verify_checksum:
        code, expected = asset.checksum[:4].lower(), asset.checksum[4:].lower()
        if code != "1220" or len(expected) != 64:
            raise contradiction(asset, "checksum-kind", "only sha2-256 multihashes (1220…) are known", asset.checksum)
        with path.open("rb") as stream:
            actual = hashlib.file_digest(stream, "sha256").hexdigest()
        if actual != expected:
            raise contradiction(asset, "checksum", f"the item says {expected}", actual)


def contradiction(asset: Asset, slug: str, said: str, found: object) -> RasterError:
    """The error for a file that says something else than its item or its definition."""
    return RasterError(
        slug,
        f"{said}, but the file {without_query(asset.href)} disagrees" if found is not None else said,
        value=without_query(asset.href) if found is None else found,
        remedy="correct the item or the source definition, or fetch the file again",
    )
