"""Open a sealed store as an xarray Dataset, and take one chip of it as a georeferenced raster."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import rioxarray  # noqa: F401  # registers the .rio accessor
import xarray as xr
import zarr
from affine import Affine
from numpy.typing import NDArray

from rsprep.cloud import objects
from rsprep.cloud.address import Address, Place, place
from rsprep.cloud.zarrs import zarr_at
from rsprep.errors import StoreError
from rsprep.store.schema import NOWHERE, Schema
from rsprep.store.seal import is_sealed
from rsprep.store.slots import CommittedSlots
from rsprep.store.strict import shard_slots, strict_store
from rsprep.store.write import read_schema

STORE_NAME = "chips.zarr"


def store_path(path: str | Place) -> Place:
    """The store of a data set: `path` may be the data set's folder or the store itself, on a disk or in a bucket."""
    here = place(path)
    inside = here / STORE_NAME
    if isinstance(inside, Address):
        return inside if objects.exists(inside / "zarr.json") else here
    return inside if inside.is_dir() else here


def open_dataset(path: str | Place) -> xr.Dataset:
    """Open a sealed data set lazily; only slots that hold a chip are shown.

    Values have the types they are stored with; no-data is each variable's ``nodata`` attribute, or
    NaN. Dask chunks are shards, so work over many chips has few tasks. Damage raises on reading.

    Parameters
    ----------
    path : the data set's folder or its ``chips.zarr``, or the address of one in a bucket.

    Raises
    ------
    StoreError : ``not-found``, ``not-a-store``, ``schema-version``, or ``unsealed`` while the
        build has not finished; while reading, ``missing-shard`` or ``missing-chunk``.
    """
    where = store_path(path)
    schema, _ = read_schema(where)
    if not is_sealed(where):
        raise StoreError(
            "unsealed",
            "the data set is not finished",
            value=str(where),
            remedy="run the same build command again: it goes on where it stopped",
        )
    group = zarr.open_group(zarr_at(where), mode="r")
    store = strict_store(where, shard_slots(group))
    dataset = _load_coordinates(xr.open_zarr(store, consolidated=True, chunks=None, zarr_format=3))
    shown = np.flatnonzero(dataset["committed"].to_numpy())
    in_shard = np.bincount(shown // schema.slots_per_shard)
    chunks = tuple(int(count) for count in in_shard if count) or (0,)
    pixels = zarr.open_group(store, mode="r", use_consolidated=True)
    lazy = {name: _lazy(pixels, str(name), shown, chunks) for name in dataset.data_vars}
    attrs = {name: layer.attrs for name, layer in dataset.data_vars.items()}
    dims = {name: layer.dims for name, layer in dataset.data_vars.items()}
    dataset = dataset.drop_vars(lazy).isel(chip=shown)
    return dataset.assign({name: xr.Variable(dims[name], values, attrs[name]) for name, values in lazy.items()})


def _lazy(group: zarr.Group, name: str, shown: NDArray[np.int64], chunks: tuple[int, ...]) -> da.Array:
    """Pixels of the slots `shown`, one Dask chunk a shard."""
    array = group[name]
    if not isinstance(array, zarr.Array):
        raise StoreError("not-a-store", "a variable of the store is no array", value=name, remedy="check the path")
    meta = np.empty((0,) * array.ndim, array.dtype)
    pieces = (chunks, *array.shape[1:])
    lazy: da.Array = da.from_array(CommittedSlots(array, shown), chunks=pieces, name=False, meta=meta)  # type: ignore[no-untyped-call]
    return lazy


def _load_coordinates(dataset: xr.Dataset) -> xr.Dataset:
    """Chip coordinates in memory, text as fixed-width text, which every library understands."""
    loaded = {}
    for name, coordinate in dataset.coords.items():
        values = coordinate.to_numpy()
        if values.dtype.kind == "T":
            values = np.array(values.tolist(), dtype=str)
        loaded[name] = xr.Variable(coordinate.dims, values, coordinate.attrs)
    return dataset.assign_coords(loaded)


def chip(dataset: xr.Dataset, chip_id: str) -> xr.Dataset:
    """One chip with its ground coordinates: pixel centres in x and y, CRS, transform and no-data.

    Parameters
    ----------
    dataset : from :func:`open_dataset`.
    chip_id : name of a committed chip.

    Returns
    -------
    Dataset over ([bands], y, x), still lazy; ``chip.s2.rio`` has CRS and transform, and
    ``rio.to_raster`` writes what it shows. A picture that lies nowhere has neither.

    Raises
    ------
    StoreError : ``no-such-chip``.
    """
    found = np.flatnonzero(dataset["chip_id"].to_numpy() == chip_id)
    if len(found) != 1:
        raise StoreError(
            "no-such-chip",
            "the data set has no committed chip of this name",
            value=chip_id,
            remedy="dataset.chip_id lists them",
        )
    one: xr.Dataset = dataset.isel(chip=int(found[0]))
    if int(one["epsg"]) != NOWHERE:
        one = _placed(one)
    schema = Schema.from_json(dataset.attrs["rsprep_schema"])
    for variable in schema.variables:
        if variable.has_nodata:
            one[variable.name] = one[variable.name].rio.write_nodata(variable.fill)
    return one


def _placed(one: xr.Dataset) -> xr.Dataset:
    transform = chip_transform(one)
    centres = (np.arange(int(one.attrs["chip_size"])) + 0.5) * transform.a
    one = one.assign_coords(
        x=("x", transform.c + centres, {"standard_name": "projection_x_coordinate", "units": "m"}),
        y=("y", transform.f - centres, {"standard_name": "projection_y_coordinate", "units": "m"}),
    )
    placed: xr.Dataset = one.rio.write_crs(int(one["epsg"])).rio.write_transform(transform)
    return placed


def chip_transform(one: xr.Dataset) -> Affine:
    """Transform of one chip's pixels: from (column, row) of a pixel's outer edge to ground metres."""
    pixel = float(one.attrs["pixel_size"])
    return Affine(pixel, 0.0, float(one["x_origin"]), 0.0, -pixel, float(one["y_origin"]))


def committed_chips(dataset: xr.Dataset) -> list[str]:
    """Names of the chips, in the order of the chip axis."""
    names: list[Any] = dataset["chip_id"].to_numpy().tolist()
    return [str(name) for name in names]
