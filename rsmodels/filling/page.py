"""Filled rasters to look at: input, mask, filled; the whole, and details where there was something to fill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsmodels.filling.pictures import NOTE, bands_shown, before_after, stretch_of
from rsmodels.filling.rasters import Scene
from rsmodels.filling.work import Done
from rsmodels.report.page import PanelsSection, TableSection, write_page
from rsmodels.tiling.shown import DETAIL, LISTED, WHOLE, before_and_after, detail_caption, every, files_note
from rsmodels.tiling.tiles import Box
from rsprep.report.data import Rgb

COLUMNS = ("input", "mask", "filled")
MOST = 12
"""Rasters that are shown."""
DETAILS = 4
_STRIP = 4 * 2**20


@dataclass(frozen=True, kw_only=True, eq=False)
class Shown:
    """One raster and what came of it."""

    name: str
    scene: Scene
    out: Path
    filled: Path
    done: Done


def write_report(page: Path, rasters: Sequence[Shown], record: Mapping[str, Any]) -> None:
    """Write the page; of many rasters those with most to fill are shown."""
    chosen = sorted(rasters, key=lambda one: -one.done.filled)[:MOST]
    rows = [row for one in chosen if one.done.hidden for row in _rows(one, alone=len(rasters) == 1)]
    panels = PanelsSection(title="Before and after", columns=COLUMNS, rows=rows, note=NOTE, longest=WHOLE)
    over = f"rsmodels inpaint · {record['method']} · {record['filler'][:24]}"
    write_page(page, headline(record), subline(record), [panels, _table(record)], over=over)


def headline(record: Mapping[str, Any]) -> str:
    """What was done, as in ``1,234 of 1,300 hidden pixels filled``."""
    return f"{record['filled']:,} of {record['hidden']:,} hidden pixels filled"


def subline(record: Mapping[str, Any]) -> str:
    """How much that is of the whole, and why some are left."""
    files = len(record["files"])
    parts = [
        f"{100 * record['hidden'] / max(record['pixels'], 1):.1f} % of {files:,} raster{'s' * (files != 1)} hidden"
    ]
    if record["left"]:
        parts.append(
            f"{record['left']:,} pixels left as they are: no tile of {record['tile']} pixels around them shows "
            "anything (a larger --tile does)"
        )
    if record["nodata"]:
        parts.append(f"{record['nodata']:,} hidden pixels have no data and keep it so (--fill-nodata fills them)")
    return "; ".join(parts)


def _table(record: Mapping[str, Any]) -> TableSection:
    files = record["files"][:LISTED]
    rows = [
        (
            one["name"],
            f"{one['pixels']:,}",
            f"{100 * one['hidden'] / one['pixels']:.2f} %",
            f"{one['filled']:,}",
            f"{one['left']:,}",
            f"{one['nodata']:,}",
            ", ".join(one["bands"]),
        )
        for one in files
    ]
    return TableSection(
        title="Files",
        header=("raster", "pixels", "hidden", "filled", "left", "without data", "bands"),
        rows=rows,
        note=files_note(record),
    )


# -- pictures --------------------------------------------------------------------------------------


def _rows(one: Shown, *, alone: bool) -> list[tuple[str, list[Rgb | None]]]:
    height, width = one.scene.shape
    whole = slice(0, height), slice(0, width)
    planes, empty, hidden, filled = _read(one, whole, WHOLE)
    stretch = stretch_of(planes, ~(empty | hidden))
    share = 100 * one.done.hidden / (height * width)
    shown = [one.scene.names[band] for band in bands_shown(one.scene.names, one.scene.bands)]
    caption = f"{one.name}\n{width:,} × {height:,}\n{share:.1f} % hidden"
    if shown != ["red", "green", "blue"]:
        caption += f"\nshown: {', '.join(shown)}"
    rows = [(caption, before_after(planes, empty, hidden, filled, stretch))]
    if max(height, width) <= WHOLE or not alone:
        return rows
    for box in details(hidden, one.scene.shape):
        rows.append((detail_caption(box), before_after(*_read(one, box, DETAIL), stretch)))
    return rows


def details(hidden: NDArray[np.bool_], shape: tuple[int, int]) -> list[Box]:
    """Windows of a raster about a third of which is hidden, apart from each other.

    Parameters
    ----------
    hidden : (y, x) of the raster, shrunk.
    shape : (y, x) of the raster.
    """
    found = []
    for row in range(0, max(shape[0] - DETAIL, 0) + 1, DETAIL):
        for column in range(0, max(shape[1] - DETAIL, 0) + 1, DETAIL):
            here = tuple(
                slice(start * small // full, max((start + DETAIL) * small // full, start * small // full + 1))
                for start, small, full in zip((row, column), hidden.shape, shape, strict=True)
            )
            share = float(hidden[here].mean())
            if share:
                found.append((abs(share - 1 / 3), row, column))
    best = sorted(found)[:DETAILS]
    return [
        (slice(row, min(row + DETAIL, shape[0])), slice(column, min(column + DETAIL, shape[1])))
        for _, row, column in sorted(best, key=lambda one: one[1:])
    ]


def _read(
    one: Shown, box: Box, longest: int
) -> tuple[NDArray[Any], NDArray[np.bool_], NDArray[np.bool_], NDArray[Any]]:
    """Planes of the input (band, y, x), where they have no data, what is hidden, and the planes of the output.

    All shrunk by leaving pixels out, so that no pixel of the pictures mixes hidden ones with others.
    """
    scene = one.scene
    step, bands = every(box, longest), bands_shown(scene.names, scene.bands)
    before, empty, after = before_and_after(scene, bands, one.out, bands, box, step)
    return before, empty, _hidden(scene, box, step), after


def _hidden(scene: Scene, box: Box, step: int) -> NDArray[np.bool_]:
    """(y, x) every so-many-th pixel of the mask, in strips of a few million pixels."""
    rows, columns = box
    lines = max(1, _STRIP // (columns.stop - columns.start) // step) * step
    strips = [
        scene.mask.read((slice(row, min(row + lines, rows.stop)), columns))[::step, ::step].copy()
        for row in range(rows.start, rows.stop, lines)
    ]
    return np.concatenate(strips)
