"""Progress for people (bars with rates and an end time) and for logs (JSON lines)."""

from __future__ import annotations

import json
import sys
import time
from typing import Any, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars

from rsprep.job.progress import Progress

SECONDS_BETWEEN_LINES = 5.0


def watcher(stream: TextIO | None = None) -> TerminalProgress | JsonProgress:
    """The watcher that suits `stream` (standard error by default): bars on a terminal, JSON lines elsewhere."""
    stream = stream or sys.stderr
    return TerminalProgress(stream) if stream.isatty() else JsonProgress(stream)


class TerminalProgress(Progress):
    """A bar a stage; finished stages stay on the screen."""

    def __init__(self, stream: TextIO) -> None:
        self.console = Console(file=stream)
        self._bars = Bars(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description:<12}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.console,
        )
        self._current: TaskID | None = None
        self._unit = ""

    def __enter__(self) -> TerminalProgress:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._finish_stage()
        self._bars.stop()

    def stage(self, name: str, total: int | None = None, unit: str = "") -> None:
        self._finish_stage()
        self._unit = unit
        self._current = self._bars.add_task(name, total=total, rate="")

    def advance(self, amount: int = 1) -> None:
        if self._current is None:
            return
        self._bars.advance(self._current, amount)
        speed = self._bars.tasks[-1].speed
        if speed:
            self._bars.update(self._current, rate=f"{speed:,.1f} {self._unit}/s")

    def note(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False)

    def _finish_stage(self) -> None:
        if self._current is None:
            return
        task = self._bars.tasks[-1]
        if task.total is None:
            self._bars.update(self._current, total=max(1, task.completed), completed=max(1, task.completed))
        self._current = None


class JsonProgress(Progress):
    """One JSON object a line: stages, rates, end times, notes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._name = ""
        self._unit = ""
        self._total: int | None = None
        self._done = 0
        self._began = self._last = 0.0

    def __enter__(self) -> JsonProgress:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._end_stage()

    def stage(self, name: str, total: int | None = None, unit: str = "") -> None:
        self._end_stage()
        self._name, self._total, self._unit, self._done = name, total, unit, 0
        self._began = self._last = time.monotonic()
        self._line("stage", total=total, unit=unit or None)

    def advance(self, amount: int = 1) -> None:
        self._done += amount
        now = time.monotonic()
        if now - self._last < SECONDS_BETWEEN_LINES:
            return
        self._last = now
        rate = self._done / max(now - self._began, 1e-9)
        left = (self._total - self._done) / rate if self._total is not None else None
        self._line(
            "progress",
            done=self._done,
            total=self._total,
            per_second=round(rate, 2),
            seconds_left=None if left is None else round(left, 1),
        )

    def note(self, text: str) -> None:
        self._line("note", text=text)

    def _end_stage(self) -> None:
        if self._name:
            self._line("stage-done", done=self._done or None, seconds=round(time.monotonic() - self._began, 2))
            self._name = ""

    def _line(self, event: str, **fields: Any) -> None:
        record = {"event": event, "stage": self._name or None, **fields}
        print(
            json.dumps({key: value for key, value in record.items() if value is not None}),
            file=self._stream,
            flush=True,
        )
