"""What the scores of a blind test say: of each rater and of all, for real images and for each system."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rsmodels.blind.key import read_key
from rsmodels.blind.page import check_place
from rsmodels.blind.scores import Rated, read_scores
from rsmodels.downstream.gains import spread
from rsmodels.downstream.words import Table
from rsmodels.errors import ModelError
from rsmodels.records import as_json
from rsmodels.report.page import BoxesSection, Section, TableSection, write_page
from rsprep.files import write_text

REAL = "real images"


@dataclass(frozen=True, kw_only=True)
class BlindScores:
    """What was found."""

    record: dict[str, Any]
    page: Path | None
    """The report, where one was asked for; the record lies beside it as JSON."""


def blind_scores(page: str | Path, files: Sequence[str | Path], *, out: str | Path | None = None) -> BlindScores:
    """Read the scores of one test and say how real and generated images did.

    Parameters
    ----------
    page : of the test, which holds the key.
    files : score files that it saved, one a rater.
    out : a page to write; the record goes beside it with the ending ``.json``.

    Raises
    ------
    ModelError : ``not-a-blind-test``, ``no-page``, ``over-the-key``, and those of
        :func:`rsmodels.blind.scores.read_scores`.
    """
    key = read_key(page)
    if out is not None:
        out = Path(out)
        check_place(out)
        if out.exists() and out.samefile(page):
            raise ModelError(
                "over-the-key",
                "the report would take the place of the page that has the key",
                value=str(out),
                remedy="give another --out",
            )
    record = record_of(key, read_scores(files, key))
    if out is None:
        return BlindScores(record=record, page=None)
    write_text(out.with_suffix(".json"), as_json(record))
    write_page(out, headline(record), subtitle(record), _sections(record), over="Blind test")
    return BlindScores(record=record, page=out)


def record_of(key: Mapping[str, Any], rated: Sequence[Rated]) -> dict[str, Any]:
    """Means and spreads by group: ``real`` and each system.

    Of a rater, ``deviation`` is over the images; of all, ``mean`` is the mean of all scores (Wang et al., IV-C 4) and
    ``deviation`` that of the raters' means. ``taken`` is the share of pairs of a real and a generated image of which
    the generated one had the higher score, ties half: 0.5 where the two cannot be told apart.
    """
    systems = list(key["systems"])
    of = {n: one["system"] for n, one in key["images"].items()}
    raters = [_rater(one, of, systems) for one in rated]
    every = {name: [score for one in raters for score in one["groups"][name]["scores"]] for name in (None, *systems)}
    groups = {
        name: {
            "mean": _mean(scores),
            "deviation": spread([one["groups"][name]["mean"] for one in raters]).deviation,
            "n": len(scores),
            "taken": _mean([one["groups"][name]["taken"] for one in raters]) if name is not None else math.nan,
        }
        for name, scores in every.items()
    }
    return {
        "format": 1,
        "test": key["test"],
        "images": len(of),
        "systems": key["systems"],
        "real": groups[None],
        "generated": {name: groups[name] for name in systems},
        "raters": [
            {
                "rater": one["rater"],
                "file": one["file"],
                "images": one["images"],
                "real": one["groups"][None],
                "generated": {name: one["groups"][name] for name in systems},
            }
            for one in raters
        ],
    }


def _rater(one: Rated, of: Mapping[str, str | None], systems: Sequence[str]) -> dict[str, Any]:
    scores = {name: [score for n, score in one.scores.items() if of[n] == name] for name in (None, *systems)}
    groups = {
        name: {
            "mean": _mean(some),
            "deviation": spread(some).deviation,
            "n": len(some),
            "scores": some,
            "taken": _taken(scores[None], some) if name is not None else math.nan,
        }
        for name, some in scores.items()
    }
    return {"rater": one.rater, "file": one.file, "images": len(one.scores), "groups": groups}


def _taken(real: Sequence[int], made: Sequence[int]) -> float:
    if not real or not made:
        return math.nan
    apart = np.sign(np.subtract.outer(np.array(made), np.array(real)))
    return float((apart.mean() + 1) / 2)


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def table(record: Mapping[str, Any]) -> Table:
    """A row a rater, and one of all."""
    systems = list(record["generated"])
    pairs = [cell for name in systems for cell in (name, f"{name} over real")]
    rows: list[tuple[str, ...]] = [
        (one["rater"], f"{one['images']:,} of {record['images']:,}", _cell(one["real"]), *_cells(one, systems))
        for one in record["raters"]
    ]
    scored = sum(one["images"] for one in record["raters"])
    rows.append(("all", f"{scored:,} scores", _cell(record["real"]), *_cells(record, systems)))
    return ("", "scored", REAL, *pairs), rows


def _cells(row: Mapping[str, Any], systems: Sequence[str]) -> list[str]:
    found = []
    for name in systems:
        one = row["generated"][name]
        found += [_cell(one), "–" if math.isnan(one["taken"]) else f"{100 * one['taken']:.0f} %"]
    return found


def _cell(found: Mapping[str, Any]) -> str:
    if math.isnan(found["mean"]):
        return "–"
    text = f"{found['mean']:.1f}"
    return text if math.isnan(found["deviation"]) else f"{text} ± {found['deviation']:.1f}"


def headline(record: Mapping[str, Any]) -> str:
    """The means, in a line."""
    groups = {REAL: record["real"], **record["generated"]}
    parts = [f"{name} {'–' if math.isnan(one['mean']) else format(one['mean'], '.1f')}" for name, one in groups.items()]
    return f"Mean score of 1 to 100: {', '.join(parts)}"


def subtitle(record: Mapping[str, Any]) -> str:
    """How many looked at how much."""
    count = len(record["raters"])
    return f"{count} rater{'' if count == 1 else 's'} · {record['images']:,} images · test {record['test']}"


def explained(record: Mapping[str, Any]) -> str:
    """How to read the table."""
    across = "of all over the raters' means" if len(record["raters"]) > 1 else "over raters there is none of one"
    return (
        f"Mean score ± standard deviation: of a rater over the images, {across}. People use the scale each in their "
        "own way: compare with the real images in the same row. Over real: how often, of a generated and a real image, "
        "the generated one had the higher score, ties half; 50 % means that the two could not be told apart."
    )


def _sections(record: Mapping[str, Any]) -> list[Section]:
    header, rows = table(record)
    groups = {REAL: "real", **{name: name for name in record["generated"]}}
    every = {
        title: [
            float(score)
            for one in record["raters"]
            for score in (one["real"] if title == REAL else one["generated"][name])["scores"]
        ]
        for title, name in groups.items()
    }
    short = [one["rater"] for one in record["raters"] if one["images"] < record["images"]]
    note = explained(record) + (f" Not finished: {', '.join(short)}." if short else "")
    return [
        TableSection(title="Scores", header=header, rows=rows, note=note),
        BoxesSection(
            title="All scores",
            groups=list(every),
            values=list(every.values()),
            x_label="score, the higher the closer to a real image",
            limits=(0.0, 100.0),
            decimals=0,
            note="Every score of every rater.",
        ),
    ]
