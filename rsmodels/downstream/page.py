"""The report of a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from rsmodels.data.loader import sweep
from rsmodels.downstream import words
from rsmodels.downstream.arms import Plan
from rsmodels.report.page import BarsSection, LinesSection, PanelsSection, Section, Series, TableSection, write_page
from rsmodels.report.pictures import class_colours, colours_of, paint
from rsmodels.tasks.segmentation import IMAGE, LABEL, seen_labels
from rsmodels.training.load import load
from rsmodels.training.log import read_lines
from rsprep.report.data import Rgb

SHOWN = 6
"""Chips with their pictures."""


def write_report(path: Path, record: Mapping[str, Any], home: Path, plan: Plan) -> None:
    """Write the page: tables, bars, curves and some chips."""
    header, rows = words.score_table(record)
    note = words.explained(record)
    sections: list[Section] = [TableSection(title="True against Mix", header=header, rows=rows, note=note)]
    if record["gains"]:
        header, rows = words.gain_table(record)
        sections.append(
            TableSection(
                title="Gains",
                header=header,
                rows=rows,
                note="d-X = 100 (Mix - True) / True of the means. An interval that holds 0 shows no gain.",
            )
        )
    sections += [_bars(record), *_curves(record, home), _classes(record), _panels(record, home, plan)]
    header, rows = words.run_table(record)
    sections.append(TableSection(title="Runs", header=header, rows=rows))
    real = record["real"]
    of = real["name"] if record["synthetic"] is None else f"{real['name']}, {record['synthetic']['name']}"
    subtitle = f"RS-UNet on {real['chips'][real['judged_on']]:,} real {real['judged_on']} chips · {of}"
    write_page(path, title=words.headline(record), subtitle=subtitle, sections=sections, over="True against Mix")


def _bars(record: Mapping[str, Any]) -> BarsSection:
    """IoU of each class; whiskers from the least to the largest seed."""
    names = [one["name"] for one in record["classes"]]
    found = {arm["title"]: [arm["classes"][name] for name in names] for arm in record["arms"]}
    several = len(record["seeds"]) > 1
    return BarsSection(
        title="Classes",
        groups=[name.replace("_", " ") for name in names],
        series={title: [one["mean"] for one in some] for title, some in found.items()},
        spread={title: [(one["low"], one["high"]) for one in some] for title, some in found.items()} if several else {},
        colours=[one["colour"] for one in record["classes"]],
        x_label="intersection over union",
        note="Means over the seeds; whiskers from the least to the largest." if several else "One seed.",
    )


def _classes(record: Mapping[str, Any]) -> TableSection:
    header, rows = words.class_table(record)
    colours = [one["colour"] for one in record["classes"]]
    return TableSection(title="Gains of the classes", header=header, rows=rows, colours=colours)


def _curves(record: Mapping[str, Any], home: Path) -> list[Section]:
    """Scores on real validation chips while the runs went on; nothing where none was scored."""
    sections: list[Section] = []
    for name, title in (("miou", "mIoU"), ("accuracy", "accuracy")):
        series = [_curve(record, home, arm, name) for arm in record["arms"]]
        drawn = [one for one in series if len(one.x)]
        if drawn:
            sections.append(
                LinesSection(
                    title=f"{title} while training",
                    series=drawn,
                    x_label="updates",
                    y_label=f"{title} on real val chips",
                    note="Mean over the seeds; the band reaches from the least to the largest.",
                )
            )
    return sections


def _curve(record: Mapping[str, Any], home: Path, arm: Mapping[str, Any], name: str) -> Series:
    """Mean over the seeds at the steps that all of them were scored at."""
    folders = [home / run["folder"] for run in record["runs"] if run["arm"] == arm["key"]]
    scored = [
        {
            line["step"]: line[name]
            for line in read_lines(folder)
            if line["kind"] == "validation" and line.get(name) is not None
        }
        for folder in folders
    ]
    steps = sorted(set.intersection(*(set(one) for one in scored)))
    values = np.array([[one[step] for step in steps] for one in scored])
    low, high = (values.min(axis=0).tolist(), values.max(axis=0).tolist()) if len(folders) > 1 else (None, None)
    return Series(name=arm["title"], x=steps, y=values.mean(axis=0).tolist(), low=low, high=high)


def _panels(record: Mapping[str, Any], home: Path, plan: Plan) -> PanelsSection:
    """Some judged chips: image, classes, and what the first seed of each kind of run makes of them."""
    first = record["seeds"][0]
    models = [(arm.title, load(arm.folder(first, home), device=plan.settings.device)) for arm in plan.arms]
    one = models[0][1]
    slots = plan.real.of_split(record["real"]["judged_on"])
    chosen = slots[np.unique(np.linspace(0, len(slots) - 1, SHOWN).astype(int))]
    with closing(sweep(plan.real, chosen.tolist(), one.fields, one.normaliser, batch=SHOWN)) as batches:
        batch = next(batches)
    image, label = one.normaliser.field(IMAGE), one.normaliser.field(LABEL)
    colours = {LABEL: class_colours(len(label.classes))} | colours_of(plan.real, [label])
    columns: list[list[Rgb]] = [
        paint(image, batch.values[IMAGE], one.normaliser, valid=batch.valid[IMAGE]),
        paint(label, seen_labels(batch), one.normaliser, colours=colours),
    ]
    columns += [
        paint(label, trained.segment(batch).argmax(dim=1), one.normaliser, colours=colours) for _, trained in models
    ]
    names = dict(zip(plan.real.chips.slot.tolist(), plan.real.chips.chip_id.tolist(), strict=True))
    return PanelsSection(
        title="Chips",
        columns=("image", "label", *(title for title, _ in models)),
        rows=[(names[key.slot], row) for key, row in zip(batch.chips, zip(*columns, strict=True), strict=True)],
        note=f"Evenly spread over the {record['real']['judged_on']} split; runs of seed {first}. "
        "Hatched: no data, or a class that is not known.",
        classes=tuple((name.replace("_", " "), tint) for name, tint in zip(label.classes, colours[LABEL], strict=True)),
    )
