"""What the systems make of the same chips, side by side (CSEBGAN's Figs. 5 to 7)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

import numpy as np

from rsmodels.data.batch import ChipBatch
from rsmodels.data.fields import Field
from rsmodels.data.loader import sweep
from rsmodels.data.source import ChipSource
from rsmodels.evaluation.diversity import Draws, evenly, one_of
from rsmodels.evaluation.sheets import ANEW_COLUMNS, sample_columns, sheets
from rsmodels.evaluation.sheets import SHOWN as SAMPLES
from rsmodels.report.page import PanelsSection, Section
from rsmodels.report.pictures import class_colours, colours_of, key_of, paint
from rsmodels.tables.plan import Plan
from rsmodels.training.load import Trained, load
from rsprep.report.data import Rgb

IMAGE = "image"
SHOWN, DRAWN = 6, 4
"""Chips with an image of every system, and chips with several images of one."""
BESIDE = 7
"""Systems side by side; of more, their pictures would be too small."""


def panels(plan: Plan, record: Mapping[str, Any]) -> Iterator[Section]:
    """All pictures; nothing where no system was evaluated."""
    rows = [row for row in record["systems"] if row["runs"]]
    if not rows:
        return
    slots = plan.source.of_split(record["judged_on"])
    yield from _compared(plan, rows, [int(slot) for slot in evenly(slots, SHOWN)], record["judged_on"])
    drawing = next((row for row in rows if row["runs"][0]["stochastic"]), None)
    if drawing is not None:
        yield from _drawn(plan, drawing, [int(slot) for slot in evenly(slots, DRAWN)])


def _compared(
    plan: Plan, rows: Sequence[Mapping[str, Any]], slots: Sequence[int], split: str
) -> Iterator[PanelsSection]:
    """Mask, real image, and an image of each system's first run (Fig. 5); one network at a time."""
    columns: dict[str, list[Rgb]] = {}
    made: dict[str, list[Rgb]] = {}
    names = _names(plan.source)
    for row in rows:
        trained = _loaded(plan, row)
        batch = _read(plan.source, trained, slots)
        image = trained.normaliser.field(IMAGE)
        if not columns:
            note, classes = _key(plan, trained, split), _classes(plan, trained)
            for field in _conditions(trained):
                columns[field.name] = paint(
                    field,
                    batch.values[field.name],
                    trained.normaliser,
                    valid=batch.valid[field.name],
                    colours=_colours(plan, trained),
                )
            if plan.colours:
                shown = trained.grey(batch).expand(-1, len(image.bands or ()), -1, -1)
                columns["grey"] = paint(image, shown, trained.normaliser, valid=batch.valid[IMAGE])
            columns["real"] = paint(image, batch.values[IMAGE], trained.normaliser, valid=batch.valid[IMAGE])
        images = trained.colorize(batch) if plan.colours else trained.generate(batch)
        made[row["name"]] = paint(image, images, trained.normaliser)
    systems = list(made)
    rounds = np.array_split(systems, -(-len(systems) // BESIDE))
    for start, some in enumerate(rounds):
        part = columns | {name: made[name] for name in some.tolist()}
        pictures = [list(one) for one in zip(*part.values(), strict=True)]
        yield PanelsSection(
            title="The same chips by every system" + (f": {some[0]} to {some[-1]}" if len(rounds) > 1 else ""),
            columns=tuple(part),
            rows=[(names[slot], row) for slot, row in zip(slots, pictures, strict=True)],
            note="" if start else note,
            classes=classes,
        )


def _drawn(plan: Plan, row: Mapping[str, Any], slots: Sequence[int]) -> Iterator[PanelsSection]:
    """Several images of a mask (Fig. 6), and one class of it drawn anew (Fig. 7)."""
    trained = _loaded(plan, row)
    condition = next(field for field in _conditions(trained) if field.kind == "classes")
    batch = _read(plan.source, trained, slots)
    chips = [one_of(batch, k) for k in range(len(batch))]
    found = sheets(trained, chips, condition, _colours(plan, trained), Draws(samples=SAMPLES), SAMPLES)
    names = _names(plan.source)
    yield PanelsSection(
        title=f"Several images of a mask, by {row['name']}",
        columns=sample_columns(condition, SAMPLES),
        rows=[(names[slot], pictures) for slot, pictures in zip(slots, found.samples, strict=True)],
        note="The same mask with other noise.",
        classes=_classes(plan, trained),
    )
    if found.anew:
        yield PanelsSection(
            title=f"One class drawn anew, by {row['name']}",
            columns=ANEW_COLUMNS,
            rows=[(f"{name}\n{names[slots[row]]}", pictures) for row, name, pictures in found.anew],
            note="Only the noise of the outlined class is another one in the second image."
            if trained.noise and trained.noise.by_class
            else "This generator's noise is one for the whole image: with it all classes change.",
        )


def _loaded(plan: Plan, row: Mapping[str, Any]) -> Trained:
    return load(plan.home / row["runs"][0]["folder"], device=plan.settings.device)


def _read(source: ChipSource, trained: Trained, slots: Sequence[int]) -> ChipBatch:
    with closing(sweep(source, slots, trained.fields, trained.normaliser, batch=len(slots), threads=0)) as batches:
        return next(batches)


def _conditions(trained: Trained) -> list[Field]:
    """What an image is made from; not of a colorizer, of which the grey image is shown."""
    return [] if trained.kind == "colorization" else [field for field in trained.fields if field.name != IMAGE]


def _colours(plan: Plan, trained: Trained) -> dict[str, tuple[str, ...]]:
    own = {field.name: class_colours(len(field.classes)) for field in trained.fields if field.kind == "classes"}
    return own | colours_of(plan.source, trained.fields)


def _classes(plan: Plan, trained: Trained) -> tuple[tuple[str, str], ...]:
    colours = _colours(plan, trained)
    return tuple(
        pair
        for field in _conditions(trained)
        if field.kind == "classes"
        for pair in zip(field.classes, colours[field.name], strict=True)
    )


def _key(plan: Plan, trained: Trained, split: str) -> str:
    key = key_of(trained.normaliser.field(IMAGE), trained.normaliser)
    return f"Evenly spread over the {split} split; the first run of each system. {key[:1].upper()}{key[1:]}."


def _names(source: ChipSource) -> dict[int, str]:
    return dict(zip(source.chips.slot.tolist(), source.chips.chip_id.tolist(), strict=True))
