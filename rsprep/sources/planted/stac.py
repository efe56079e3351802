"""Static STAC 1.1: a catalog, its collections and their items, with projection metadata and checksums."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from rsprep.sources.planted.cogs import fingerprint, write_cog, write_text
from rsprep.sources.planted.ground import epsg_of
from rsprep.sources.planted.typing import Scalar

PROJECTION = "https://stac-extensions.github.io/projection/v2.0.0/schema.json"
FILE = "https://stac-extensions.github.io/file/v2.1.0/schema.json"
EO = "https://stac-extensions.github.io/eo/v2.0.0/schema.json"
SAR = "https://stac-extensions.github.io/sar/v1.0.0/schema.json"
SAT = "https://stac-extensions.github.io/sat/v1.0.0/schema.json"
GRID = "https://stac-extensions.github.io/grid/v1.1.0/schema.json"
COG = "image/tiff; application=geotiff; profile=cloud-optimized"


@dataclass(frozen=True, kw_only=True)
class Raster:
    """One asset before it is written."""

    key: str
    values: NDArray[Scalar]
    """(y, x) or (bands, y, x)."""
    grid: GeoBox
    nodata: float | None
    classes: bool = False
    point: bool = False
    names: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Item:
    """One item before it is written."""

    id: str
    collection: str
    datetime: dt.datetime
    footprint: shapely.Geometry
    properties: Mapping[str, Any]
    extensions: Sequence[str] = ()
    rasters: Sequence[Raster] = field(default_factory=tuple)


def stamp(moment: dt.datetime) -> str:
    """A moment as STAC writes it."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _dump(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def item_path(root: Path, collection: str, name: str) -> Path:
    """Where the JSON of an item lies; its presence says that all its assets are complete."""
    return root / collection / name / f"{name}.json"


def write_item(root: Path, item: Item) -> Path:
    """Write the assets of an item that are not there yet, then its JSON."""
    path = item_path(root, item.collection, item.id)
    assets = {}
    for raster in item.rasters:
        file = path.parent / f"{item.id}_{raster.key}.tif"
        if not file.exists():
            write_cog(
                file, raster.values, raster.grid,
                nodata=raster.nodata, classes=raster.classes, point=raster.point, names=raster.names,
            )  # fmt: skip
        assets[raster.key] = _asset(file, raster)
    first = item.rasters[0].grid
    content = {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [PROJECTION, FILE, *item.extensions],
        "id": item.id,
        "collection": item.collection,
        "geometry": shapely.geometry.mapping(item.footprint),
        "bbox": bbox(item.footprint),
        "properties": {
            "datetime": stamp(item.datetime),
            "proj:code": f"EPSG:{epsg_of(first)}",
            **item.properties,
        },
        "links": [
            {"rel": "root", "href": "../../catalog.json", "type": "application/json"},
            {"rel": "parent", "href": "../collection.json", "type": "application/json"},
            {"rel": "collection", "href": "../collection.json", "type": "application/json"},
        ],
        "assets": assets,
    }
    write_text(path, _dump(content))
    return path


def bbox(footprint: shapely.Geometry) -> list[float]:
    """West, south, east, north; west is greater than east where the footprint crosses the antimeridian."""
    west, south, east, north = footprint.bounds
    if footprint.geom_type == "MultiPolygon" and east - west > 180:
        parts = [part.bounds for part in footprint.geoms]
        west = min(part[0] for part in parts if part[0] > 0)
        east = max(part[2] for part in parts if part[2] < 0)
    return [west, south, east, north]


def _asset(file: Path, raster: Raster) -> dict[str, Any]:
    size, checksum = fingerprint(file)
    bands = raster.names or (raster.key,)
    number = "nan" if raster.nodata is not None and np.isnan(raster.nodata) else raster.nodata
    return {
        "href": f"./{file.name}",
        "type": COG,
        "roles": ["data"],
        "proj:code": f"EPSG:{epsg_of(raster.grid)}",
        "proj:shape": [int(n) for n in raster.grid.shape],
        "proj:transform": [float(n) for n in tuple(raster.grid.transform)[:6]],
        "data_type": raster.values.dtype.name,
        "nodata": number,
        "bands": [{"name": name} for name in bands],
        "file:size": size,
        "file:checksum": checksum,
    }


def write_collection(
    root: Path, name: str, *, title: str, items: Sequence[Path], extra_links: Sequence[Mapping[str, Any]] = (),
    summaries: Mapping[str, Any] | None = None,
) -> None:  # fmt: skip
    """Write the collection that holds `items` (paths of their JSON)."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in items]
    boxes = [record["bbox"] for record in records]
    times = sorted(record["properties"]["datetime"] for record in records)
    crossing = any(box[0] > box[2] for box in boxes)
    whole = [
        -180.0 if crossing else min((box[0] for box in boxes), default=-180.0),
        min((box[1] for box in boxes), default=-90.0),
        180.0 if crossing else max((box[2] for box in boxes), default=180.0),
        max((box[3] for box in boxes), default=90.0),
    ]
    content = {
        "type": "Collection",
        "stac_version": "1.1.0",
        "stac_extensions": [],
        "id": name,
        "title": title,
        "description": f"{title} of a planted world: made by `rsprep simulate`, no real place.",
        "license": "CC0-1.0",
        "extent": {
            "spatial": {"bbox": [whole]},
            "temporal": {"interval": [[times[0], times[-1]] if times else [None, None]]},
        },
        "summaries": dict(summaries or {}),
        "links": [
            {"rel": "root", "href": "../catalog.json", "type": "application/json"},
            {"rel": "parent", "href": "../catalog.json", "type": "application/json"},
            *[
                {"rel": "item", "href": f"./{path.parent.name}/{path.name}", "type": "application/geo+json"}
                for path in items
            ],
            *extra_links,
        ],
    }
    write_text(root / name / "collection.json", _dump(content))


def write_catalog(root: Path, collections: Sequence[str]) -> Path:
    """Write the catalog over `collections`; the last file of a publication."""
    links = [{"rel": "root", "href": "./catalog.json", "type": "application/json"}]
    links += [{"rel": "child", "href": f"./{name}/collection.json", "type": "application/json"} for name in collections]
    content = {
        "type": "Catalog",
        "stac_version": "1.1.0",
        "id": "planted",
        "title": "Planted world",
        "description": "A seeded landscape published as Sentinel-1, Sentinel-2, Dynamic World and Copernicus DEM are.",
        "links": links,
    }
    path = root / "catalog.json"
    write_text(path, _dump(content))
    return path
