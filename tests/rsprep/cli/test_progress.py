"""Progress: bars with a steady rate and an end time on a terminal, one JSON object a line elsewhere."""

from __future__ import annotations

import datetime as dt
import io
import json
import os
import pty
import re
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from rich.progress import Progress as Bars

from rsprep.cli.progress import JsonProgress, Pace, TerminalProgress, watcher
from rsprep.job.progress import Silent, counted


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


def events(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_lines_of_json(clock: Clock) -> None:
    stream = io.StringIO()
    with JsonProgress(stream) as progress:
        progress.note('area: 1 km² "here"\nand there')
        progress.stage("build", total=40, unit="chips")
        progress.advance(2)
        clock.now = 10.0
        progress.advance(8)
        clock.now = 12.0
        progress.advance(1)  # too early for another line
        progress.stage("seal")
    found = events(stream)
    assert [one["event"] for one in found] == ["note", "stage", "progress", "stage-done", "stage", "stage-done"]
    assert found[0]["text"].endswith("and there")
    assert found[1] == {"event": "stage", "stage": "build", "total": 40, "unit": "chips"}
    assert (found[2]["done"], found[2]["per_second"], found[2]["seconds_left"]) == (10, 1.0, 30.0)
    left = dt.datetime.fromisoformat(found[2]["ends"]) - dt.datetime.now(dt.UTC)
    assert left.total_seconds() == pytest.approx(30, abs=10)
    assert found[3] == {"event": "stage-done", "stage": "build", "done": 11, "seconds": 12.0}


def test_a_stage_that_fails_is_not_done() -> None:
    stream = io.StringIO()
    with suppress(RuntimeError), JsonProgress(stream) as progress:
        progress.stage("plan")
        raise RuntimeError
    assert [one["event"] for one in events(stream)] == ["stage"]


def rendered(completed: float, total: float | None, elapsed: float, reached: float) -> str:
    clock = Clock()
    bars = Bars(get_time=clock)
    task = bars.add_task("build", total=total, unit="chips", reached=None)
    bars.update(task, completed=completed, reached=reached)
    clock.now = elapsed
    return Pace().render(bars.tasks[0]).plain


def test_the_pace_is_a_mean_that_does_not_jump() -> None:
    assert rendered(0, 100, 5.0, 0.0) == ""
    text = rendered(20, 100, 12.0, 10.0)
    assert text.startswith("2.0 chips/s  0:00:38 left, ends ")
    assert re.search(r"ends \d\d:\d\d$", text)
    assert rendered(20, 100, 60.0, 10.0).startswith("2.0 chips/s  0:00:00 left")  # late, and never negative
    assert rendered(20, None, 12.0, 10.0) == "2.0 chips/s"


def in_a_terminal(work: Callable[[TerminalProgress], None]) -> str:
    """What `work` puts on a pseudo-terminal of 120 columns."""
    ours, theirs = pty.openpty()
    os.environ["COLUMNS"] = "120"
    try:
        with os.fdopen(theirs, "w") as stream:
            found = watcher(stream)
            assert isinstance(found, TerminalProgress)
            work(found)
        return _all_of(ours)
    finally:
        del os.environ["COLUMNS"]
        os.close(ours)


def _all_of(terminal: int) -> str:
    """Everything that was written; one read may give a part of it."""
    parts = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # EIO: how a pseudo-terminal says that its other end is closed
            return parts.decode()
        parts += part


def test_bars_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")

    def work(found: TerminalProgress) -> None:
        with found as progress:
            progress.note("area: [not markup] 1 km²")
            progress.stage("plan")
            progress.stage("build", total=4, unit="chips")
            time.sleep(0.02)
            progress.advance(4)

    shown = in_a_terminal(work)
    assert "area: [not markup] 1 km²" in shown
    for words in ("plan", "build", "4/4", "chips/s", "✓"):
        assert words in shown


def test_a_failed_stage_is_red_and_gets_no_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")

    def work(found: TerminalProgress) -> None:
        with suppress(RuntimeError), found as progress:
            progress.stage("plan")
            raise RuntimeError

    shown = in_a_terminal(work)
    assert "✓" not in shown
    assert "\x1b[31mplan" in shown


def test_no_terminal_no_bars() -> None:
    assert isinstance(watcher(io.StringIO()), JsonProgress)


def test_counted_work_begins_its_stage_with_the_first_piece() -> None:
    class Seen(Silent):
        def __init__(self) -> None:
            self.calls: list[object] = []

        def stage(self, name: str, total: int | None = None, unit: str = "") -> None:
            self.calls.append((name, total, unit))

        def advance(self, amount: int = 1) -> None:
            self.calls.append(amount)

    seen = Seen()
    tell = counted(seen, "simulate", "pieces")
    for done in (1, 2, 5):
        tell(done, 5, "x")
    assert seen.calls == [("simulate", 5, "pieces"), 1, 1, 3]
