"""From a data set on disk to what its report and its summary show."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import shapely
import yaml
from numpy.typing import NDArray

from rsprep import dynamic_world
from rsprep.cloud.address import Place
from rsprep.errors import InputError, StoreError
from rsprep.granule import Granule
from rsprep.ground.aoi import read_aoi
from rsprep.ground.footprint import chip_footprint
from rsprep.job.desk import Desk, at_desk
from rsprep.job.journal_view import JournalView
from rsprep.job.records import CORPUS, ChipRow
from rsprep.overview_corpus import sections
from rsprep.report.choose import choose, describe
from rsprep.report.data import (
    ChipTable,
    Counts,
    LandClass,
    Legend,
    Quicklook,
    ReportData,
    SourceRow,
    Timings,
)
from rsprep.report.html import write_report
from rsprep.report.render import render_chips
from rsprep.store.read import open_dataset
from rsprep.store.schema import Schema
from rsprep.store.write import read_schema
from rsprep.strict_yaml import load_yaml

LOCK_NAME = "config.lock.yaml"
REPORT_NAME = "report.html"
SAID = "source"
"""Key under which the journal keeps the licence of every source: its definition may be gone by then."""
QUICKLOOKS = 12
SOFTWARE = ("rsprep", "rasterio", "numpy", "numba", "zarr", "dask", "pystac-client", "pyproj")
CLASSES = tuple(
    LandClass(name=name, colour=colour)
    for name, colour in zip(dynamic_world.CLASSES, dynamic_world.COLOURS, strict=True)
)


def report(dataset: str | Place | Desk) -> ReportData:
    """Write ``report.html`` of a sealed data set; returns what it shows."""
    with at_desk(dataset) as desk:
        data = overview(desk, pictures=True)
        write_report(data, desk.folder / REPORT_NAME)
        if desk is not dataset and desk.mirror is not None:
            desk.mirror.push()
        return data


def overview(dataset: str | Place | Desk, *, pictures: bool = False) -> ReportData:
    """What there is to say of a data set; with `pictures`, a selection of its chips as quicklooks, too.

    Raises
    ------
    StoreError : there is no data set, or pictures are asked for before it is sealed.
    """
    with at_desk(dataset) as desk, JournalView.open(desk.folder) as journal:
        config = _locked_config(desk.folder)
        counts = journal.counts()
        is_corpus = journal.meta(CORPUS) is not None
        parts = (sections if is_corpus else _multisource)(desk, journal, pictures=pictures)
        return ReportData(
            **parts,
            counts=Counts(
                planned=counts.planned,
                committed=counts.committed,
                rejected=counts.rejected,
                quarantined=counts.quarantined,
            ),
            timings=_timings(journal, counts.committed),
            configuration=yaml.safe_dump(config, sort_keys=False, allow_unicode=True),
            software={name: importlib.metadata.version(name) for name in SOFTWARE},
            places={
                "store": str(desk.store),
                "catalog": str(Path(config["catalog"]) / "catalog.json"),
                "report": str(desk.home / REPORT_NAME),
            },
        )


def _multisource(desk: Desk, journal: JournalView, *, pictures: bool) -> dict[str, Any]:
    """What only a multi-source data set has to show."""
    config = _locked_config(desk.folder)
    schema, _ = read_schema(desk.store)
    origins = _Origins(journal.granules())
    table = _table(origins.noting(journal.chips()), schema)
    looks, legends = _quicklooks(desk.store, table) if pictures else ((), ())
    return {
        "title": f"Data set {desk.name}",
        "subtitle": _subtitle(config, schema, journal.meta(SAID, default={})),
        "chips": table,
        "aoi": _outline(config["aoi"]),
        "classes": CLASSES if "lulc" in schema.names else (),
        "quicklooks": looks,
        "legends": legends,
        "sources": _sources(origins, journal.meta(SAID, default={})),
    }


def _locked_config(folder: Path) -> dict[str, Any]:
    try:
        config = load_yaml((folder / LOCK_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        config = error
    if not isinstance(config, dict):
        raise StoreError(
            "no-config",
            "the data set's own configuration is missing or damaged",
            value=str(folder / LOCK_NAME),
            remedy="run the same build command again: it writes the file anew",
        )
    return config


def _subtitle(config: dict[str, Any], schema: Schema, sources: Iterable[str]) -> str:
    period = " to ".join(str(config[key])[:10] for key in ("start", "end") if config[key])
    parts = [
        f"from {', '.join(sources)}",
        period,
        f"chips of {schema.chip_px} × {schema.chip_px} pixels of {schema.resolution:g} m",
    ]
    return ", ".join(part for part in parts if part)


class _Origins:
    """What the committed chips were made from, gathered chip by chip."""

    def __init__(self, granules: Iterable[Granule]) -> None:
        self._known: dict[tuple[str, str], list[Granule]] = defaultdict(list)
        for one in granules:
            self._known[one.product, one.id].append(one)
        self.granules: dict[tuple[str, str], dict[str, Granule]] = defaultdict(dict)
        """Product and source to the granules that gave pixels, by id."""
        self.chips: dict[tuple[str, str], int] = defaultdict(int)
        """Product and source to the number of chips that they gave pixels to."""
        self.facts: dict[str, set[str]] = defaultdict(set)

    def noting(self, rows: Iterable[ChipRow]) -> Iterator[ChipRow]:
        """Pass `rows` on, and remember what they tell."""
        for row in rows:
            if row.state == "committed":
                self._note(row)
            yield row

    def _note(self, row: ChipRow) -> None:
        facts = row.stats.get("facts", {})
        served = set()
        for product, names in row.stats.get("sources", {}).items():
            told = facts.get(f"{product}_source")
            for granule in (one for name in names for one in self._known[product, name]):
                if told is None or granule.source in told:  # two sources may call a granule by one name
                    served.add((product, granule.source))
                    self.granules[product, granule.source][granule.id] = granule
        for key in served:
            self.chips[key] += 1
        for name, values in facts.items():
            self.facts[name].update(values)


def _table(rows: Iterable[ChipRow], schema: Schema) -> ChipTable:
    """The chips as columns. One row is looked at at a time: all of a large journal would fill the memory."""
    columns = zip(*(_entry(row, schema) for row in rows), strict=True)
    names, lon, lat, corners, splits, states, reasons, cloud, valid, shares = columns
    return ChipTable(
        chip_id=names,
        lon=np.array(lon, np.float64),
        lat=np.array(lat, np.float64),
        corners=np.stack(corners),
        split=splits,
        state=states,
        reason=reasons,
        s2_cloud_fraction=np.array(cloud, np.float64) if "s2" in schema.names else None,
        valid_fraction=np.array(valid, np.float64),
        class_shares=np.stack(shares) if "lulc" in schema.names else None,
    )


def _entry(row: ChipRow, schema: Schema) -> tuple[Any, ...]:
    """One chip for :func:`_table`; text that many chips share is kept once."""
    known = row.stats.get("class_shares")
    return (
        row.chip_id,
        row.record["lon"],
        row.record["lat"],
        _corners(row, schema),
        sys.intern(row.record["split"]),
        sys.intern(row.state),
        sys.intern(row.reason),
        _number(row.stats.get("s2_cloud_fraction")),
        _number(row.stats.get("valid_fraction")),
        np.array([np.nan if known is None else known.get(str(code), 0.0) for code in range(len(CLASSES))]),
    )


def _number(value: float | None) -> float:
    return np.nan if value is None else value


def _corners(row: ChipRow, schema: Schema) -> NDArray[np.float64]:
    outline = chip_footprint(row.record["epsg"], row.record["x_origin"], row.record["y_origin"], schema.side)
    points = np.concatenate([np.asarray(part.exterior.coords)[:-1] for part in shapely.get_parts(outline)])
    if outline.geom_type == "Polygon":
        return np.asarray(points[:: len(points) // 4][:4])
    # Across 180° the two parts meet there; the outer corners are the chip's own.
    east, west = points[points[:, 0] > 0], points[points[:, 0] < 0]
    inner_east = east[np.argsort(east[:, 0])[:2]]
    inner_west = west[np.argsort(-west[:, 0])[:2]]
    left = inner_east[np.argsort(-inner_east[:, 1])]
    right = inner_west[np.argsort(inner_west[:, 1])]
    return np.asarray(np.concatenate([left, right]))


def _outline(aoi: str) -> tuple[NDArray[np.float64], ...]:
    """Rings of the AOI; none where its file is no longer there."""
    try:
        geometry = read_aoi(aoi).geometry
    except InputError:
        return ()
    return tuple(np.asarray(part.exterior.coords) for part in geometry.geoms)


def _quicklooks(store: Place, table: ChipTable) -> tuple[tuple[Quicklook, ...], tuple[Legend, ...]]:
    choices = choose(table, QUICKLOOKS)
    if not choices:
        return (), ()
    dataset = open_dataset(store)
    place = {chip_id: at for at, chip_id in enumerate(dataset["chip_id"].to_numpy().tolist())}
    bands = {
        str(name): [str(band) for band in dataset[f"{name}_band"].to_numpy()]
        for name in dataset.data_vars
        if f"{name}_band" in dataset.coords
    }
    chips = []
    for choice in choices:
        one = dataset.isel(chip=place[table.chip_id[choice.index]])
        chips.append({str(name): one[name].to_numpy() for name in dataset.data_vars})
    rendered = render_chips(chips, bands=bands, classes=CLASSES)
    looks = tuple(
        Quicklook(chip_id=table.chip_id[choice.index], caption=describe(table, choice, CLASSES), layers=images)
        for choice, images in zip(choices, rendered.images, strict=True)
    )
    return looks, rendered.legends


def _sources(origins: _Origins, licences: Mapping[str, str]) -> tuple[SourceRow, ...]:
    """What the committed chips were made from, product by product, source by source."""
    facts = origins.facts
    return tuple(
        SourceRow(
            product=product,
            source=source,
            collection=", ".join(sorted({one.collection for one in granules.values()})),
            granules=len(granules),
            chips=origins.chips[product, source],
            dates=_dates([one.datetime for one in granules.values()]) if product != "dem" else "",
            baseline=", ".join(sorted(facts[f"{product}_baseline"])),
            orbit=", ".join(sorted(facts[f"{product}_orbit"])),
            licence=licences.get(source, ""),
            note=", ".join(sorted(facts[f"{product}_platform"])),
        )
        for (product, source), granules in sorted(origins.granules.items())
    )


def _dates(moments: list[dt.datetime]) -> str:
    days = sorted({moment.date() for moment in moments})
    return str(days[0]) if len(days) == 1 else f"{len(days)}: {days[0]} to {days[-1]}"


def _timings(journal: JournalView, committed: int) -> Timings:
    stages: dict[str, float] = defaultdict(float)
    seconds: list[float] = []
    read = peak = requests = 0
    for shard in journal.shards():
        seconds.append(shard.seconds)
        read += shard.bytes_read
        requests += shard.stats.get("requests", 0)
        peak = max(peak, shard.peak_rss)
        for stage, spent in shard.stats.get("seconds", {}).items():
            stages[stage] += spent
    wall = journal.meta("seconds")
    return Timings(
        stages=dict(stages),
        shard_seconds=tuple(spent for spent in seconds if spent > 0),
        wall_seconds=wall,
        chips_per_second=committed / wall if wall else None,
        bytes_read=read,
        requests=requests or None,
        peak_memory_bytes=peak or None,
    )
