"""What comes out of a raster: the same file with the hidden pixels filled, and a mask of what was filled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.windows import Window

from rsmodels.filling.rasters import Scene
from rsmodels.tiling.rasters import PICTURES, opened
from rsmodels.tiling.tiles import Box
from rsmodels.tiling.writing import describe, profile_of, writing
from rsprep.files import appearing

Patch = tuple[NDArray[np.bool_], NDArray[Any]]
"""Where a window was filled (y, x), and with what: (band, pixel) in the file's type, pixels in the order of rows."""


def write_filled(scene: Scene, out: Path, filled: Path, parts: Iterator[tuple[Box, Patch | None]]) -> None:
    """Write the raster with its patches to `out`, and 1 or 255 where it was filled to `filled`; both appear whole.

    Pixels, type, no-data, place, names, units, scales, tags and overviews are those of the source where nothing was
    filled; a GeoTIFF is tiled and compressed without loss, a picture becomes PNG.

    Parameters
    ----------
    parts : every window of the raster once, with its patch if there is one.
    """
    write = _write_picture if scene.info.format in PICTURES else _write_tiff
    out.parent.mkdir(parents=True, exist_ok=True)
    filled.parent.mkdir(parents=True, exist_ok=True)
    with writing(), appearing(filled) as partial_mask, appearing(out) as partial:
        write(scene, partial, partial_mask, parts)


def patched(scene: Scene, box: Box, patch: Patch | None) -> NDArray[Any]:
    """(band, y, x) a window of the raster with what was filled in it."""
    values = scene.read(box)
    if patch is None:
        return values
    where, pixels = patch
    values = np.array(values)
    for position, band in enumerate(scene.bands):
        values[band][where] = pixels[position]
    return values


def _write_tiff(scene: Scene, out: Path, filled: Path, parts: Iterator[tuple[Box, Patch | None]]) -> None:
    with opened(scene.path, scene.info.format) as source:
        profile = profile_of(source)
        mask = {**profile, "count": 1, "dtype": "uint8", "nodata": None, "compress": "deflate", "predictor": 1}
        mask.pop("photometric", None)
        with rasterio.open(out, "w", **profile) as target, rasterio.open(filled, "w", **mask, nbits=1) as marks:
            describe(source, target)
            marks.descriptions = ("filled",)
            for box, patch in parts:
                window = Window.from_slices(*box)
                target.write(patched(scene, box, patch), window=window)
                marks.write(_marks(box, patch), 1, window=window)
                if scene.own_mask:
                    target.write_mask(source.read_masks(1, window=window), window=window)
        levels = source.overviews(1)
    if levels:
        with rasterio.open(out, "r+") as target:
            target.build_overviews(levels, Resampling.average)


def _write_picture(scene: Scene, out: Path, filled: Path, parts: Iterator[tuple[Box, Patch | None]]) -> None:
    height, width = scene.shape
    whole = np.array(scene.read((slice(0, height), slice(0, width))))
    marks = np.zeros((height, width), np.uint8)
    for box, patch in parts:
        whole[:, *box] = patched(scene, box, patch)
        marks[box] = _marks(box, patch)
    for path, values in ((out, whole), (filled, marks[None] * np.uint8(255))):
        size = {"count": len(values), "height": height, "width": width, "dtype": values.dtype}
        with rasterio.open(path, "w", driver="PNG", **size) as target:
            target.write(values)


def _marks(box: Box, patch: Patch | None) -> NDArray[np.uint8]:
    if patch is not None:
        return patch[0].astype(np.uint8)
    return np.zeros(tuple(side.stop - side.start for side in box), np.uint8)
