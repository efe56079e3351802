"""Rasters written after the model of others: what a file says besides its pixels stays said."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from rsprep.reading.access import gdal_options

BLOCK = 512
_KEPT = ("deflate", "lzw", "zstd", "lzma", "packbits")
"""Compressions that change no number."""
_NOT_TAGS = ("IMAGE_STRUCTURE", "DERIVED_SUBDATASETS", "TIFF", "RPC", "COLOR_PROFILE")
_STATISTICS = "STATISTICS_"


@contextmanager
def writing() -> Iterator[None]:
    """GDAL as it is to write: masks within the file, and no word about rasters that lie nowhere."""
    with warnings.catch_warnings(), rasterio.Env(**gdal_options(), GDAL_TIFF_INTERNAL_MASK=True):
        # A raster that lies nowhere has no georeference, and that is no accident.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


def profile_of(source: Any) -> dict[str, Any]:
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


def describe(source: Any, target: Any) -> None:
    """All that a GeoTIFF says besides its pixels; statistics are left out, since they are of other pixels."""
    describe_whole(source, target)
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


def describe_whole(source: Any, target: Any) -> None:
    """What a GeoTIFF says of the whole, not of its bands: tags, ground control points, rational polynomials."""
    for namespace in [None, *(name for name in source.tag_namespaces() if not _is_gdals(name))]:
        target.update_tags(ns=namespace, **_lasting(source.tags(ns=namespace)))
    points, crs = source.gcps
    if points:
        target.gcps = points, crs
    if source.rpcs is not None:
        target.rpcs = source.rpcs


def _is_gdals(namespace: str) -> bool:
    return namespace in _NOT_TAGS or namespace.startswith("xml:")


def _lasting(tags: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in tags.items() if not key.startswith(_STATISTICS)}
