"""One image before and after an edit: other noise for some classes, another mask, or both.

The generator paints the chip's mask with the noise of one seed, and again as it was asked for: whatever is not edited
keeps its noise. Pixels around the edit may change as far as the generator looks; the record says by how much.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from affine import Affine
from numpy.typing import NDArray

from rsmodels.data.raw import ChipFields
from rsmodels.data.source import ChipSource
from rsmodels.editing.asked import Asked, asked_of, nothing
from rsmodels.editing.folder import check_folder, whole_folder
from rsmodels.editing.page import Shown, write_pictures
from rsmodels.editing.paint import IMAGE, Painted, painted
from rsmodels.editing.settings import EditSettings
from rsmodels.errors import ModelError
from rsmodels.records import as_json
from rsmodels.report.pictures import colours_of
from rsmodels.synth.checks import check_generator, require_label
from rsmodels.synth.schema import synthetic_schema
from rsmodels.training.load import Trained, load
from rsprep.cloud.address import folder_only
from rsprep.files import write_text
from rsprep.job.progress import Progress, Silent
from rsprep.settings import make_settings
from rsprep.store.export import write_layer
from rsprep.store.schema import NOWHERE

RECORD, PAGE, PICTURE = "edit.json", "report.html", "edit.png"
BEFORE, AFTER, MASK = "before.tif", "after.tif", "mask.tif"
FILES = (RECORD, PAGE, PICTURE, BEFORE, AFTER, MASK)


@dataclass(frozen=True, kw_only=True, eq=False)
class Edit:
    """What came out, and where it lies."""

    out: Path
    record: dict[str, Any]
    """As in ``edit.json``."""

    @property
    def page(self) -> Path:
        return self.out / PAGE


def edit(settings: EditSettings | Mapping[str, Any], *, progress: Progress | None = None) -> Edit:
    """Paint a chip's mask, and paint it again with an edit.

    Writes ``before.tif``, ``after.tif`` and ``mask.tif`` in the numbers of the data set, ``edit.png``, ``report.html``
    and ``edit.json``; the folder is there whole or not at all, and an older edit in it is replaced.

    Parameters
    ----------
    progress : who watches; nobody by default.

    Raises
    ------
    ModelError : ``nothing-to-edit``, ``no-such-chip``, ``unknown-class``, ``class-not-in-mask``, ``not-a-mask``,
        ``mask-size``, ``unknown-codes``, ``no-noise``, ``noise-not-by-class``, ``same-seed``, ``not-an-edit``; a
        checkpoint that is no generator of classes, or of other chips than those of the data set.
    StoreError : the data set cannot be read.
    """
    checked = make_settings(EditSettings, settings)
    watcher, out = progress or Silent(), folder_only(checked.out, "--out").absolute()
    check_folder(out, RECORD, FILES)
    if not (checked.redraw or checked.replace or checked.mask):
        raise nothing("neither a class to redraw nor another mask was named")
    watcher.stage("edit")
    source = ChipSource.open(checked.data)
    trained = load(checked.checkpoint, device=checked.device)
    check_generator(trained, source)
    label = require_label(trained, "an edit")
    number = _chip(source, checked)
    raw, clear = ChipFields(source, trained.fields).read(int(source.chips.slot[number]))
    raw = {name: np.array(values) for name, values in raw.items()}
    asked = asked_of(trained, label, raw[label.name], int(source.layer(label).variable.fill), checked)
    made = [
        painted(trained, {**raw, label.name: mask}, None if asked.noise is None else asked.noise[i])
        for i, mask in enumerate(asked.mask)
    ]
    before, after = made
    record = _record(trained, source, number, checked, asked, before, after)
    real, known = trained.normaliser.encode(IMAGE, raw[IMAGE][None], clear[IMAGE][None] if IMAGE in clear else None)
    shown = Shown(
        label=label,
        before=before.batch,
        after=after.batch,
        real=(torch.from_numpy(real), torch.from_numpy(known)),
        colours=colours_of(source, trained.fields),
        normaliser=trained.normaliser,
    )
    with whole_folder(out) as folder:
        _write_layers(folder, trained, source, number, asked, before, after)
        write_pictures(folder / PICTURE, folder / PAGE, shown, record)
        write_text(folder / RECORD, as_json(record))
    return Edit(out=Path(checked.out), record=record)


def _chip(source: ChipSource, settings: EditSettings) -> int:
    """Position of the chip in the source's index."""
    chips = source.chips
    names = chips.chip_id[chips.split == settings.split] if settings.split else chips.chip_id
    if settings.chip not in names:
        elsewhere = chips.split[chips.chip_id == settings.chip]
        close = difflib.get_close_matches(settings.chip, names.tolist(), n=1)
        remedy = f"did you mean {close[0]!r}?" if close else "`rsprep inspect`, or items.parquet, lists them"
        raise ModelError(
            "no-such-chip",
            f"there is no such {settings.split or ''} chip in {source.name}".replace("  ", " "),
            value=settings.chip,
            remedy=f"it is a {elsewhere[0]} chip: --split {elsewhere[0]}" if len(elsewhere) else remedy,
        )
    return int(np.flatnonzero(chips.chip_id == settings.chip)[0])


def _record(
    trained: Trained,
    source: ChipSource,
    number: int,
    settings: EditSettings,
    asked: Asked,
    before: Painted,
    after: Painted,
) -> dict[str, Any]:
    change = (after.unit - before.unit).abs().mean(dim=0).double().numpy()
    known = (before.batch.valid[IMAGE] & after.batch.valid[IMAGE])[0, 0].numpy()
    region, label = asked.region, asked.label
    file = None if settings.mask is None else Path(settings.mask)
    return {
        "kind": "edit",
        "model": trained.settings.model,
        "checkpoint": {"name": trained.path.name, "hash": trained.manifest_hash},
        "data": {"name": source.name, "identity": source.identity},
        "chip": {"chip_id": settings.chip, "split": str(source.chips.split[number])},
        "asked": {
            "redraw": list(settings.redraw),
            "replace": settings.replace,
            "mask": None
            if file is None
            else {"name": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()},
        },
        "noise": None
        if asked.noise is None
        else {"seed": settings.seed, "new_seed": settings.new_seed if settings.redraw else None},
        "region": {"pixels": int(region.sum()), "share": float(region.mean())},
        "change": {"inside": _mean(change, region & known), "outside": _mean(change, ~region & known)},
        "classes": [
            {
                "name": name,
                "redrawn": index in asked.redrawn,
                "pixels_before": int((asked.mask[0] == code).sum()),
                "pixels_after": int((asked.mask[1] == code).sum()),
                "change": _mean(change, (asked.mask[1] == code) & known),
            }
            for index, (name, code) in enumerate(zip(label.classes, label.codes, strict=True))
        ],
    }


def _mean(values: NDArray[np.float64], where: NDArray[np.bool_]) -> float | None:
    return float(values[where].mean()) if where.any() else None


def _write_layers(
    folder: Path, trained: Trained, source: ChipSource, number: int, asked: Asked, before: Painted, after: Painted
) -> None:
    """Both images and the mask after the edit, with the chip's place."""
    fields = {field.name: field for field in trained.fields}
    schema = synthetic_schema(source, trained.fields, 1)
    chips, pixel, place = source.chips, source.schema.resolution, {}
    if chips.epsg[number] != NOWHERE:
        west, north = float(chips.x_origin[number]), float(chips.y_origin[number])
        place = {"crs": f"EPSG:{chips.epsg[number]}", "transform": Affine(pixel, 0, west, 0, -pixel, north)}
    image, mask = schema[fields[IMAGE].variable], schema[asked.label.variable]
    layers = ((BEFORE, before.stored, image), (AFTER, after.stored, image), (MASK, asked.mask[1], mask))
    for name, values, variable in layers:
        write_layer(folder / name, values, variable, **place)
