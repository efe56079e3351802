"""What comes out of a raster: the same place, type and no-data with red, green and blue."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, Resampling
from rasterio.windows import Window

from rsmodels.colouring.rasters import Grey
from rsmodels.tiling.rasters import PICTURES, opened
from rsmodels.tiling.tiles import Box
from rsmodels.tiling.writing import describe_whole, profile_of, writing
from rsprep.files import appearing

MADE_BY = "coloured_by"
"""Tag of a GeoTIFF that tells which network made its colours."""
Parts = Iterator[tuple[Box, NDArray[Any]]]
"""Every window of a raster once, with its colours (3, y, x) in the raster's type."""


def write_coloured(scene: Grey, out: Path, parts: Parts, *, by: str) -> None:
    """Write the colours of a raster to `out`, which appears whole.

    Type, no-data, place, tags of the whole and overviews are those of the source; scale and offset too where all bands
    that were looked at have the same. A GeoTIFF is tiled and compressed without loss, a picture becomes PNG.

    Parameters
    ----------
    by : who made the colours.
    """
    write = _write_picture if scene.info.format in PICTURES else _write_tiff
    out.parent.mkdir(parents=True, exist_ok=True)
    with writing(), appearing(out) as partial:
        write(scene, partial, parts, by)


def _write_tiff(scene: Grey, out: Path, parts: Parts, by: str) -> None:
    with opened(scene.path, scene.info.format) as source:
        profile = {**profile_of(source), "count": 3, "photometric": "rgb", "interleave": "pixel"}
        with rasterio.open(out, "w", **profile) as target:
            describe_whole(source, target)
            target.update_tags(**{MADE_BY: by})
            target.colorinterp = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
            target.descriptions = ("red", "green", "blue")
            scales = {(source.scales[band], source.offsets[band]) for band in scene.bands}
            if len(scales) == 1 and scales != {(1.0, 0.0)}:
                scale, offset = scales.pop()
                target.scales, target.offsets = (scale,) * 3, (offset,) * 3
            for box, pixels in parts:
                window = Window.from_slices(*box)
                target.write(pixels, window=window)
                if scene.own_mask:
                    target.write_mask(source.read_masks(1, window=window), window=window)
        levels = source.overviews(1)
    if levels:
        with rasterio.open(out, "r+") as target:
            target.build_overviews(levels, Resampling.average)


def _write_picture(scene: Grey, out: Path, parts: Parts, by: str) -> None:
    del by  # a PNG has no tags that other programs keep
    height, width = scene.shape
    alpha = scene.channels((slice(0, height), slice(0, width)))
    whole = np.empty((3, height, width), scene.info.dtype)
    for box, pixels in parts:
        whole[:, *box] = pixels
    whole = np.concatenate([whole, alpha])
    size = {"count": len(whole), "height": height, "width": width, "dtype": whole.dtype}
    with rasterio.open(out, "w", driver="PNG", **size) as target:
        target.write(whole)
