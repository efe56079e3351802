"""Kill builds at chosen moments: what the tests and ``benchmarks/kill_drill.py`` share."""

from __future__ import annotations

import json
import os
import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.rsprep.job.tiny import command, environment

STAGES = ("plan", "build", "write", "seal", "catalog", "report")
"""Where a kill can fall; ``write`` is within the build, while a shard is half on the disk."""
PATIENCE = 180.0
"""Seconds after which a build that should have gone on counts as hung."""
GRACE = 8.0
"""Seconds in which orphans have to be gone."""


@dataclass
class Build:
    """A build that runs in a process of its own, and what it has said so far."""

    process: subprocess.Popen[str]
    events: list[dict[str, Any]] = field(default_factory=list)
    stage_seconds: dict[str, float] = field(default_factory=dict)

    @property
    def stage(self) -> str:
        """The stage it is in; empty before the first."""
        stages = [event["stage"] for event in self.events if event.get("event") == "stage"]
        return stages[-1] if stages else ""

    @property
    def running(self) -> bool:
        """True until the process has ended."""
        return self.process.poll() is None

    def wait_until(self, condition: Callable[[], bool]) -> bool:
        """Wait for `condition`; False where the build ended first."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if not self.running:
                return False
            if time.monotonic() > deadline:
                raise TimeoutError(f"the build hangs in stage {self.stage!r}")
            time.sleep(0.001)
        return True

    def workers(self) -> list[psutil.Process]:
        """Worker processes, without the helper that multiprocessing starts beside them."""
        try:
            children = psutil.Process(self.process.pid).children(recursive=True)
            return [child for child in children if "spawn_main" in " ".join(child.cmdline())]
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            return []


def running_build(recipe: Path, *options: str, cwd: Path | None = None) -> AbstractContextManager[Build]:
    """Start a build by its command; whatever is left of it is killed on leaving."""
    return running(command(recipe, *options), cwd or recipe.parent)


@contextmanager
def running(line: list[str], cwd: Path) -> Iterator[Build]:
    """Start any command of rsprep; whatever is left of it is killed on leaving."""
    process = subprocess.Popen(
        line,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        cwd=cwd,
        start_new_session=True,
    )
    build = Build(process)
    listener = threading.Thread(target=_listen, args=(build,), daemon=True)
    listener.start()
    try:
        yield build
    finally:
        if build.running:
            process.kill()
        process.wait()
        listener.join(GRACE)


def _listen(build: Build) -> None:
    assert build.process.stderr is not None
    with build.process.stderr as lines:
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:
                event = {"event": "text", "text": line.rstrip()}
            if event.get("event") == "stage-done":
                build.stage_seconds[event["stage"]] = event["seconds"]
            build.events.append(event)


@dataclass(frozen=True, kw_only=True)
class Kill:
    """One kill: where it was meant to fall, where it fell, and what it left."""

    victim: str
    aimed_at: str
    fell_in: str
    """The stage; ``over`` where the build was faster than the kill."""
    done: int
    """Shards that were on the disk at that moment."""
    orphans: int
    """Processes of the build that were still there after :data:`GRACE` seconds."""


def finish(recipe: Path, *options: str) -> tuple[int, Build]:
    """Run the command to its end; returns its exit code."""
    with running_build(recipe, *options) as build:
        build.process.wait(PATIENCE)
    return build.process.returncode, build


def kill_build(recipe: Path, dataset: Path, aimed_at: str, delay: float) -> Kill:
    """Run the command and kill −9 its process `delay` seconds into a stage."""
    with running_build(recipe) as build:
        stage = "build" if aimed_at == "write" else aimed_at
        reached = build.wait_until(lambda: build.stage == stage)
        if reached:
            time.sleep(delay)
            if aimed_at == "write":
                build.wait_until(lambda: half_written(dataset) or build.stage != "build")
        build.process.kill()
        over = build.process.wait() == 0
        orphans = _orphans(build)
        fell_in = "over" if over else build.stage or "start"
    if fell_in == "build" and half_written(dataset):
        fell_in = "write"
    return Kill(victim="build", aimed_at=aimed_at, fell_in=fell_in, done=_shards_done(dataset), orphans=orphans)


def kill_workers(recipe: Path, dataset: Path, kills: int, rng: random.Random, seconds: float) -> tuple[int, list[Kill]]:
    """Run the command and kill −9 a random worker at random moments; returns its exit code and the kills."""
    fallen: list[Kill] = []
    with running_build(recipe) as build:
        build.wait_until(lambda: build.stage == "build" and _shards_done(dataset) > 0)
        for _ in range(kills):
            time.sleep(rng.uniform(0, seconds))
            if not build.wait_until(lambda: bool(build.workers()) or build.stage != "build"):
                break
            workers = build.workers()
            if build.stage != "build" or not workers:
                break
            victim = rng.choice(workers)
            done = _shards_done(dataset)
            victim.kill()
            fallen.append(
                Kill(
                    victim="worker",
                    aimed_at="build",
                    fell_in="write" if half_written(dataset) else "build",
                    done=done,
                    orphans=0,
                )
            )
        code = build.process.wait(PATIENCE)
        orphans = _orphans(build)
    if fallen and orphans:
        raise AssertionError(f"{orphans} processes are left of a build that has ended")
    return code, fallen


def half_written(dataset: Path) -> bool:
    """True while a shard has its first variable on the disk and not its last, and after a death in that moment."""
    begun, ended = (_names(dataset / "chips.zarr" / name / "c") for name in ("s2", "terrain"))
    return bool(begun - ended)


def _names(folder: Path) -> set[str]:
    try:
        return {path.name for path in folder.iterdir()}
    except FileNotFoundError:
        return set()


def _shards_done(dataset: Path) -> int:
    return len(_names(dataset / "chips.zarr" / "terrain" / "c"))


def _orphans(build: Build) -> int:
    """How many processes of the build's session live on a while after it has ended."""
    deadline = time.monotonic() + GRACE
    while (alive := _session(build.process.pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return len(alive)


def _session(leader: int) -> list[int]:
    """Processes, zombies left out, of the session that `leader` began."""
    found = []
    for process in psutil.process_iter(["status"]):
        try:
            if process.info["status"] != psutil.STATUS_ZOMBIE and os.getsid(process.pid) == leader:
                found.append(process.pid)
        except ProcessLookupError:
            continue
    return found
