"""Coloured rasters to look at: input, its grey, and coloured; the whole, and details of a large one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rsmodels.colouring.rasters import Grey
from rsmodels.generators.colorization_settings import LIGHTNESS
from rsmodels.lab import to_lab, to_rgb
from rsmodels.report.page import PanelsSection, TableSection, write_page
from rsmodels.tiling.shown import DETAIL, LISTED, WHOLE, before_and_after, detail_caption, every, files_note
from rsmodels.tiling.tiles import Box
from rsprep.report import colours
from rsprep.report.data import Rgb

MOST = 12
"""Rasters that are shown."""
TOO_MUCH = 0.02
"""Share of pixels outside the range that the model learned from which on the page speaks of it."""
NOTE = (
    "Colours are likely ones, and were never observed. Colours of the input, if it has any, were not looked at. "
    "Hatched pixels have no data."
)
Stretch = tuple[float, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class Shown:
    """One raster and what came of it."""

    name: str
    scene: Grey
    out: Path


def write_report(page: Path, rasters: Sequence[Shown], record: Mapping[str, Any]) -> None:
    """Write the page; of many rasters some are shown, evenly chosen."""
    places = np.unique(np.linspace(0, len(rasters) - 1, MOST).round().astype(int))
    rows = [row for place in places for row in _rows(rasters[place], alone=len(rasters) == 1)]
    coloured = any(len(one.scene.bands) == 3 for one in rasters)
    names = ("input", "grey", "coloured") if coloured else ("input", "coloured")
    rows = rows if coloured else [(caption, [images[0], images[2]]) for caption, images in rows]
    panels = PanelsSection(title="Before and after", columns=names, rows=rows, note=NOTE, longest=WHOLE)
    over = f"rsmodels colorize · {record['model']} · {record['network'][:24]}"
    write_page(page, headline(record), subline(record), [panels, _table(record)], over=over)


def headline(record: Mapping[str, Any]) -> str:
    """What was done, as in ``3 images coloured``."""
    count = len(record["files"])
    return f"{count:,} image{'s' * (count != 1)} coloured"


def subline(record: Mapping[str, Any]) -> str:
    """How many pixels that are, and what is to be known of them."""
    parts = [f"{record['coloured']:,} of {record['pixels']:,} pixels, from {_start(record)}"]
    if record["nodata"]:
        parts.append(f"{record['nodata']:,} pixels have no data and keep it so")
    if record["beyond"] > TOO_MUCH * max(record["coloured"], 1):
        parts.append(
            f"{100 * record['beyond'] / record['coloured']:.0f} % of the pixels are outside the range that the model "
            "learned and were cut off at it (--range, or --scale and --offset, bring other numbers into it)"
        )
    return "; ".join(parts)


def _start(record: Mapping[str, Any]) -> str:
    if record["starts_from"] != LIGHTNESS:
        return f"the band {record['starts_from']}"
    return "their lightness, which stays" if record["keep_lightness"] else "their lightness"


def _table(record: Mapping[str, Any]) -> TableSection:
    files = record["files"][:LISTED]
    rows = [
        (
            one["name"],
            f"{one['pixels']:,}",
            f"{one['nodata']:,}",
            f"{100 * one['beyond'] / max(one['coloured'], 1):.2f} %",
            one["type"],
            ", ".join(one["bands"]),
        )
        for one in files
    ]
    return TableSection(
        title="Files",
        header=("raster", "pixels", "without data", "outside the learned range", "type", "from"),
        rows=rows,
        note=files_note(record),
    )


# -- pictures --------------------------------------------------------------------------------------


def _rows(one: Shown, *, alone: bool) -> list[tuple[str, list[Rgb | None]]]:
    height, width = one.scene.shape
    whole = slice(0, height), slice(0, width)
    planes = _read(one, whole, WHOLE)
    stretches = _stretches(*planes)
    rows = [(f"{one.name}\n{width:,} × {height:,}", _pictures(*planes, stretches))]
    if max(height, width) <= WHOLE or not alone:
        return rows
    for box in details(planes[1], one.scene.shape):
        rows.append((detail_caption(box), _pictures(*_read(one, box, DETAIL), stretches)))
    return rows


def details(empty: NDArray[np.bool_], shape: tuple[int, int]) -> list[Box]:
    """Up to four windows of a raster, one a quarter, as far as there are data.

    Parameters
    ----------
    empty : (y, x) True without data, of the raster shrunk.
    shape : (y, x) of the raster.
    """
    found: list[Box] = []
    for down in (1, 3):
        for across in (1, 3):
            row, column = (
                max(0, min(length * part // 4 - DETAIL // 2, length - DETAIL))
                for length, part in zip(shape, (down, across), strict=True)
            )
            box = slice(row, min(row + DETAIL, shape[0])), slice(column, min(column + DETAIL, shape[1]))
            here = tuple(
                slice(side.start * small // full, max(side.stop * small // full, side.start * small // full + 1))
                for side, small, full in zip(box, empty.shape, shape, strict=True)
            )
            if box not in found and not empty[here].all():
                found.append(box)
    return found


def _read(one: Shown, box: Box, longest: int) -> tuple[NDArray[Any], NDArray[np.bool_], NDArray[Any]]:
    """Planes of the input (1 or 3, y, x), where they have no data, and the colours, shrunk by leaving pixels out."""
    return before_and_after(one.scene, one.scene.bands, one.out, (0, 1, 2), box, every(box, longest))


def _stretches(before: NDArray[Any], empty: NDArray[np.bool_], after: NDArray[Any]) -> tuple[Stretch, Stretch]:
    """Lowest and highest number to show of either, one for all bands so that hues stay."""
    if before.dtype == np.uint8 or empty.all():
        return (0.0, 255.0), (0.0, 255.0)
    low, high = (tuple(np.percentile(one[:, ~empty].astype(np.float64), (1, 99))) for one in (before, after))
    return (float(low[0]), float(low[1])), (float(high[0]), float(high[1]))


def _pictures(
    before: NDArray[Any], empty: NDArray[np.bool_], after: NDArray[Any], stretches: tuple[Stretch, Stretch]
) -> list[Rgb | None]:
    """Input, its grey, and coloured."""
    hatch = colours.hatch((empty.shape[0], empty.shape[1]))
    painted = [_painted(planes, stretch) for planes, stretch in zip((before, after), stretches, strict=True)]
    shown, made = (np.where(empty[..., None], hatch, one) for one in painted)
    if len(before) == 1:
        return [shown, shown, made]
    return [shown, np.where(empty[..., None], hatch, _grey(painted[0])), made]


def _painted(planes: NDArray[Any], stretch: Stretch) -> Rgb:
    painted = [colours.to_uint8(plane, *stretch) for plane in planes]
    return np.stack(painted * 3 if len(painted) == 1 else painted, axis=-1)


def _grey(picture: Rgb) -> Rgb:
    """The lightness of a picture (y, x, 3)."""
    lab = to_lab(torch.from_numpy(picture).movedim(-1, 0)[None] / 255)
    lab[:, 1:] = 0
    return np.asarray(np.rint(to_rgb(lab)[0].movedim(0, -1).numpy() * 255), np.uint8)
