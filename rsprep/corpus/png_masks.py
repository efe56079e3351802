"""Masks of a corpus as plain files: a PNG each, and a manifest."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr
from PIL import Image

from rsprep.files import appearing, plain_name, write_text
from rsprep.job.desk import Desk
from rsprep.store.read import open_dataset
from rsprep.store.schema import Schema

MASKS: Final = "masks"
MANIFEST: Final = "manifest.csv"
_PLACE: Final = ("epsg", "x_origin", "y_origin", "lon", "lat")
_AT_ONCE: Final = 256


def write_png_masks(desk: Desk) -> xr.Dataset:
    """Write ``masks/ID.png`` (0 clear, 255 masked) and ``manifest.csv``, a row a mask; returns the opened data set.

    Every file appears whole, and writing them again changes nothing.
    """
    opened = open_dataset(desk.store)
    folder = desk.folder / MASKS
    folder.mkdir(exist_ok=True)
    names = [plain_name(str(name)) for name in opened["chip_id"].values]
    for start in range(0, len(names), _AT_ONCE):
        masks = opened["mask"].isel(chip=slice(start, start + _AT_ONCE)).values
        for name, mask in zip(names[start : start + _AT_ONCE], masks, strict=True):
            with appearing(folder / f"{name}.png") as partial:
                Image.fromarray(mask * np.uint8(255)).save(partial, format="PNG")
    wanted = {f"{name}.png" for name in names}
    for path in folder.iterdir():
        if path.name not in wanted:  # of an earlier run, or half-written
            path.unlink()
    _write_manifest(opened, names, desk.folder / MANIFEST)
    return opened


def _write_manifest(opened: xr.Dataset, names: list[str], path: Path) -> None:
    schema = Schema.from_json(opened.attrs["rsprep_schema"])
    columns = [*_PLACE, *(column.name for column in schema.columns)]
    values = {name: opened[name].values for name in columns}
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["id", "file", "split", *columns])
    for index, (name, split) in enumerate(zip(names, opened["split"].values, strict=True)):
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
