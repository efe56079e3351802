"""The report as one HTML file that needs nothing else: pictures, charts and style are inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from rsprep.files import write_text
from rsprep.report import charts
from rsprep.report.colours import HATCH_LINE, HATCH_PAPER
from rsprep.report.data import SPLITS, ChipTable, Counts, ReportData, Timings
from rsprep.report.images import data_uri
from rsprep.report.map import draw_map, style_of
from rsprep.report.words import bytes_text, count_text, seconds_text, verdict

TEMPLATES = Path(__file__).parent / "templates"
SHEET_PX = 1600
FRACTION_TICKS = {0.0: "0", 0.25: "25", 0.5: "50", 0.75: "75", 1.0: "100 %"}


def write_report(data: ReportData, path: str | Path) -> Path:
    """Write the report; an older one is replaced only when the new one is whole.

    Parameters
    ----------
    data : what to show; absent parts leave out their section.
    path : the HTML file; its folder must exist.

    Returns
    -------
    `path`.
    """
    path = Path(path)
    write_text(path, render_html(data))
    return path


def escaping(templates: Path) -> jinja2.Environment:
    """Templates of a folder, with all that they are given escaped, and every name that is not given an error."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render_html(data: ReportData) -> str:
    """The page as text; the same data give the same bytes."""
    environment = escaping(TEMPLATES)
    environment.filters.update(count=count_text, seconds=seconds_text, bytes=bytes_text)
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    return environment.get_template("report.html.j2").render(
        data=data,
        verdict=verdict(data.counts),
        share=data.counts.committed / data.counts.planned if data.counts.planned else 0.0,
        # Our own file, not the user's: the only text that goes in unescaped besides our SVG.
        style=Markup(style),  # noqa: S704  # our own file
        map=draw_map(data.chips, data.aoi) if data.aoi or _has_places(data.chips) else None,
        map_key=_map_key(data.chips) if data.aoi or _has_places(data.chips) else [],
        splits=_split_rows(data.chips),
        tally=_tally(data.counts),
        looks=_looks(data),
        sheets=[(one, data_uri(one.image, longest=SHEET_PX)) for one in data.sheets],
        ramps={legend.layer: charts.gradient(legend.stops) for legend in data.legends if legend.stops},
        hatch=data_uri(_hatch_swatch()),
        charts=_charts(data),
        problems=data.grouped_problems(),
        figures=_figures(data.timings),
        stages=_stages(data.timings),
    )


def _has_places(chips: ChipTable | None) -> bool:
    return chips is not None and bool(np.isfinite(chips.lon).any())


def _map_key(chips: ChipTable | None) -> list[dict[str, str]]:
    """One entry for each style that the map uses, splits first."""
    if chips is None:
        return []
    rank = {"committed": 0, "rejected": 1, "quarantined": 2, "planned": 3}
    pairs = set(zip(chips.state, chips.split, strict=True))
    entries: dict[str, dict[str, str]] = {}
    for state, split in sorted(pairs, key=lambda pair: (rank[pair[0]], _split_rank(pair[1]))):
        fill, stroke, label = style_of(split, state)
        border = fill if state == "committed" else stroke
        entries[label] = {"fill": "transparent" if fill == "none" else fill, "border": border, "label": label}
    return list(entries.values())


def _split_rank(split: str) -> tuple[int, str]:
    return (SPLITS.index(split) if split in SPLITS else len(SPLITS), split)


def _split_rows(chips: ChipTable | None) -> list[dict[str, Any]]:
    """Committed chips a split, with their mean cloud and valid fractions."""
    if chips is None:
        return []
    rows = []
    total = int(chips.committed.sum())
    names = {split for split, state in zip(chips.split, chips.state, strict=True) if state == "committed" and split}
    for split in sorted(names, key=_split_rank):
        chosen = chips.in_split(split)
        rows.append(
            {
                "name": split,
                "key": charts.key(split),
                "count": int(chosen.sum()),
                "share": f"{100 * chosen.sum() / total:.0f} %",
                "cloud": _mean_percent(chips.s2_cloud_fraction, chosen),
                "valid": _mean_percent(chips.valid_fraction, chosen),
            }
        )
    return rows


def _mean_percent(column: Any, chosen: Any) -> str:
    values = column[chosen] if column is not None else np.empty(0)
    values = values[np.isfinite(values)]
    return f"{100 * values.mean():.1f} %" if values.size else "–"


def _tally(counts: Counts) -> list[tuple[str, int, str]]:
    rows = [
        ("committed", counts.committed, "in the data set"),
        ("rejected", counts.rejected, "left out by the rules of this build"),
        ("quarantined", counts.quarantined, "could not be made; no pixel of theirs is in the data set"),
        ("not built yet", counts.pending, "the same command continues with them"),
    ]
    return [row for row in rows if row[0] != "not built yet" or row[1]]


def _looks(data: ReportData) -> dict[str, Any] | None:
    if not data.quicklooks:
        return None
    titles: list[str] = []
    for look in data.quicklooks:
        titles += [title for title in look.layers if title not in titles]
    rows = [
        {
            "id": look.chip_id,
            "caption": look.caption,
            "cells": [(title, data_uri(look.layers[title]) if title in look.layers else None) for title in titles],
        }
        for look in data.quicklooks
    ]
    return {"titles": titles, "rows": rows}


def _hatch_swatch() -> Any:
    y, x = np.indices((16, 24))
    return np.array([HATCH_PAPER, HATCH_LINE], dtype=np.uint8)[((y + x) % 8 < 2).astype(np.intp)]


def _charts(data: ReportData) -> list[dict[str, Any]]:
    drawn: list[dict[str, Any]] = []
    chips = data.chips
    if chips is not None and chips.committed.any():
        done = chips.committed
        if data.classes and chips.class_shares is not None:
            splits = {split: _mean_shares(chips.class_shares[chips.in_split(split)]) for split in SPLITS}
            bars = charts.class_bars(data.classes, _mean_shares(chips.class_shares[done]), splits)
            drawn.append({"title": "Land cover", "note": "share of all committed ground", "svg": bars, "wide": True})
        columns = (
            ("Cloud per chip", "chips by the share observed but never clear", chips.s2_cloud_fraction),
            ("Valid per chip", "chips by the share that holds data", chips.valid_fraction),
        )
        for title, note, column in columns:
            if column is not None:
                bars = charts.histogram(column[done], label=title, limits=(0.0, 1.0), ticks=FRACTION_TICKS)
                drawn.append({"title": title, "note": note, "svg": bars, "wide": False})
    for one in data.distributions:
        middle = (one.low + one.high) / 2
        ticks = {at: f"{at:.3g}{one.unit if at == one.high else ''}" for at in (one.low, middle, one.high)}
        bars = charts.histogram(one.values, label=one.title, limits=(one.low, one.high), ticks=ticks)
        drawn.append({"title": one.title, "note": one.note, "svg": bars, "wide": False})
    if data.timings is not None and data.timings.shard_seconds:
        top = charts.nice_ceiling(max(data.timings.shard_seconds))
        ticks = {0.0: "0", top / 2: f"{top / 2:g}", top: f"{top:g} s"}
        bars = charts.histogram(data.timings.shard_seconds, label="Seconds per shard", limits=(0.0, top), ticks=ticks)
        drawn.append(
            {
                "title": "Seconds per shard",
                "note": "shards by time; a shard is one unit of work",
                "svg": bars,
                "wide": False,
            }
        )
    return drawn


def _mean_shares(shares: Any) -> Any:
    known = shares[np.isfinite(shares).all(axis=1)]
    return known.mean(axis=0) if len(known) else np.full(shares.shape[1], np.nan)


def _figures(timings: Timings | None) -> list[tuple[str, str]]:
    if timings is None:
        return []
    rows = [
        ("wall time", timings.wall_seconds, seconds_text),
        ("chips per second", timings.chips_per_second, lambda value: f"{value:.2f}"),
        ("bytes read", timings.bytes_read, bytes_text),
        ("requests", timings.requests, lambda value: count_text(int(value))),
        ("peak memory", timings.peak_memory_bytes, bytes_text),
    ]
    return [(name, write(value)) for name, value, write in rows if value is not None]


def _stages(timings: Timings | None) -> list[dict[str, Any]]:
    if timings is None or not timings.stages:
        return []
    total = sum(timings.stages.values()) or 1.0
    return [
        {"name": name, "seconds": seconds, "percent": round(100 * seconds / total, 1)}
        for name, seconds in timings.stages.items()
    ]
