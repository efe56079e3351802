"""One HTML page out of sections; it needs no other file, and the same sections give the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from rsmodels.report import boxes, charts
from rsmodels.report.sections import (
    BarsSection,
    BoxesSection,
    LinesSection,
    PanelsSection,
    Ramp,
    Section,
    Series,
    TableSection,
)
from rsprep.files import write_text
from rsprep.report import charts as shared
from rsprep.report.colours import HATCH_LINE, HATCH_PAPER
from rsprep.report.html import TEMPLATES as SHARED_TEMPLATES
from rsprep.report.html import escaping
from rsprep.report.images import data_uri

TEMPLATES = Path(__file__).parent / "templates"

__all__ = [
    "BarsSection",
    "BoxesSection",
    "LinesSection",
    "PanelsSection",
    "Ramp",
    "Section",
    "Series",
    "TableSection",
    "render_page",
    "write_page",
]


def write_page(path: str | Path, title: str, subtitle: str, sections: Sequence[Section], *, over: str = "") -> Path:
    """Write the page; an older one is replaced only when the new one is whole.

    Parameters
    ----------
    path : the HTML file; its folder must exist.
    title : the headline: what was found.
    subtitle : a line below it.
    over : a line above it: what this is about.

    Returns
    -------
    `path`.
    """
    path = Path(path)
    write_text(path, render_page(title, subtitle, sections, over=over))
    return path


def render_page(title: str, subtitle: str, sections: Sequence[Section], *, over: str = "") -> str:
    """The page as text; all that it is given is escaped."""
    style = "\n".join(
        folder.joinpath(name).read_text(encoding="utf-8")
        for folder, name in ((SHARED_TEMPLATES, "style.css"), (TEMPLATES, "page.css"))
    )
    return (
        escaping(TEMPLATES)
        .get_template("page.html.j2")
        .render(
            title=title,
            subtitle=subtitle,
            over=over,
            # Our own files: the only text that goes in unescaped besides our SVG.
            style=Markup(style),  # noqa: S704  # our own files
            blocks=_paired([_block(section) for section in sections]),
            hatch=data_uri(_hatch_swatch()),
        )
    )


def _paired(blocks: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Half-wide sections that follow one another share a row of the page."""
    rows: list[list[dict[str, Any]]] = []
    for block in blocks:
        if block["half"] and rows and rows[-1][0]["half"]:
            rows[-1].append(block)
        else:
            rows.append([block])
    return rows


def _block(section: Section) -> dict[str, Any]:
    """What the template needs of a section."""
    block: dict[str, Any] = {"title": section.title, "note": section.note, "half": False, "section": section}
    if isinstance(section, TableSection):
        return {**block, "kind": "table"}
    if isinstance(section, LinesSection):
        keys = [(charts.line_key(i), one.name) for i, one in enumerate(section.series)]
        if len(keys) == 1 and keys[0][1] in (section.y_label, section.title):
            keys = []
        band = any(one.low is not None for one in section.series)
        drawn = {
            "kind": "chart",
            "svg": charts.lines(section),
            "wide": True,
            "half": section.half,
            "legend": keys,
            "band": band,
        }
        return {**block, **drawn, "left_out": charts.left_out(section)}
    if isinstance(section, BarsSection):
        named = enumerate(section.series, section.first)
        keys = [(charts.bar_key(i), name) for i, name in named] if len(section.series) > 1 or section.first else []
        return {
            **block,
            "kind": "chart",
            "svg": charts.bars(section),
            "wide": False,
            "legend": keys,
            "band": False,
            "left_out": 0,
        }
    if isinstance(section, BoxesSection):
        drawn = {
            "kind": "chart",
            "svg": boxes.boxes(section),
            "wide": section.half,
            "half": section.half,
            "legend": boxes.KEYS,
        }
        return {**block, **drawn, "band": False, "left_out": boxes.left_out(section)}
    rows = [
        {
            "lines": caption.split("\n"),
            "cells": [
                (name, None if image is None else data_uri(image, longest=section.longest))
                for name, image in zip(section.columns, images, strict=True)
            ],
        }
        for caption, images in section.rows
    ]
    ramps = [(ramp, shared.gradient(ramp.stops)) for ramp in section.ramps]
    return {**block, "kind": "panels", "rows": rows, "ramps": ramps}


def _hatch_swatch() -> Any:
    y, x = np.indices((16, 24))
    return np.array([HATCH_PAPER, HATCH_LINE], dtype=np.uint8)[((y + x) % 8 < 2).astype(np.intp)]
