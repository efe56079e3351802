"""What comes out of a raster: the same file with the hidden pixels filled, and a mask of what was filled."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window

from rsmodels.filling.rasters import PICTURES, Scene, opened
from rsmodels.filling.tiles import Box
from rsprep.files import appearing
from rsprep.reading.access import gdal_options

BLOCK = 512
Patch = tuple[NDArray[np.bool_], NDArray[Any]]
"""Where a window was filled (y, x), and with what: (band, pixel) in the file's type, pixels in the order of rows."""
_KEPT = ("deflate", "lzw", "zstd", "lzma", "packbits")
"""Compressions that change no number."""
_NOT_TAGS = ("IMAGE_STRUCTURE", "DERIVED_SUBDATASETS", "TIFF", "RPC", "COLOR_PROFILE")
_STATISTICS = "STATISTICS_"


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
    with (
        warnings.catch_warnings(),
        rasterio.Env(**gdal_options(), GDAL_TIFF_INTERNAL_MASK=True),
        appearing(filled) as partial_mask,
        appearing(out) as partial,
    ):
        # A raster that lies nowhere has no georeference, and that is no accident.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
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
        profile = _profile(source)
        mask = {**profile, "count": 1, "dtype": "uint8", "nodata": None, "compress": "deflate", "predictor": 1}
        mask.pop("photometric", None)
        with rasterio.open(out, "w", **profile) as target, rasterio.open(filled, "w", **mask, nbits=1) as marks:
            _describe(source, target)
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


def _profile(source: Any) -> dict[str, Any]:
    """Of a tiled GeoTIFF that loses nothing."""
    compress = str(source.profile.get("compress", "deflate")).lower()
    compress = compress if compress in _KEPT else "deflate"
    float_or_whole = 3 if np.dtype(source.dtypes[0]).kind == "f" else 2
    sides = {
        f"block{axis}size": min(BLOCK, -(-length // 16) * 16)  # TIFF tiles come in multiples of 16
        for axis, length in (("x", source.width), ("y", source.height))
    }
    rgb = [one.name for one in source.colorinterp[:3]] == ["red", "green", "blue"]
    return {
        "driver": "GTiff",
        "count": source.count,
        "height": source.height,
        "width": source.width,
        "dtype": source.dtypes[0],
        "nodata": source.nodata,
        "crs": source.crs,
        "transform": source.transform,
        "tiled": True,
        **sides,
        "compress": compress,
        "predictor": float_or_whole if compress in ("deflate", "lzw", "zstd") else 1,
        "interleave": source.profile.get("interleave", "band"),
        "bigtiff": "if_safer",
        **({"photometric": "rgb"} if rgb else {}),
    }


def _describe(source: Any, target: Any) -> None:
    """All that a GeoTIFF says besides its pixels; statistics are left out, since they are of other pixels."""
    for namespace in [None, *(name for name in source.tag_namespaces() if not _is_gdals(name))]:
        target.update_tags(ns=namespace, **_lasting(source.tags(ns=namespace)))
    for band in range(1, source.count + 1):
        for namespace in [None, *(name for name in source.tag_namespaces(band) if not _is_gdals(name))]:
            tags = _lasting(source.tags(band, ns=namespace))
            if tags:
                target.update_tags(band, ns=namespace, **tags)
    target.colorinterp = source.colorinterp
    target.descriptions = source.descriptions
    if any(source.units):
        target.units = tuple(unit or "" for unit in source.units)
    if set(source.scales) != {1.0} or set(source.offsets) != {0.0}:
        target.scales, target.offsets = source.scales, source.offsets
    points, crs = source.gcps
    if points:
        target.gcps = points, crs
    if source.rpcs is not None:
        target.rpcs = source.rpcs


def _is_gdals(namespace: str) -> bool:
    return namespace in _NOT_TAGS or namespace.startswith("xml:")


def _lasting(tags: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in tags.items() if not key.startswith(_STATISTICS)}
