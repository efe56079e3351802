"""Chips as GeoTIFFs, for QGIS and everything else that reads rasters."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from rsprep.errors import StoreError
from rsprep.files import appearing, plain_name
from rsprep.store.read import chip, chip_transform, committed_chips, open_dataset
from rsprep.store.schema import NOWHERE, Schema, Variable

_TILE = 256


def export(
    dataset: str | Path, out: str | Path, *, chips: Iterable[str] | None = None, layers: Iterable[str] | None = None
) -> list[Path]:
    """Write chips as tiled, deflated GeoTIFFs: ``OUT/<layer>/<chip_id>.tif``.

    Files carry CRS, no-data, band names and, for land cover, the colours of the classes. A file
    appears whole or not at all.

    Parameters
    ----------
    dataset : folder of a sealed data set.
    out : folder for the files.
    chips : names of the chips, by default all.
    layers : names of the variables, by default all.

    Returns
    -------
    The files, in order.

    Raises
    ------
    StoreError : ``no-such-chip``, ``no-such-layer``, or what reading raises.
    """
    opened = open_dataset(dataset)
    schema = Schema.from_json(opened.attrs["rsprep_schema"])
    wanted = schema.names if layers is None else tuple(layers)
    for name in wanted:
        if name not in schema.names:
            raise StoreError(
                "no-such-layer",
                "the data set has no such layer",
                value=name,
                remedy=f"choose from {', '.join(schema.names)}",
            )
    files = []
    for chip_id in committed_chips(opened) if chips is None else chips:
        one = chip(opened, chip_id)
        placed = int(one["epsg"]) != NOWHERE
        place = {"crs": one.rio.crs, "transform": chip_transform(one)} if placed else {}
        for name in wanted:
            file = Path(out) / name / f"{plain_name(chip_id)}.tif"
            write_layer(file, one[name].to_numpy(), schema[name], **place)
            files.append(file)
    return files


def write_layer(
    file: str | Path, values: np.ndarray[Any, Any], variable: Variable, *, crs: Any = None, transform: Any = None
) -> None:
    """Write one layer of one chip as such a GeoTIFF; the file appears whole or not at all.

    Parameters
    ----------
    values : ([bands], y, x) in the variable's type.
    crs, transform : where it lies; None for a picture that lies nowhere.
    """
    file = Path(file)
    planes = values if values.ndim == 3 else values[np.newaxis]
    place = {} if crs is None else {"crs": crs, "transform": transform}
    file.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings(), appearing(file) as partial:
        # A picture that lies nowhere has no georeference, and that is no accident.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(partial, "w", **_profile(variable, planes), **place) as target:
            target.write(planes)
            _describe(target, variable)


def _profile(variable: Variable, planes: np.ndarray[Any, Any]) -> dict[str, Any]:
    side = min(_TILE, -(-planes.shape[-1] // 16) * 16)  # TIFF tiles come in multiples of 16
    return {
        "driver": "GTiff",
        "count": planes.shape[0],
        "height": planes.shape[1],
        "width": planes.shape[2],
        "dtype": variable.dtype,
        "nodata": variable.fill if variable.has_nodata else None,
        "tiled": True,
        "blockxsize": side,
        "blockysize": side,
        "compress": "deflate",
        "predictor": 3 if variable.dtype.startswith("float") else 2,
        "interleave": "band",
    }


def _describe(target: Any, variable: Variable) -> None:
    """Band names, units, scale and class colours."""
    count = target.count
    target.descriptions = variable.bands or (variable.name,)
    units = variable.attrs.get("band_units", [variable.attrs.get("units", "")] * count)
    if "scale" in variable.attrs:
        target.scales = (float(variable.attrs["scale"]),) * count
        units = ["1"] * count
    target.units = tuple(units)
    target.update_tags(**{key: str(value) for key, value in variable.attrs.items()})
    if "flag_colors" in variable.attrs:
        colours = [tuple(bytes.fromhex(text[1:])) for text in variable.attrs["flag_colors"].split()]
        target.write_colormap(1, dict(zip(variable.attrs["flag_values"], colours, strict=True)))
