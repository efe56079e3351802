"""Score files of a blind test: read strictly, since they come from other people's machines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rsmodels.blind.page import HIGHEST, LOWEST
from rsmodels.errors import ModelError

COLUMNS = ("test", "rater", "position", "image", "score")


@dataclass(frozen=True, kw_only=True)
class Rated:
    """The scores of one rater."""

    rater: str
    file: str
    scores: Mapping[str, int]
    """By number of the image."""


def read_scores(files: Iterable[str | Path], key: Mapping[str, Any]) -> list[Rated]:
    """The scores in files that the page of a test saved, as CSV or JSON.

    Parameters
    ----------
    key : of the test, see :func:`rsmodels.blind.key.read_key`.

    Raises
    ------
    ModelError : ``not-scores``, ``other-test``, ``no-such-image``, ``bad-score``, ``scored-twice``, ``same-rater``.
    """
    found: list[Rated] = []
    for path in map(Path, files):
        one = _read(path, key)
        before = next((other.file for other in found if other.rater == one.rater), None)
        if before is not None:
            raise ModelError(
                "same-rater",
                "two files are of one rater",
                value=f"{one.rater}: {before} and {path.name}",
                remedy="give only the newer one, or change the name in one of them if they are two people",
            )
        found.append(one)
    return found


def _read(path: Path, key: Mapping[str, Any]) -> Rated:
    try:
        text = path.read_text(encoding="utf-8-sig")
        rows = _of_json(text) if path.suffix.lower() == ".json" else _of_csv(text)
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise _strange(path, f"{type(error).__name__}: {error}") from None
    raters = {rater for _, rater, _, _ in rows}
    if len(raters) != 1:
        raise _strange(path, f"{len(raters)} raters" if raters else "no score in it")
    scores: dict[str, int] = {}
    for test, _, image, score in rows:
        if test != key["test"]:
            raise ModelError(
                "other-test",
                f"these scores are of another test than {key['test']}",
                value=f"{path.name}: {test}",
                remedy="give the page that these scores were made on as --key",
            )
        if image not in key["images"]:
            raise ModelError(
                "no-such-image",
                "the test has no such image",
                value=f"{path.name}: {image}",
                remedy="give the file as the page saved it",
            )
        if image in scores:
            raise ModelError(
                "scored-twice", "an image has two scores", value=f"{path.name}: {image}", remedy="remove one of them"
            )
        scores[image] = _score(score, path)
    return Rated(rater=raters.pop(), file=path.name, scores=scores)


def _of_csv(text: str) -> list[tuple[str, str, str, str]]:
    table = csv.DictReader(io.StringIO(text), strict=True)
    if table.fieldnames is None or set(table.fieldnames) != set(COLUMNS):
        raise ValueError(f"its columns are not {', '.join(COLUMNS)}")
    rows = list(table)
    if any(None in row or None in row.values() for row in rows):
        raise ValueError("a row has another number of cells than the first line")
    # A spreadsheet takes the zeros away.
    return [(row["test"], row["rater"], row["image"].zfill(3), row["score"]) for row in rows]


def _of_json(text: str) -> list[tuple[str, str, str, str]]:
    found = json.loads(text)
    return [(str(found["test"]), str(found["rater"]), str(one["image"]), str(one["score"])) for one in found["scores"]]


def _score(text: str, path: Path) -> int:
    try:
        score = int(text)
    except ValueError:
        score = LOWEST - 1
    if not LOWEST <= score <= HIGHEST:
        raise ModelError(
            "bad-score",
            f"a score is a whole number from {LOWEST} to {HIGHEST}",
            value=f"{path.name}: {text}",
            remedy="correct it, or take the row out",
        )
    return score


def _strange(path: Path, told: str) -> ModelError:
    return ModelError(
        "not-scores",
        "this file holds no scores of one rater",
        value=f"{path}: {told}",
        remedy="give the CSV or JSON files that the page of the test saved, one a rater",
    )
