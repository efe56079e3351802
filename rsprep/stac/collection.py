"""The STAC collection of a data set: what it covers and what its variables are."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

import rsprep
from rsprep.stac.items import ML_SPLIT, STAC_VERSION, ZARR_TYPE
from rsprep.store.schema import SCHEMA_VERSION, Schema, Variable

EXTENSIONS = (
    "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
    "https://stac-extensions.github.io/raster/v2.0.0/schema.json",
    "https://stac-extensions.github.io/classification/v2.0.0/schema.json",
    "https://stac-extensions.github.io/datacube/v2.2.0/schema.json",
    "https://stac-extensions.github.io/processing/v1.2.0/schema.json",
    "https://stac-extensions.github.io/zarr/v1.1.0/schema.json",
)
_COMMON_NAMES = {
    "B01": "coastal", "B02": "blue", "B03": "green", "B04": "red", "B05": "rededge071", "B06": "rededge075",
    "B07": "rededge078", "B08": "nir", "B8A": "nir08", "B09": "nir09", "B11": "swir16", "B12": "swir22",
}  # fmt: skip
"""Common names of Sentinel-2 bands in the STAC eo extension."""


class Coverage:
    """What the items of a data set cover, added up row by row."""

    def __init__(self) -> None:
        self.splits: Counter[str] = Counter()
        self.codes: set[str] = set()
        self.start: dt.datetime | None = None
        self.end: dt.datetime | None = None
        # longitudes once from -180 to 180 and once from 0 to 360: the narrower account is the right one
        self._frames = [[np.inf, -np.inf], [np.inf, -np.inf]]
        self._latitudes = [np.inf, -np.inf]

    def add(self, row: Mapping[str, Any]) -> None:
        """Take in one row of the index."""
        self.splits[row["split"]] += 1
        self.start = min(self.start or row["start_datetime"], row["start_datetime"])
        self.end = max(self.end or row["end_datetime"], row["end_datetime"])
        if row["bbox"] is None:
            return
        self.codes.add(row["proj:code"])
        box = row["bbox"]
        west, east = box["xmin"], box["xmax"]
        plain = (west, east) if west <= east else (-180.0, 180.0)
        turned = (west % 360, west % 360 + (east - west) % 360)
        for frame, (low, high) in zip(self._frames, (plain, turned), strict=True):
            frame[:] = min(frame[0], low), max(frame[1], high)
        self._latitudes = [min(self._latitudes[0], box["ymin"]), max(self._latitudes[1], box["ymax"])]

    @property
    def bbox(self) -> list[float]:
        """West, south, east, north; west > east across the antimeridian. The whole Earth where no item has a place."""
        if not self.codes:
            return [-180.0, -90.0, 180.0, 90.0]
        west, east = min(self._frames, key=lambda frame: frame[1] - frame[0])
        west, east = (round(value - 360 if value > 180 else value, 7) for value in (west, east))
        return [west, self._latitudes[0], east, self._latitudes[1]]


def collection_json(
    name: str, schema: Schema, coverage: Coverage, *, title: str | None, licence: str, derived_from: Mapping[str, str]
) -> dict[str, Any]:
    """Content of ``collection.json`` (STAC 1.1)."""
    interval = [None if time is None else _utc(time) for time in (coverage.start, coverage.end)]
    total = sum(coverage.splits.values())
    return {
        "type": "Collection",
        "stac_version": STAC_VERSION,
        "stac_extensions": list(EXTENSIONS),
        "id": name,
        "title": title or name,
        "description": (
            f"{total} chips of {schema.chip_px} × {schema.chip_px} pixels{_size(schema, coverage)}: "
            f"{', '.join(schema.names)}. The chips lie in one Zarr store; items.parquet has one item a chip."
        ),
        "license": licence,
        "keywords": ["chips", "training data", *schema.names],
        "extent": {"spatial": {"bbox": [coverage.bbox]}, "temporal": {"interval": [interval]}},
        "summaries": {
            **({"gsd": [schema.resolution], "proj:code": sorted(coverage.codes)} if coverage.codes else {}),
            "ml-aoi:split": [ML_SPLIT[split] for split in ML_SPLIT if coverage.splits[split]],
            "rsprep:chips": {split: coverage.splits[split] for split in ML_SPLIT},
            "processing:software": {"rsprep": rsprep.__version__},
        },
        "rsprep:schema_version": SCHEMA_VERSION,
        "item_assets": {"chips": {"type": ZARR_TYPE, "roles": ["data"], "title": "chip store", **_content(schema)}},
        "assets": {
            "chips": {
                "href": "./chips.zarr",
                "type": ZARR_TYPE,
                "title": "chip store",
                "roles": ["data"],
                "zarr:node_type": "group",
                "zarr:zarr_format": 3,
                "zarr:consolidated": True,
                "cube:dimensions": _dimensions(schema, total),
                "cube:variables": {variable.name: _cube_variable(variable) for variable in schema.variables},
                **_content(schema),
            },
            "items": {
                "href": "./items.parquet",
                "type": "application/vnd.apache.parquet",
                "title": "one STAC item a chip",
                "roles": ["collection-mirror"],
            },
        },
        "links": _links(derived_from),
    }


def _size(schema: Schema, coverage: Coverage) -> str:
    return f" of {schema.resolution:g} m" if coverage.codes else ""


def _links(derived_from: Mapping[str, str]) -> list[dict[str, str]]:
    sources = [
        {"rel": "derived_from", "href": href, "type": "application/json", "title": title}
        for title, href in sorted(derived_from.items())
    ]
    return [{"rel": "store", "href": "./chips.zarr", "type": ZARR_TYPE}, *sources]


def _content(schema: Schema) -> dict[str, Any]:
    """Bands of every variable, and the classes of the land cover."""
    content: dict[str, Any] = {"bands": [band for variable in schema.variables for band in _bands(variable)]}
    for variable in schema.variables:
        if "flag_colors" in variable.attrs:
            content["classification:classes"] = _classes(variable)
    return content


def _bands(variable: Variable) -> list[dict[str, Any]]:
    units = variable.attrs.get("band_units", [variable.attrs.get("units", "1")] * len(variable.bands or ("",)))
    bands = []
    for name, unit in zip(variable.bands or (variable.name,), units, strict=True):
        band: dict[str, Any] = {"name": name, "data_type": variable.dtype, "unit": unit}
        if variable.has_nodata:
            band["nodata"] = "nan" if np.isnan(variable.fill) else variable.fill
        if "scale" in variable.attrs:
            band |= {"unit": "1", "raster:scale": variable.attrs["scale"], "raster:offset": 0}
        if variable.name == "s2" and name in _COMMON_NAMES:
            band["eo:common_name"] = _COMMON_NAMES[name]
        bands.append(band)
    return bands


def _classes(variable: Variable) -> list[dict[str, Any]]:
    columns = (variable.attrs["flag_values"], variable.attrs["flag_meanings"].split(), variable.attrs["flag_colors"])
    values, names, colours = columns[0], columns[1], columns[2].split()
    return [
        {"value": value, "name": name, "color_hint": colour[1:].upper()}
        for value, name, colour in zip(values, names, colours, strict=True)
    ]


def _dimensions(schema: Schema, chips: int) -> dict[str, Any]:
    pixels = [0, schema.chip_px - 1]
    dimensions: dict[str, Any] = {"chip": {"type": "chip", "description": "one committed chip", "extent": [0, chips]}}
    for dim, bands in schema.band_coords.items():
        dimensions[dim] = {"type": "bands", "values": list(bands)}
    return dimensions | {
        "y": {"type": "pixel", "description": "southward within the chip", "extent": pixels},
        "x": {"type": "pixel", "description": "eastward within the chip", "extent": pixels},
    }


def _cube_variable(variable: Variable) -> dict[str, Any]:
    return {
        "dimensions": list(variable.dims),
        "type": "data",
        "description": variable.attrs.get("long_name", variable.name),
        "unit": variable.attrs.get("units", ""),
    }


def _utc(time: dt.datetime) -> str:
    return time.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
