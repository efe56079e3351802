"""The end of a build on the terminal."""

from __future__ import annotations

import dataclasses
import io

import pytest
from rich.console import Console

from rsprep.report.data import Counts, Problem
from rsprep.report.summary import print_summary
from rsprep.report.words import bytes_text, seconds_text, verdict
from tests.rsprep.report.samples import full_report


def printed(**changes: object) -> str:
    out = io.StringIO()
    print_summary(full_report(**changes), Console(file=out, width=60))
    return out.getvalue()


def test_counts_places_and_reasons() -> None:
    text = printed()
    assert text.startswith("10 chips committed of 12 planned; 1 rejected; 1 quarantined.")
    assert "1 min 15 s" in text
    for place in ("out/chips.zarr", "catalog", "out/report.html", "read/timeout", "too much cloud"):
        assert place in text


def test_long_paths_stay_whole() -> None:
    path = "/data/" + "long/" * 40 + "chips.zarr"
    assert path in printed(places={"store": path})


def test_square_brackets_are_text() -> None:
    assert "[red]" in printed(places={"store": "out[red]"})
    assert "B[02]" in printed(problems=(Problem(state="rejected", reason="B[02] missing", count=1),))


def test_top_five_reasons() -> None:
    many = tuple(Problem(state="rejected", reason=f"reason {i}", count=9 - i) for i in range(8))
    text = printed(problems=many)
    assert "reason 4" in text
    assert "reason 5" not in text
    assert "3 more reasons" in text


def test_without_timings_and_problems() -> None:
    data = dataclasses.replace(full_report(), timings=None, problems=())
    out = io.StringIO()
    print_summary(data, Console(file=out))
    assert "reason" not in out.getvalue()


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        (Counts(planned=0, committed=0), "No chips were planned."),
        (Counts(planned=1, committed=1), "1 chip committed of 1 planned."),
        (Counts(planned=1500, committed=1500), "All 1,500 chips committed."),
        (Counts(planned=8, committed=0, rejected=8), "No chip committed of 8 planned; 8 rejected."),
        (Counts(planned=8, committed=5), "5 chips committed of 8 planned; 3 not built yet."),
    ],
)
def test_verdict(counts: Counts, said: str) -> None:
    assert verdict(counts) == said


def test_numbers_in_words() -> None:
    assert [seconds_text(s) for s in (0.424, 12.34, 59.99, 245, 7385)] == [
        "0.42 s",
        "12.3 s",
        "60.0 s",
        "4 min 05 s",
        "2 h 03 min",
    ]
    assert [bytes_text(b) for b in (12, 1234, 999_700, 3.41e9, 5e15)] == [
        "12 B",
        "1.2 kB",
        "1.0 MB",
        "3.4 GB",
        "5000 TB",
    ]
