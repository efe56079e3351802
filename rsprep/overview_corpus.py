"""From a corpus on disk to what its report and its summary show."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from rsprep.cloud.address import Place
from rsprep.job.desk import Desk
from rsprep.job.journal_view import JournalView
from rsprep.job.records import CORPUS, TABLES, ChipRow
from rsprep.report.data import ChipTable, Distribution, LandClass, Rgb, Sheet, SourceRow, Table
from rsprep.report.plain import classes_of, paint
from rsprep.report.sheet import contact_sheet
from rsprep.store.schema import NOWHERE, Schema
from rsprep.store.strict import open_strict, read_slots
from rsprep.store.write import read_schema

SHOWN = 60
"""Most chips on the contact sheet, but for those that are marked."""
CELL_PX = 128
LONGEST_NAME = 16
ACROSS_PX = 1200
WIDEST_MAP = 8.0
"""Degrees; places that lie farther apart than this make a map on which nothing can be seen."""


def sections(desk: Desk, journal: JournalView, *, pictures: bool) -> dict[str, Any]:
    """The parts of :class:`rsprep.report.data.ReportData` that a corpus fills in its own way."""
    schema, _ = read_schema(desk.store)
    about = journal.meta(CORPUS)
    classes = _classes(schema)
    table = _chip_table(journal.chips(), schema, classes)
    return {
        "title": f"{about['title']}: {desk.name}",
        "subtitle": about["subtitle"],
        "chips": table,
        "classes": tuple(one for _, one in classes),
        "sources": tuple(SourceRow(**row) for row in about["sources"]),
        "tables": tuple(_table(row) for row in journal.meta(TABLES, [])),
        "distributions": tuple(_distributions(journal, about["histograms"])),
        "sheets": _sheets(desk.store, schema, journal, about["sheet"]) if pictures and table.committed.any() else (),
    }


def as_record(table: Table) -> dict[str, Any]:
    """A table as the journal keeps it."""
    return {"title": table.title, "header": table.header, "rows": table.rows, "note": table.note}


def _table(record: dict[str, Any]) -> Table:
    rows = tuple(tuple(row) for row in record["rows"])
    return Table(title=record["title"], header=tuple(record["header"]), rows=rows, note=record["note"])


def _classes(schema: Schema) -> list[tuple[int, LandClass]]:
    """Codes and classes of the first variable that has more than two of them; a mask's two say nothing."""
    for variable in schema.variables:
        found = classes_of(variable)
        if len(found) > 2:
            return list(zip(variable.attrs["flag_values"], found, strict=True))
    return []


def _chip_table(rows: Iterator[ChipRow], schema: Schema, classes: Sequence[tuple[int, LandClass]]) -> ChipTable:
    names, lon, lat, splits, states, reasons, valid, shares = [], [], [], [], [], [], [], []
    placed = True
    for row in rows:
        names.append(row.chip_id)
        placed &= row.record["epsg"] != NOWHERE
        lon.append(row.record["lon"] if row.record["lon"] is not None else np.nan)
        lat.append(row.record["lat"] if row.record["lat"] is not None else np.nan)
        splits.append(row.record["split"])
        states.append(row.state)
        reasons.append(row.reason)
        valid.append(row.stats.get("valid_fraction", np.nan))
        counts = row.stats.get("class_counts")
        total = sum(counts.values()) if counts else 0
        shares.append([counts.get(str(code), 0) / total if counts and total else np.nan for code, _ in classes])
    places = np.array([lon, lat], np.float64)
    if not placed or np.ptp(places, axis=1).max(initial=0) > WIDEST_MAP:
        places[:] = np.nan
    half = schema.side / 2 / 111_320.0
    corners = np.stack([places + half * np.array(at)[:, None] for at in ((-1, -1), (-1, 1), (1, 1), (1, -1))])
    return ChipTable(
        chip_id=tuple(names),
        lon=places[0],
        lat=places[1],
        corners=corners.transpose(2, 0, 1),
        split=tuple(splits),
        state=tuple(states),  # type: ignore[arg-type]  # the journal allows no others
        reason=tuple(reasons),
        valid_fraction=np.array(valid, np.float64) if np.isfinite(valid).any() else None,
        class_shares=np.array(shares, np.float64) if classes else None,
    )


def _distributions(journal: JournalView, wanted: Sequence[dict[str, Any]]) -> Iterator[Distribution]:
    values: dict[str, list[float]] = {one["column"]: [] for one in wanted}
    for chip in journal.chips("committed"):
        for name, column in values.items():
            column.append(float(chip.stats["values"][name]))
    for one in wanted:
        yield Distribution(
            title=one["title"],
            note=one["note"],
            values=np.array(values[one["column"]]),
            low=one["low"],
            high=one["high"],
            unit=one["unit"],
        )


def _sheets(store: Place, schema: Schema, journal: JournalView, first: str) -> tuple[Sheet, ...]:
    """All variables of some chips side by side; those that the column `first` marks come first."""
    chips = [
        (chip.slot, chip.chip_id, bool(first) and bool(chip.stats["values"][first]))
        for chip in journal.chips("committed")
    ]
    slots, names, marked = (list(column) for column in zip(*chips, strict=True))
    order = sorted(range(len(names)), key=lambda i: (not marked[i], hashlib.sha256(names[i].encode()).digest()))
    side = -(-schema.chip_px // _step(schema))
    columns = max(1, ACROSS_PX // (side * len(schema.variables)))
    most = max(min(SHOWN, columns * max(1, ACROSS_PX // side)), sum(marked))  # a longer sheet would be shrunk
    chosen = sorted(order[:most], key=lambda i: (not marked[i], i))
    looks = _side_by_side(store, [slots[i] for i in chosen], schema)
    captions = [("* " if marked[i] else "") + _short(names[i]) for i in chosen]
    shown = ", ".join(variable.name for variable in schema.variables)
    note = f"{len(chosen)} of {len(names)} chips: {shown}" + (f"; * {first}" if first else "")
    return (Sheet(title="Contact sheet", note=note, image=contact_sheet(looks, captions, columns)),)


def _short(name: str) -> str:
    """The end of a long name: names of one corpus differ there."""
    return name if len(name) <= LONGEST_NAME else f"…{name[-LONGEST_NAME:]}"


def _side_by_side(store: Place, slots: Sequence[int], schema: Schema) -> list[Rgb]:
    """The chips in these slots, read one by one: they come from nearly as many shards."""
    step = _step(schema)
    group = open_strict(store)
    columns: list[list[Rgb]] = []
    for variable in schema.variables:
        values = [read_slots(group, variable.name, slot, 1)[0][..., ::step, ::step] for slot in slots]
        columns.append(paint(variable, values))
    return [np.concatenate(row, axis=1) for row in zip(*columns, strict=True)]


def _step(schema: Schema) -> int:
    """Every how many pixels one is shown."""
    return max(1, schema.chip_px // CELL_PX)
