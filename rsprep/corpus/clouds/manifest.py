"""What a corpus of seed masks has beside its store: a PNG a seed, a manifest, and the figures of the report."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr
from PIL import Image

from rsprep.corpus.clouds.schema import COLUMNS
from rsprep.files import appearing, write_text
from rsprep.report.data import Table
from rsprep.store.read import open_dataset

MASKS: Final = "masks"
MANIFEST: Final = "manifest.csv"
_PLACE: Final = ("epsg", "x_origin", "y_origin", "lon", "lat")
_AT_ONCE: Final = 256
_SCENES: Final = 40
"""Scenes that the report lists."""


def write_seeds(dataset: Path) -> tuple[Table, ...]:
    """Write ``masks/ID.png`` (0 clear, 255 cloud) and ``manifest.csv``, a row a seed; returns tables for the report.

    Every file appears whole, and writing them again changes nothing.
    """
    seeds = open_dataset(dataset)
    folder = dataset / MASKS
    folder.mkdir(exist_ok=True)
    names = [str(name) for name in seeds["chip_id"].values]
    for start in range(0, len(names), _AT_ONCE):
        masks = seeds["mask"].isel(chip=slice(start, start + _AT_ONCE)).values
        for name, mask in zip(names[start : start + _AT_ONCE], masks, strict=True):
            with appearing(folder / f"{name}.png") as partial:
                Image.fromarray(mask * np.uint8(255)).save(partial, format="PNG")
    wanted = {f"{name}.png" for name in names}
    for path in folder.iterdir():
        if path.name not in wanted:  # of an earlier run, or half-written
            path.unlink()
    _write_manifest(seeds, names, dataset / MANIFEST)
    return (_by_scene(seeds),)


def _write_manifest(seeds: xr.Dataset, names: list[str], path: Path) -> None:
    columns = [*_PLACE, *(column.name for column in COLUMNS)]
    values = {name: seeds[name].values for name in columns}
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["id", "file", "split", *columns])
    for index, (name, split) in enumerate(zip(names, seeds["split"].values, strict=True)):
        row = (_plain(values[column][index]) for column in columns)
        table.writerow([name, f"{MASKS}/{name}.png", split, *row])
    write_text(path, text.getvalue())


def _plain(value: Any) -> str:
    """A cell: short numbers, true and false, nothing for what is not known."""
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, np.floating):
        digits = 10 if value.dtype == np.float64 else 6
        return "" if np.isnan(value) else f"{float(value):.{digits}g}"
    return str(value)


def _by_scene(seeds: xr.Dataset) -> Table:
    sources, diverse = seeds["source"].values, seeds["diverse"].values
    area, metres, dates = seeds["area_ratio"].values, seeds["resolution"].values, seeds["date"].values
    names, first = np.unique(sources, return_index=True)
    rows = []
    for name, at in sorted(zip(names.tolist(), first.tolist(), strict=True), key=lambda one: one[1]):
        mine = sources == name
        rows.append(
            (
                name,
                str(dates[at]) or "–",
                f"{metres[mine].min():g}" if metres[mine].min() == metres[mine].max() else "various",
                f"{mine.sum():,}",
                f"{(mine & diverse).sum():,}",
                f"{area[mine].min():.1%} – {area[mine].max():.1%}",
            )
        )
    left = len(rows) - _SCENES
    return Table(
        title="Seeds by scene",
        header=("scene", "date", "metres a pixel", "seeds", "of the diverse", "cloud on"),
        rows=tuple(rows[:_SCENES]),
        note=f"and {left:,} more scenes; {MANIFEST} has them all" if left > 0 else "",
    )
