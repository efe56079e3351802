"""Progress for people (bars with rates and an end time) and for logs (JSON lines)."""

from __future__ import annotations

import datetime as dt
import json
import sys
import time
from typing import Any, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Progress as Bars
from rich.text import Text

from rsprep.job.progress import Progress

SECONDS_BETWEEN_LINES = 5.0


def watcher(stream: TextIO | None = None) -> TerminalProgress | JsonProgress:
    """The watcher that suits `stream` (standard error by default): bars on a terminal, JSON lines elsewhere."""
    stream = stream or sys.stderr
    return TerminalProgress(stream) if stream.isatty() else JsonProgress(stream)


class Pace(ProgressColumn):
    """Mean rate since the stage began, the time that is left at this rate, and the time of day when it ends.

    Work comes in large pieces, several at once: a rate over the last moments would jump.
    """

    def render(self, task: Task) -> Text:
        """Rate and end of `task`; nothing before its first piece is done."""
        if not task.completed or not task.elapsed or task.fields["reached"] is None:
            return Text("")
        rate = task.completed / task.fields["reached"]
        shown = f"{rate:,.1f} {task.fields['unit']}/s" if task.fields["unit"] else ""
        if task.total is not None and not task.finished:
            left = dt.timedelta(seconds=round(max(0.0, task.total / rate - task.elapsed)))
            shown += f"  {left} left, ends {dt.datetime.now().astimezone() + left:%H:%M}"
        return Text(shown)


class TerminalProgress(Progress):
    """A bar a stage; finished stages stay on the screen."""

    def __init__(self, stream: TextIO) -> None:
        self.console = Console(file=stream)
        self._bars = Bars(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description:<12}"),
            BarColumn(bar_width=16),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            Pace(),
            console=self.console,
        )
        self._current: TaskID | None = None

    def __enter__(self) -> TerminalProgress:
        self._bars.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._finish_stage()
        elif self._current is not None:
            self._bars.update(self._current, description=f"[red]{self._bars.tasks[-1].description}")
        self._bars.stop()

    def stage(self, name: str, total: int | None = None, unit: str = "") -> None:
        self._finish_stage()
        self._current = self._bars.add_task(name, total=total, unit=unit, reached=None)

    def advance(self, amount: int = 1) -> None:
        if self._current is None:
            return
        self._bars.update(self._current, advance=amount, reached=self._bars.tasks[-1].elapsed)

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
        end = None if left is None else dt.datetime.now(dt.UTC) + dt.timedelta(seconds=left)
        self._line(
            "progress",
            done=self._done,
            total=self._total,
            per_second=round(rate, 2),
            seconds_left=None if left is None else round(left, 1),
            ends=None if end is None else end.isoformat(timespec="seconds"),
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
