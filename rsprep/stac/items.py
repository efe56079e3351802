"""The index of a data set: one STAC item a chip, as STAC-GeoParquet.

The columns and their types are fixed here, not inferred from the rows, so that a data set whose
first chips lack an orbit reads like any other, and a million chips stream through in batches.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import shapely
import stac_geoparquet.arrow

import rsprep
from rsprep.dynamic_world import CLASSES
from rsprep.errors import StoreError
from rsprep.files import appearing
from rsprep.ground.footprint import bbox_of, chip_footprint
from rsprep.job.records import ChipRow
from rsprep.store.schema import NOWHERE, Schema

FILE_NAME = "items.parquet"
STAC_VERSION = "1.1.0"
ZARR_TYPE = "application/vnd.zarr; version=3"
EXTENSIONS = (
    "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
    "https://stac-extensions.github.io/eo/v1.1.0/schema.json",
    "https://stac-extensions.github.io/processing/v1.2.0/schema.json",
    "https://stac-extensions.github.io/sat/v1.0.0/schema.json",
)
ML_SPLIT = {"train": "train", "val": "validate", "test": "test"}
"""The store's names of splits to those of the ml-aoi extension."""
LINEAGE = "resampled to the chip's grid, composited over the time window and cut by rsprep; sources in rsprep:sources"
_BATCH = 4096
_LINK = pa.struct([("rel", pa.string()), ("href", pa.string()), ("type", pa.string())])
_ASSET = pa.struct(
    [("href", pa.string()), ("type", pa.string()), ("title", pa.string()), ("roles", pa.list_(pa.string()))]
)
_TIME = pa.timestamp("us", tz="UTC")
_ARROW = {"float32": pa.float64(), "int32": pa.int64(), "string": pa.string(), "bool": pa.bool_()}
ALWAYS = (dt.datetime(1900, 1, 1, tzinfo=dt.UTC), dt.datetime(2100, 1, 1, tzinfo=dt.UTC))
"""Stands in for the time of pictures without a date, since STAC asks for one; the store holds NaT for them."""
_COLUMNS = pa.schema(
    [
        ("type", pa.string()),
        ("stac_version", pa.string()),
        ("stac_extensions", pa.list_(pa.string())),
        ("id", pa.string()),
        ("collection", pa.string()),
        pa.field("geometry", pa.binary(), metadata={"ARROW:extension:name": "geoarrow.wkb"}),
        ("bbox", pa.struct([(side, pa.float64()) for side in ("xmin", "ymin", "xmax", "ymax")])),
        ("links", pa.list_(_LINK)),
        ("assets", pa.struct([("chips", _ASSET)])),
        ("datetime", _TIME),
        ("start_datetime", _TIME),
        ("end_datetime", _TIME),
        ("proj:code", pa.string()),
        ("proj:shape", pa.list_(pa.int64())),
        ("proj:transform", pa.list_(pa.float64())),
        ("eo:cloud_cover", pa.float64()),
        ("s2:processing_baseline", pa.string()),
        ("sat:orbit_state", pa.string()),
        ("ml-aoi:split", pa.string()),
        ("processing:software", pa.struct([("rsprep", pa.string())])),
        ("processing:lineage", pa.string()),
        ("split", pa.string()),
        ("rsprep:slot", pa.int64()),
        ("rsprep:digest", pa.string()),
        ("rsprep:valid_fraction", pa.float64()),
        ("rsprep:class_shares", pa.list_(pa.float64())),
        ("rsprep:synthetic", pa.bool_()),
        ("rsprep:sources", pa.list_(pa.string())),
        ("rsprep:facts", pa.list_(pa.string())),
    ]
)


def item_row(
    chip: ChipRow,
    schema: Schema,
    collection: str,
    window: tuple[dt.datetime, dt.datetime] | None,
    *,
    synthetic: bool = False,
) -> dict[str, Any]:
    """One chip as a row of the index.

    Parameters
    ----------
    chip : a committed chip.
    window : time that stands in where the chip's own is not known (terrain alone has none).
    synthetic : a model made it.
    """
    record, stats = chip.record, chip.stats
    start, end = _times(chip, window)
    cloud = stats.get("s2_cloud_fraction")
    return {
        **_place(record, schema),
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": list(EXTENSIONS),
        "id": chip.chip_id,
        "collection": collection,
        "links": [
            {"rel": "collection", "href": "./collection.json", "type": "application/json"},
            {"rel": "store", "href": "./chips.zarr", "type": ZARR_TYPE},
        ],
        "assets": {"chips": {"href": "./chips.zarr", "type": ZARR_TYPE, "title": "chip store", "roles": ["data"]}},
        "datetime": start,
        "start_datetime": start,
        "end_datetime": end,
        "eo:cloud_cover": None if cloud is None else round(100 * cloud, 4),
        "s2:processing_baseline": _joined(stats, "sentinel2_baseline"),
        "sat:orbit_state": _joined(stats, "sentinel1_orbit"),
        "ml-aoi:split": ML_SPLIT[record["split"]],
        "processing:software": {"rsprep": rsprep.__version__},
        "processing:lineage": stats.get("lineage", LINEAGE),
        "split": record["split"],
        "rsprep:slot": chip.slot,
        "rsprep:digest": chip.digest,
        "rsprep:valid_fraction": stats.get("valid_fraction"),
        "rsprep:class_shares": _class_shares(stats),
        "rsprep:synthetic": synthetic,
        "rsprep:sources": _flat(stats.get("sources", {}), "/"),
        "rsprep:facts": _flat(stats.get("facts", {}), "="),
        **{f"rsprep:{column.name}": stats["values"][column.name] for column in schema.columns},
    }


def _place(record: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    """Footprint and grid of a chip; without geometry for one that lies nowhere on the ground."""
    pixel = schema.resolution
    shape = {"proj:shape": [schema.chip_px, schema.chip_px]}
    if record["epsg"] == NOWHERE:
        return {**shape, "geometry": None, "bbox": None, "proj:code": None, "proj:transform": None}
    footprint = chip_footprint(record["epsg"], record["x_origin"], record["y_origin"], schema.side)
    return {
        **shape,
        "geometry": shapely.to_wkb(footprint),
        "bbox": dict(zip(("xmin", "ymin", "xmax", "ymax"), bbox_of(footprint), strict=True)),
        "proj:code": f"EPSG:{record['epsg']}",
        "proj:transform": [pixel, 0.0, record["x_origin"], 0.0, -pixel, record["y_origin"]],
    }


def _times(chip: ChipRow, window: tuple[dt.datetime, dt.datetime] | None) -> tuple[dt.datetime, dt.datetime]:
    if chip.stats.get("datetime_start") is not None:
        start, end = (dt.datetime.fromisoformat(chip.stats[f"datetime_{which}"]) for which in ("start", "end"))
        return start, end
    if window is None:
        raise StoreError(
            "no-time",
            "neither the chip nor any granule of the data set has a time, and STAC asks for one",
            value=chip.chip_id,
            remedy="build with a source whose items have a datetime",
        )
    return window


def _joined(stats: Mapping[str, Any], fact: str) -> str | None:
    """What the chip's granules say of `fact`; several values where they differ, None where none says it."""
    return ", ".join(sorted(stats.get("facts", {}).get(fact, []))) or None


def _class_shares(stats: Mapping[str, Any]) -> list[float] | None:
    """Share of the chip in each of the nine classes; None without land cover."""
    if "class_shares" not in stats:
        return None
    return [float(stats["class_shares"].get(str(code), 0.0)) for code in range(len(CLASSES))]


def _flat(groups: Mapping[str, Iterable[str]], joint: str) -> list[str]:
    """``{"dem": ["a"]}`` as ``["dem/a"]``: one list, whatever the groups."""
    return [f"{group}{joint}{name}" for group in sorted(groups) for name in sorted(groups[group])]


def write_items(path: str | Path, rows: Iterable[Mapping[str, Any]], schema: Schema) -> int:
    """Write the index in one piece; it appears whole or not at all.

    Parameters
    ----------
    rows : from :func:`item_row`, in slot order; taken in batches.
    schema : of the store; its columns become columns of the index.

    Returns
    -------
    Number of rows.
    """
    path = Path(path)
    columns = _COLUMNS
    for column in schema.columns:
        columns = columns.append(pa.field(f"rsprep:{column.name}", _ARROW[column.kind]))
    count = 0

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal count
        remaining = iter(rows)
        while batch := list(islice(remaining, _BATCH)):
            count += len(batch)
            yield pa.RecordBatch.from_pylist(batch, schema=columns)

    with appearing(path) as partial:
        reader = pa.RecordBatchReader.from_batches(columns, batches())
        stac_geoparquet.arrow.to_parquet(reader, partial, compression="zstd")
    return count
