"""What is written and told once all synthetic chips are made: their lineage, their classes, how new they are."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsmodels.data.fields import Field
from rsmodels.data.lineage import FILE_NAME, Seen
from rsmodels.data.source import ChipSource
from rsmodels.metrics.nearest import LOWEST, compared
from rsmodels.records import as_json
from rsprep.files import write_text
from rsprep.job.desk import Desk
from rsprep.job.journal_view import JournalView
from rsprep.report.data import Table

METRICS = "metrics.json"


@dataclass(frozen=True, kw_only=True, eq=False)
class Told:
    """What the plan knows and the end needs."""

    source: ChipSource
    seen: Seen
    label: Field | None
    """The map of classes; None where the generator takes none."""
    pixels: NDArray[np.int64] | None
    """(class,) of the train chips that may lend their conditions."""
    apart: Callable[[], NDArray[np.float64]]
    """Gives (train chip,) distance of each to the nearest other one; reads them all."""


@dataclass(frozen=True, kw_only=True)
class _Made:
    """What the committed chips add up to."""

    parents: set[int]
    """Slots."""
    forms: Counter[str]
    """Variation, whatever the sample, to chips."""
    samples: int
    """Chips that are not the first image of their conditions."""
    pixels: Counter[str]
    """Code of a class, as text, to pixels."""
    distances: list[float]


def finish(desk: Desk, *, told: Told) -> tuple[Table, ...]:
    """Write what generator and parents saw, and the figures; tables of both for the report."""
    made = _added_up(desk)
    parents: NDArray[np.bool_] = np.isin(told.source.chips.slot, sorted(made.parents))
    everything = told.seen.merge(Seen.chips_of(told.source, parents))
    everything.write(desk.folder / FILE_NAME)
    found = compared(np.array(made.distances), told.apart())
    classes = [] if told.label is None or told.pixels is None else class_record(told.label, told.pixels, made.pixels)
    record: dict[str, Any] = {"classes": classes, "nearest": found}
    write_text(desk.folder / METRICS, as_json(record))
    return (_variations(made, len(everything)), *([_classes(classes)] if classes else []), _nearest(found))


def class_record(label: Field, real: NDArray[np.int64], made: Counter[str]) -> list[dict[str, Any]]:
    """Pixels and shares of each class, of the train chips and of the synthetic ones; gain is one share over the other.

    Parameters
    ----------
    real : (class,) pixels.
    made : code as text to pixels.
    """
    synthetic = np.array([made[str(code)] for code in label.codes], np.int64)
    shares = [pixels / max(int(pixels.sum()), 1) for pixels in (real, synthetic)]
    return [
        {
            "name": name,
            "real_pixels": int(real[i]),
            "synthetic_pixels": int(synthetic[i]),
            "real_share": float(shares[0][i]),
            "synthetic_share": float(shares[1][i]),
            "gain": float(shares[1][i] / shares[0][i]) if real[i] else None,
        }
        for i, name in enumerate(label.classes)
    ]


def _added_up(desk: Desk) -> _Made:
    made = _Made(parents=set(), forms=Counter(), samples=0, pixels=Counter(), distances=[])
    samples = 0
    with JournalView.open(desk.folder) as journal:
        for chip in journal.chips("committed"):
            payload, values = chip.record["payload"], chip.stats["values"]
            made.parents.add(int(payload["slot"]))
            name = str(values["variation"])
            made.forms[name.removesuffix(f"-s{payload['sample'] + 1}") if payload["sample"] else name] += 1
            samples += payload["sample"] > 0
            made.pixels.update(chip.stats.get("class_counts", {}))
            if values["nearest_id"]:
                made.distances.append(float(values["nearest_distance"]))
    return _Made(**{**vars(made), "samples": samples})


def _variations(made: _Made, behind: int) -> Table:
    rows = tuple((name, f"{count:,}") for name, count in made.forms.items())
    again = f"{made.samples:,} chips are further images of conditions that are there already; " if made.samples else ""
    return Table(
        title="Variations",
        header=("conditions", "chips"),
        rows=rows,
        note=f"{len(made.parents):,} parents; {again}{behind:,} chips that they or the generator saw are in "
        f"{FILE_NAME}",
    )


def _classes(classes: list[dict[str, Any]]) -> Table:
    rows = tuple(
        (
            one["name"],
            f"{one['real_pixels']:,}",
            f"{100 * one['real_share']:.2f} %",
            f"{one['synthetic_pixels']:,}",
            f"{100 * one['synthetic_share']:.2f} %",
            "–" if one["gain"] is None else f"× {one['gain']:.2f}",
        )
        for one in classes
    )
    return Table(
        title="Classes",
        header=("class", "real pixels", "share", "synthetic pixels", "share", "gain"),
        rows=rows,
        note="Pixels of which the class is known, of train chips and of synthetic ones. The gain is the synthetic "
        "share over the real one: above 1 a class is more frequent than in the train chips.",
    )


def _nearest(found: Mapping[str, Any]) -> Table:
    names = (("made", "synthetic to the nearest train chip"), ("real", "train chip to the nearest other"))
    closer = {"made": found["closer"], "real": LOWEST}
    rows = tuple(
        (
            name,
            f"{found[key]['images']:,}",
            _number(found[key]["median"]),
            _number(found[key]["lowest"]),
            "–" if math.isnan(closer[key]) else f"{100 * closer[key]:.1f} %",
        )
        for key, name in names
    )
    return Table(
        title="Nearest train chip",
        header=("distance", "chips", "median", "1 %", "closer"),
        rows=rows,
        note="Closer: nearer to a train chip than all but the nearest hundredth of train chips are to one another; "
        "many such chips would be copies. Distances are roots of the mean squared difference of 16 × 16 block means, "
        "on the scale of 0 to 1; turned chips are turned back first.",
    )


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.4f}"
