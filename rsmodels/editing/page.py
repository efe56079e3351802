"""An edit to look at: the masks, the images, where they differ, and what was really there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from rsmodels.data.batch import ChipBatch
from rsmodels.data.fields import Field
from rsmodels.data.normalise import Normaliser
from rsmodels.editing.paint import IMAGE
from rsmodels.report.page import PanelsSection, Ramp, TableSection, write_page
from rsmodels.report.pictures import ERROR_STOPS, ERROR_TOP, class_colours, error_map, grid_png, key_of, paint
from rsprep.report.data import Rgb

COLUMNS = ("mask before", "image before", "mask after", "image after", "difference", "real image")
LEAST = 256
"""Smaller chips are shown in whole multiples of their pixels, about this large."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Shown:
    """What the pictures are made of."""

    label: Field
    before: ChipBatch
    """One chip: conditions, and the image that was generated."""
    after: ChipBatch
    real: tuple[Tensor, Tensor]
    """The chip's own image (1, C, y, x), normalised, and where it is valid (1, 1, y, x)."""
    colours: Mapping[str, Sequence[str]]
    normaliser: Normaliser


def write_pictures(sheet: Path, page: Path, shown: Shown, record: Mapping[str, Any]) -> None:
    """Write the sheet (PNG) and the page (HTML)."""
    images = [_enlarged(image) for image in _images(shown)]
    chip = record["chip"]["chip_id"]
    grid_png(sheet, COLUMNS, [("", images)])
    colours = shown.colours.get(shown.label.name) or class_colours(len(shown.label.classes))
    panels = PanelsSection(
        title="Before and after",
        columns=COLUMNS,
        rows=[(chip, images)],
        note=f"{_key(shown)} Difference: mean over the bands, on the scale of 0 to 1 of the bands' ranges.",
        ramps=(Ramp(name="difference", stops=ERROR_STOPS, low="0", high=f"{ERROR_TOP:g} and above"),),
        classes=tuple(zip(shown.label.classes, colours, strict=True)),
        longest=512,
    )
    subtitle = (
        f"{chip} of {record['data']['name']} · {record['model']} · checkpoint {record['checkpoint']['hash'][:12]}"
    )
    write_page(page, title(record), subtitle, [panels, _figures(record, colours)])


def title(record: Mapping[str, Any]) -> str:
    """What was edited, as in ``Other noise for water; trees become water``."""
    asked, parts = record["asked"], []
    if asked["redraw"]:
        parts.append(f"other noise for {', '.join(asked['redraw'])}")
    if asked["mask"]:
        parts.append(f"the mask {asked['mask']['name']}")
    parts += [f"{old} becomes {new}" for old, new in asked["replace"].items()]
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}"


def summary(record: Mapping[str, Any]) -> str:
    """How far the image changed, within the edit and around it."""
    inside, outside = (_number(record["change"][where]) for where in ("inside", "outside"))
    return (
        f"{100 * record['region']['share']:.1f} % of the chip edited; mean change {inside} within, {outside} around it"
    )


def _figures(record: Mapping[str, Any], colours: Sequence[str]) -> TableSection:
    rows = [
        (
            one["name"].replace("_", " "),
            f"{one['pixels_before']:,}",
            f"{one['pixels_after']:,}",
            "yes" if one["redrawn"] else "",
            _number(one["change"]),
        )
        for one in record["classes"]
    ]
    noise = record["noise"]
    seeds = "" if noise is None else f" Noise: seed {noise['seed']}"
    seeds += f", redrawn with {noise['new_seed']}." if noise and noise["new_seed"] is not None else "." if noise else ""
    return TableSection(
        title="How far the image changed",
        header=("class", "pixels before", "pixels after", "redrawn", "mean change"),
        rows=rows,
        note=f"{summary(record)}. Mean absolute change over pixels and bands, on the scale of 0 to 1.{seeds}",
        colours=list(colours),
    )


def _images(shown: Shown) -> list[Rgb]:
    label, image, normaliser = shown.label, shown.normaliser.field(IMAGE), shown.normaliser

    def painted(field: Field, values: Tensor, valid: Tensor) -> Rgb:
        return paint(field, values, normaliser, valid=valid, colours=shown.colours)[0]

    images = [
        painted(field, batch.values[field.name], batch.valid[field.name])
        for batch in (shown.before, shown.after)
        for field in (label, image)
    ]
    both = shown.before.valid[IMAGE] & shown.after.valid[IMAGE]
    before, after = (normaliser.unit(IMAGE, batch.values[IMAGE])[0] for batch in (shown.before, shown.after))
    return [*images, error_map(after, before, both[0]), painted(image, *shown.real)]


def _enlarged(image: Rgb) -> Rgb:
    times = max(1, LEAST // max(image.shape[:2]))
    return np.ascontiguousarray(image.repeat(times, axis=0).repeat(times, axis=1))


def _key(shown: Shown) -> str:
    text = key_of(shown.normaliser.field(IMAGE), shown.normaliser)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
