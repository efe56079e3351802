"""What keeps a run whole: the same settings when it goes on, one process at a time, and stops between two steps."""

from __future__ import annotations

import fcntl
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import yaml

from rsmodels.errors import ModelError
from rsmodels.tasks.settings import NO_WEIGHT_DEPENDS_ON, RunSettings
from rsmodels.training import checkpoint
from rsprep.errors import InputError
from rsprep.settings import dump_config
from rsprep.strict_yaml import load_yaml

CONFIG, LOCK = "config.yaml", ".lock"
THREADS = "loading.threads"
"""Changes no batch, so it may differ when a run goes on."""


def check_resumes(run: Path, settings: RunSettings) -> None:
    """See that `run` is new, or was begun with the same settings; writes nothing."""
    if run.exists() and not run.is_dir():
        raise ModelError("not-a-folder", "--out is a file", value=str(run), remedy="choose another --out")
    file = run / CONFIG
    if not file.is_file():
        if run.is_dir() and any(file.name != LOCK for file in run.iterdir()):
            raise ModelError(
                "not-a-run",
                "--out holds other files",
                value=str(run),
                remedy="choose another --out, or an empty folder",
            )
        return
    before = load_yaml(file.read_text(encoding="utf-8"))
    now = yaml.safe_load(dump_config(settings))
    differing = [
        f"{key}: {old!r} before, {new!r} now"
        for key, old, new in differences(before, now)
        if key.split(".")[0] not in NO_WEIGHT_DEPENDS_ON and key != THREADS
    ]
    if differing:
        raise ModelError(
            "other-settings",
            "the run was begun with other settings",
            value="; ".join(differing),
            remedy="give the same settings to go on, or another --out",
        )


def differences(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Keys whose values differ, sections by their own keys, with both values."""
    for key in dict.fromkeys([*before, *now]):
        old, new = before.get(key), now.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from differences(old, new, f"{prefix}{key}.")
        elif old != new:
            yield f"{prefix}{key}", old, new


@contextmanager
def leaving_nothing_wrong(run: Path) -> Iterator[None]:
    """Take a folder away again that was made for a run which could not begin with what was given.

    Some settings are found wrong only by a network, once it has the data before it. Whoever calls holds the lock.
    """
    fresh = all(file.name == LOCK for file in run.iterdir())
    try:
        yield
    except InputError:
        if fresh and not checkpoint.listed(run):
            shutil.rmtree(run, ignore_errors=True)
        raise


@contextmanager
def alone(run: Path) -> Iterator[None]:
    """Hold the run's lock: two processes in one run would tear it."""
    run.mkdir(parents=True, exist_ok=True)
    with (run / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ModelError(
                "run-locked", "another process trains in this folder", value=str(run), remedy="wait for it"
            ) from None
        yield


@contextmanager
def heeding_stops() -> Iterator[Callable[[], bool]]:
    """Let a step end before an interrupt or a request to terminate is heeded; a second interrupt is heeded at once."""
    come = False
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal come
        if come:
            raise KeyboardInterrupt
        come = True

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: come
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
