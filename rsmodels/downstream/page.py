"""The report of a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
MOST_ARMS = 5
"""Kinds of run in the pictures; of more, those at equal steps where there are any."""


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
    sections += [*_bars(record), *_curves(record, home), _classes(record), _panels(record, home, plan)]
    header, rows = words.run_table(record)
    sections.append(TableSection(title="Runs", header=header, rows=rows))
    real = record["real"]
    of = ", ".join([real["name"], *(one["name"] for one in record["synthetic"])])
    subtitle = f"RS-UNet on {real['chips'][real['judged_on']]:,} real {real['judged_on']} chips · {of}"
    write_page(path, title=words.headline(record), subtitle=subtitle, sections=sections, over="True against Mix")


def _bars(record: Mapping[str, Any]) -> list[Section]:
    """How common each class is (CSEBGAN's Fig. 8), its IoU, and what each mix changes of it (Fig. 9)."""
    common = sorted(record["classes"], key=lambda one: -one["share"] if one["share"] == one["share"] else 0.0)
    ranked = words.by_score(record)
    names = [one["name"] for one in ranked]
    found = {arm["title"]: [arm["classes"][name] for name in names] for arm in record["arms"]}
    several = len(record["seeds"]) > 1
    sections: list[Section] = [
        BarsSection(
            title="How common the classes are",
            groups=[one["name"] for one in common],
            series={"share": [100 * one["share"] for one in common]},
            colours=[one["colour"] for one in common],
            x_label="percent of the real train pixels of known class",
            decimals=1,
        ),
        BarsSection(
            title="Classes",
            groups=names,
            series={title: [one["mean"] for one in some] for title, some in found.items()},
            spread={title: [(one["low"], one["high"]) for one in some] for title, some in found.items()}
            if several
            else {},
            colours=[one["colour"] for one in ranked],
            x_label="intersection over union",
            note="In decreasing order of True's IoU. "
            + ("Means over the seeds; whiskers from the least to the largest." if several else "One seed."),
        ),
    ]
    if record["gains"]:
        sections.append(_relative(record, ranked))
    return sections


def _relative(record: Mapping[str, Any], ranked: Sequence[Mapping[str, Any]]) -> BarsSection:
    gains = {arm["title"]: record["gains"][arm["key"]] for arm in record["arms"] if arm["key"] in record["gains"]}
    return BarsSection(
        title="What the classes gain",
        groups=[one["name"] for one in ranked],
        series={title: [some["classes"][one["name"]]["relative"] for one in ranked] for title, some in gains.items()},
        colours=[one["colour"] for one in ranked],
        x_label="gain in IoU over True, percent of True's",
        first=1,  # True is the first of the charts before this one
        decimals=1,
        note="In the same order. A class that True hardly finds gains many percent with little; see the table.",
    )


def _classes(record: Mapping[str, Any]) -> TableSection:
    header, rows = words.class_table(record)
    colours = [one["colour"] for one in words.by_score(record)]
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
    shown = [arm for arm in plan.arms if len(plan.arms) <= MOST_ARMS or arm.title.endswith(("True", "equal steps"))]
    one = load(shown[0].folder(first, home), device=plan.settings.device)
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
    for arm in shown:  # one network at a time
        said = load(arm.folder(first, home), device=plan.settings.device).segment(batch).argmax(dim=1)
        columns.append(paint(label, said, one.normaliser, colours=colours))
    names = dict(zip(plan.real.chips.slot.tolist(), plan.real.chips.chip_id.tolist(), strict=True))
    return PanelsSection(
        title="Chips",
        columns=("image", "label", *(arm.title for arm in shown)),
        rows=[(names[key.slot], row) for key, row in zip(batch.chips, zip(*columns, strict=True), strict=True)],
        note=f"Evenly spread over the {record['real']['judged_on']} split; runs of seed {first}. "
        "Hatched: no data, or a class that is not known.",
        classes=tuple((name.replace("_", " "), tint) for name, tint in zip(label.classes, colours[LABEL], strict=True)),
    )
