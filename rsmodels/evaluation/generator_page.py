"""What the page of an evaluation tells of a generator."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsmodels.evaluation.columns import COLUMNS, named_by, shown
from rsmodels.evaluation.page import IMAGE_FIGURES, figures_table, over_chips, scale_of
from rsmodels.metrics.nearest import NEXT, RECITED
from rsmodels.report.page import BarsSection, Section, TableSection


def generator_sections(
    record: Mapping[str, Any], scores: Mapping[str, NDArray[np.float64]], names: Mapping[int, str]
) -> list[Section]:
    """Sections from a record, the figures first; scores chip by chip, and names of the chips by slot."""
    sections: list[Section] = [_figures(record), _table(record)]
    if record.get("segmentation", {}).get("classes"):
        sections.append(_classes(record["segmentation"]))
    if record["diversity"].get("classes"):
        sections.append(_diversity(record["diversity"]))
    if record.get("nearest"):
        sections.append(_nearest(record["nearest"], names))
    return [*sections, over_chips(scores), _distances(record["distances"])]


def _figures(record: Mapping[str, Any]) -> TableSection:
    figures = record["figures"]
    notes = [f"Means over {figures['images']:,} images, valid pixels only. {scale_of(record['range'])}"]
    if figures["skipped"]:
        notes.append(f"{figures['skipped']:,} without a valid pixel were left out.")
    if figures["equal"]:
        notes.append(f"{figures['equal']:,} equal the real image; they are left out of the mean PSNR.")
    if record["statistics"] == "batch":
        notes.append(f"Batch norm used the statistics of each batch of {record['batch']}, as in the settings.")
    return figures_table(record, IMAGE_FIGURES, notes)


def _distances(distances: Sequence[Mapping[str, Any]]) -> TableSection:
    rows = [
        (
            one["extractor"],
            f"{one['dim']:,}",
            f"{one['real']:,} / {one['made']:,}",
            "–" if one["frechet"] is None else f"{one['frechet']:.4g}",
            "–" if one["kernel"] is None else f"{one['kernel']:.3g}",
        )
        for one in distances
    ]
    notes = [
        "Smaller is closer. Figures of two extractors cannot be compared, nor Fréchet distances of different "
        "numbers of images: fewer make it larger. None of them is the usual FID."
    ]
    notes += sorted(
        {f"No distance: {one[key]}." for one in distances for key in ("no_frechet", "no_kernel") if key in one}
    )
    return TableSection(
        title="Distances between the real and the generated images",
        header=("features", "dimensions", "images, real / generated", "Fréchet", "kernel"),
        rows=rows,
        note=" ".join(notes),
    )


def _table(record: Mapping[str, Any]) -> TableSection:
    row = record["table"]
    rows = [(f"{title} {way}", shown(row, key), named_by(row, key)) for key, title, way, _ in COLUMNS]
    return TableSection(
        title="Beside other generators",
        header=("", "value", "by"),
        rows=rows,
        note=" ".join(_table_notes(record)),
    )


def _table_notes(record: Mapping[str, Any]) -> list[str]:
    row, diversity = record["table"], record["diversity"]
    gains, classes = record.get("downstream"), record.get("segmentation")
    notes = ["Figures compare only where they are by the same network with the same weights."]
    if classes is None:
        notes.append("mIoU, FWIoU and acc of the generated images need a segmenter.")
    elif classes.get("why"):
        notes.append(f"No mIoU, FWIoU and acc: {classes['why']}.")
    else:
        real = ", ".join(f"{title} {classes['real'][key]:.4f}" for key, title, *_ in COLUMNS if key in classes["real"])
        notes.append(f"On the real images the same segmenter reaches {real}.")
    if row["frechet"] is None:
        notes.append(f"No Fréchet distance: {record['distances'][-1]['no_frechet']}.")
    if diversity.get("why"):
        notes.append(f"Diversity was not measured: {diversity['why']}.")
    elif not diversity["stochastic"]:
        notes.append("One image for a mask: no diversity, and nothing to draw anew.")
    if gains:
        notes.append(f"d-X: {gains['arm']}, {gains['seeds']} seed{'' if gains['seeds'] == 1 else 's'}.")
    return notes


def _classes(found: Mapping[str, Any]) -> BarsSection:
    classes = found["classes"]
    return BarsSection(
        title="What a segmenter makes of the images",
        groups=[one["name"].replace("_", " ") for one in classes],
        series={"generated": [one["made"] for one in classes], "real": [one["real"] for one in classes]},
        colours=[one["colour"] for one in classes],
        x_label="intersection over union",
        top=1.0,
        note=f"Against the masks that the images were made from, by {found['segmenter']}; the same pixels of both.",
    )


def _diversity(found: Mapping[str, Any]) -> TableSection:
    rows = [
        (one["name"].replace("_", " "), f"{one['chips']:,}", _figure(one["csd"]), _figure(one["ocd"]))
        for one in found["classes"]
    ]
    of = f"{found['chips']:,} of {found['of_chips']:,} masks, {found['samples']} images and {found['pairs']} pairs each"
    notes = [
        f"By {found['by']}, over {of}; mean over all: diversity {_figure(found['diversity'])}.",
        f"Standard deviation over the images of a mask, on 0 to 1: {_figure(found['spread'])}.",
        f"CSD and OCD are {found['mcsd_mocd']}.",
    ]
    if not found["by_class"]:
        notes.append("This generator has one noise for the whole image, so that all of it was drawn anew.")
    return TableSection(
        title="Diversity", header=("class drawn anew", "masks", "CSD", "OCD"), rows=rows, note=" ".join(notes)
    )


def _nearest(found: Mapping[str, Any], names: Mapping[int, str]) -> TableSection:
    gallery, lowest = found["gallery"], found["real"]["lowest"]
    rows: list[Sequence[str]] = [
        ("median, generated", _figure(found["made"]["median"])),
        ("median, real held-out chips", _figure(found["real"]["median"])),
        ("lowest hundredth, generated", _figure(found["made"]["lowest"])),
        ("lowest hundredth, real held-out chips", _figure(lowest)),
        (
            "generated chips nearer than that",
            _percent(found["closer"]),
        ),
        ("generated chips with one train chip that stands out", _percent(found["recited"]["made"])),
        ("real held-out chips likewise", _percent(found["recited"]["real"])),
    ]
    rows += [
        (f"{names.get(one['slot'], one['slot'])} to {one['train_chip']}", _figure(one["distance"]))
        for one in found["nearest"]
    ]
    some = "" if gallery["chips"] == gallery["of_chips"] else f"{gallery['chips']:,}, evenly chosen, of "
    return TableSection(
        title="Nearest train chip",
        header=("", "distance"),
        rows=rows,
        note=(
            "Root of the mean squared difference of thumbnails (16 x 16 means over blocks, all bands, on 0 to 1) to "
            f"the nearest of {some}{gallery['of_chips']:,} train chips. Images that recite them are far nearer than "
            "real chips are. So is, somewhat, a smooth image, or one that looks like the train scenes while held-out "
            "chips are of others; but then many chips are equally near. One stands out if it is nearer than "
            f"{RECITED:g} of the distance to the chip of rank {NEXT}: the mark of a recited image."
        ),
    )


def _figure(value: float | None) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:.4g}".replace("-", "−")


def _percent(share: float | None) -> str:
    return "–" if _none(share) else f"{100 * (share or 0.0):.1f} %"


def _none(value: float | None) -> bool:
    return value is None or math.isnan(value)
