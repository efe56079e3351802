"""Where every pixel of the masks went, and how much of each class a split has."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsprep.corpus.semantic.classes import Coding
from rsprep.corpus.semantic.settings import SemanticSettings
from rsprep.corpus.semantic.survey import Surveyed
from rsprep.files import write_text
from rsprep.job.desk import Desk
from rsprep.job.journal_view import JournalView
from rsprep.masks.scenes import inverse_frequency, median_frequency
from rsprep.report.data import SPLITS, Table
from rsprep.report.words import count_text

FILE_NAME = "class_statistics.json"
WEIGHED = "train"
"""The split that class weights are made from: val and test stay out of everything that training sees."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Ledger:
    """Pixels of every code of the store; scenes + padding = chips + filtered + edge + failed."""

    scenes: NDArray[np.int64]
    """(code,) in the masks as they were given."""
    padding: NDArray[np.int64]
    """(code,) added where chips stick out of their scene; all unknown."""
    chips: NDArray[np.int64]
    """(code,) in the chips of the corpus."""
    filtered: NDArray[np.int64]
    """(code,) in chips that are more unknown than allowed."""
    edge: NDArray[np.int64]
    """(code,) at the right and at the bottom of scenes, where no whole chip fits."""
    failed: NDArray[np.int64]
    """(code,) in chips that could not be made."""

    @property
    def balanced(self) -> bool:
        """True where no pixel got lost."""
        went = self.chips + self.filtered + self.edge + self.failed
        return bool((self.scenes + self.padding == went).all())


def write_statistics(
    desk: Desk, *, surveyed: Sequence[Surveyed], coding: Coding, settings: SemanticSettings
) -> tuple[Table, ...]:
    """Write ``class_statistics.json``; returns the tables of the report."""
    found = {one.scene.name: one for one in surveyed}
    blank = np.zeros(len(coding.codes), np.int64)
    filtered, failed = blank.copy(), blank.copy()
    chips: dict[str, list[NDArray[np.int64]]] = defaultdict(list)
    scenes: dict[str, set[str]] = defaultdict(set)
    pixels = settings.size**2
    with JournalView.open(desk.folder) as journal:
        for chip in journal.chips():
            payload = chip.record["payload"]
            if chip.state == "committed":
                split = str(chip.record["split"])
                chips[split].append(_counts(chip.stats["class_counts"], coding, pixels))
                scenes[split].add(payload["scene"])
            else:
                counts = found[payload["scene"]].cells[payload["row"], payload["column"]]
                (filtered if chip.excluded else failed)[:] += counts
    rest = sum((one.rest for one in surveyed), blank)
    padding = blank.copy()
    padding[-1] = sum(one.padding for one in surveyed)
    ledger = Ledger(
        scenes=sum((one.cells.sum(axis=(0, 1)) + one.rest for one in surveyed), blank) - padding,
        padding=padding,
        chips=sum((sum(counts, blank) for counts in chips.values()), blank),
        filtered=filtered,
        edge=rest,
        failed=failed,
    )
    splits = {split: np.array(chips[split], np.int64).reshape(-1, len(coding.codes)) for split in SPLITS}
    record = _record(ledger, splits, {split: len(scenes[split]) for split in SPLITS}, coding, settings)
    write_text(desk.folder / FILE_NAME, json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    return _tables(ledger, record, coding)


def _counts(stored: dict[str, int], coding: Coding, pixels: int) -> NDArray[np.int64]:
    known = [stored.get(str(code), 0) for code in coding.codes[:-1]]
    return np.array([*known, pixels - sum(known)], np.int64)


def _record(
    ledger: Ledger,
    splits: dict[str, NDArray[np.int64]],
    scenes: dict[str, int],
    coding: Coding,
    settings: SemanticSettings,
) -> dict[str, Any]:
    def by_code(values: NDArray[Any], digits: int | None = None) -> dict[str, Any]:
        pairs = zip(coding.codes, values.tolist(), strict=False)
        return {str(code): value if digits is None else round(value, digits) for code, value in pairs}

    total = sum(len(counts) for counts in splits.values())
    known = {split: counts[:, :-1] for split, counts in splits.items()}
    colours = coding.target.colours
    return {
        "coding": coding.target.name,
        "classes": [
            {"code": code, "name": name, "colour": colours.get(code, ""), "unknown": code == coding.unknown}
            for code, name in zip(coding.codes, coding.names, strict=True)
        ],
        "pixels": {name: by_code(values) for name, values in vars(ledger).items()},
        "splits": {
            split: {
                "chips": len(counts),
                "share": round(len(counts) / total, 6) if total else 0.0,
                "wanted": round(settings.ratio[SPLITS.index(split)] / sum(settings.ratio), 6),
                "scenes": scenes[split],
                "pixels": by_code(counts.sum(axis=0)),
            }
            for split, counts in splits.items()
        },
        "weights": {
            "from": WEIGHED,
            "note": "unknown pixels do not count; 0 for a class without a pixel; inverse_frequency has mean 1",
            "inverse_frequency": by_code(inverse_frequency(known[WEIGHED].sum(axis=0)), 6),
            "median_frequency": by_code(median_frequency(known[WEIGHED]), 6),
        },
    }


def _tables(ledger: Ledger, record: dict[str, Any], coding: Coding) -> tuple[Table, ...]:
    parts = {name: values for name, values in vars(ledger).items() if name in ("scenes", "chips") or values.any()}
    names = {
        "scenes": "in the scenes", "padding": "+ padding", "chips": "in chips", "filtered": "filtered out",
        "edge": "left at edges", "failed": "not made",
    }  # fmt: skip
    rows = [
        (name, *(count_text(int(values[index])) for values in parts.values()))
        for index, name in enumerate(coding.names)
    ]
    rows.append(("all", *(count_text(int(values.sum())) for values in parts.values())))
    balance = "they add up" if ledger.balanced else "they do NOT add up: the masks changed after the plan was made"
    where = Table(
        title="Where the pixels went",
        header=("class", *(names[name] for name in parts)),
        rows=tuple(rows),
        note=f"Pixels of each class: {balance}.",
    )
    return where, _class_table(record, coding), _split_table(record)


def _class_table(record: dict[str, Any], coding: Coding) -> Table:
    rows = []
    weights = record["weights"]
    for code, name in zip(coding.codes[:-1], coding.names[:-1], strict=True):
        shares = []
        for split in SPLITS:
            pixels = record["splits"][split]["pixels"]
            known = sum(pixels.values()) - pixels[str(coding.unknown)]
            shares.append(f"{100 * pixels[str(code)] / known:.2f} %" if known else "–")
        rows.append(
            (
                name,
                *shares,
                f"{weights['inverse_frequency'][str(code)]:.3f}",
                f"{weights['median_frequency'][str(code)]:.3f}",
            )
        )
    return Table(
        title="Classes and their weights",
        header=("class", *SPLITS, "inverse frequency", "median frequency"),
        rows=tuple(rows),
        note=f"Shares of the known pixels of each split. Weights are made from {WEIGHED} alone; see {FILE_NAME}.",
    )


def _split_table(record: dict[str, Any]) -> Table:
    rows = tuple(
        (
            split,
            count_text(told["scenes"]),
            count_text(told["chips"]),
            f"{100 * told['share']:.1f} %",
            f"{100 * told['wanted']:.1f} %",
        )
        for split, told in record["splits"].items()
    )
    return Table(
        title="Splits", header=("split", "scenes with chips in it", "chips", "share of chips", "asked for"), rows=rows
    )
