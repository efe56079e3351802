"""Cloud-optimised GeoTIFFs, written whole or not at all."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.io import MemoryFile

from rsprep.sources.planted.typing import Scalar

BLOCK = 512


def write_cog(
    path: Path,
    values: NDArray[Scalar],
    grid: GeoBox,
    *,
    nodata: float | None,
    classes: bool = False,
    point: bool = False,
    names: tuple[str, ...] = (),
) -> None:
    """Write `values` (y, x) or (bands, y, x) as a COG of 512-pixel blocks with overviews.

    Parameters
    ----------
    path : appears only once the file is complete.
    grid : outer edges of the pixels, whatever `point` says.
    nodata : declared in the file; None declares none.
    classes : the values are codes: overviews take the nearest pixel instead of the mean.
    point : mark a pixel as the value at a point (``AREA_OR_POINT=Point``). GDAL then writes the position
        of pixel centres into the file, and gives the outer edge back when it reads it.
    names : descriptions of the bands.
    """
    bands = values[np.newaxis] if values.ndim == 2 else values
    profile = {
        "driver": "GTiff", "count": len(bands), "height": bands.shape[1], "width": bands.shape[2],
        "dtype": bands.dtype.name, "crs": str(grid.crs), "transform": grid.transform, "nodata": nodata,
    }  # fmt: skip
    predictor = "NO" if classes else "FLOATING_POINT" if bands.dtype.kind == "f" else "STANDARD"
    options = {
        "COMPRESS": "ZSTD", "LEVEL": "1", "PREDICTOR": predictor,
        "BLOCKSIZE": str(BLOCK), "OVERVIEW_RESAMPLING": "NEAREST" if classes else "AVERAGE", "NUM_THREADS": "1",
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with MemoryFile() as memory:
        with memory.open(**profile) as plain:
            plain.write(bands)
            if point:
                plain.update_tags(AREA_OR_POINT="Point")
            for number, name in enumerate(names, start=1):
                plain.set_band_description(number, name)
        with memory.open() as plain:
            rasterio.shutil.copy(plain, part, driver="COG", **options)
    part.replace(path)


def fingerprint(path: Path) -> tuple[int, str]:
    """Bytes in a file and its multihash (SHA-256), as ``file:size`` and ``file:checksum`` want them."""
    content = path.read_bytes()
    return len(content), "1220" + hashlib.sha256(content).hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
