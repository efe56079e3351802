"""Seal a store: write what is known of every chip, then gather the metadata, once and last.

Nothing written here depends on when or where the build ran, so equal builds give equal bytes.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from rsprep.cloud.address import Place, place
from rsprep.cloud.zarrs import zarr_at
from rsprep.errors import StoreError
from rsprep.store.schema import Schema
from rsprep.store.write import read_schema

COORDINATES: Mapping[str, tuple[str, str]] = {
    "chip_id": ("string", "stable name of the chip, from zone and lattice cell"),
    "epsg": ("int32", "EPSG code of the chip's CRS; 0 for a picture without a place"),
    "x_origin": ("float64", "easting of the outer edge of the upper-left pixel, metres"),
    "y_origin": ("float64", "northing of the outer edge of the upper-left pixel, metres"),
    "lon": ("float64", "longitude of the chip's centre, degrees"),
    "lat": ("float64", "latitude of the chip's centre, degrees"),
    "split": ("string", "train, val or test"),
    "datetime_start": ("datetime", "first acquisition that the chip's pixels may come from, UTC"),
    "datetime_end": ("datetime", "last acquisition that the chip's pixels may come from, UTC"),
    "s2_cloud_fraction": ("float32", "fraction of pixels that Sentinel-2 saw but never clear; NaN without Sentinel-2"),
    "valid_fraction": (
        "float32",
        "fraction of pixels with a clear Sentinel-2 observation; without Sentinel-2, with data in every layer",
    ),
    "synthetic": ("bool", "true for a chip that a model made"),
    "committed": ("bool", "true for a slot that holds a chip; other slots hold no-data"),
}
"""Coordinates along the chip axis that every store has: type and meaning."""
_NO_TIME = np.iinfo(np.int64).min
_COORDINATE_CHUNK = 65536


def seal_store(path: str | Place, columns: Mapping[str, NDArray[Any]]) -> None:
    """Write the chip coordinates and consolidate the metadata; again after a retry.

    While it runs, and after a death in between, the store counts as unsealed.

    Parameters
    ----------
    columns : coordinate name to one value a slot: all of :data:`COORDINATES`, and more if wanted
        (numbers, booleans or text). Times are datetime64, NaT where there is none.

    Raises
    ------
    StoreError : ``wrong-columns`` if one is missing or of another length.
    """
    schema, n_shards = read_schema(path)
    n_slots = n_shards * schema.slots_per_shard
    _check_columns(columns, n_slots)
    unseal_store(path)
    group = zarr.open_group(zarr_at(place(path), read_only=False), mode="r+", use_consolidated=False)
    known = {**COORDINATES, **{column.name: (column.kind, column.meaning) for column in schema.columns}}
    for name in [*COORDINATES, *sorted(set(columns) - set(COORDINATES))]:
        kind, meaning = known.get(name, ("", ""))
        _write_coordinate(group, name, np.asarray(columns[name]), kind, meaning)
    _write_bands(group, schema)
    group.update_attributes({"sealed": True, "coordinates": " ".join(columns)})
    _consolidate(place(path))


def unseal_store(path: str | Place) -> None:
    """Break the seal, before shards that were finished are made again: readers are refused until the next seal."""
    store = zarr_at(place(path), read_only=False)
    zarr.open_group(store, mode="r+", use_consolidated=False).update_attributes({"sealed": False})


def _check_columns(columns: Mapping[str, NDArray[Any]], n_slots: int) -> None:
    missing = sorted(set(COORDINATES) - set(columns))
    odd = sorted(name for name, values in columns.items() if np.shape(values) != (n_slots,))
    if missing or odd:
        raise StoreError(
            "wrong-columns",
            f"every chip coordinate must have {n_slots} values",
            value=f"missing: {', '.join(missing) or 'none'}; of another length: {', '.join(odd) or 'none'}",
            remedy="give one value a slot",
        )


def _write_coordinate(group: zarr.Group, name: str, values: NDArray[Any], kind: str, meaning: str) -> None:
    attributes: dict[str, Any] = {"long_name": meaning} if meaning else {}
    if kind == "datetime" or values.dtype.kind == "M":
        attributes |= {
            "units": "seconds since 1970-01-01",
            "calendar": "proleptic_gregorian",
            "_FillValue": int(_NO_TIME),
        }
        values = values.astype("datetime64[s]").astype(np.int64)  # NaT becomes the smallest integer
    elif kind == "string" or values.dtype.kind in "OUT":
        values = values.astype(np.dtypes.StringDType())
    elif kind:
        values = values.astype(kind)
    _write_array(group, name, values, "chip", attributes)


def _write_bands(group: zarr.Group, schema: Schema) -> None:
    for dim, bands in schema.band_coords.items():
        _write_array(group, dim, np.array(bands, dtype=np.dtypes.StringDType()), dim, {"long_name": "band"})


def _write_array(group: zarr.Group, name: str, values: NDArray[Any], dim: str, attributes: dict[str, Any]) -> None:
    array = group.create_array(
        name,
        shape=values.shape,
        chunks=(min(len(values), _COORDINATE_CHUNK),),
        dtype=str if values.dtype.kind == "T" else values.dtype,
        dimension_names=(dim,),
        attributes=attributes,
        config={"write_empty_chunks": True},
        overwrite=True,
    )
    array[:] = values


def _consolidate(path: Place) -> None:
    """Gather all metadata in the root, in one atomic write."""
    with warnings.catch_warnings():
        # Inline consolidated metadata is an extension; readers that do not know it, ignore it.
        warnings.filterwarnings("ignore", message="Consolidated metadata", category=UserWarning)
        zarr.consolidate_metadata(zarr_at(path, read_only=False), zarr_format=3)


def is_sealed(path: str | Place) -> bool:
    """True for a store whose seal is whole."""
    group = zarr.open_group(zarr_at(place(path)), mode="r")
    return bool(group.attrs.get("sealed")) and group.metadata.consolidated_metadata is not None
