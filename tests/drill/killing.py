"""SIGKILL at every operation on the disk, and again while the same command resumes."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tests.drill.ground import Reference, faults_between
from tests.drill.running import armed_build, built, forked
from tests.drill.trials import Ring, operation

LONGEST_CHAIN = 4
"""Kills of one data set before it may finish."""


@dataclass(kw_only=True)
class Chain:
    """A data set that was killed, resumed, killed again, and at last left in peace."""

    number: int
    """Operation of the first kill."""
    kills: list[dict[str, Any]] = field(default_factory=list)
    """Each with its number, the call and the stage in which it fell, and whether the call was half, or all, done."""
    wrong: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "name": f"kill-{self.number}"}


def chains(ring: Ring, seed: int) -> Iterator[tuple[int, random.Random]]:
    """A chain for every operation of an undisturbed build, in an order that is mixed."""
    numbers = list(range(1, len(ring.operations) + 1))
    random.Random(seed).shuffle(numbers)
    for number in numbers:
        yield number, random.Random(f"{seed} {number}")


def run_chain(ring: Ring, number: int, rng: random.Random, longest: int = LONGEST_CHAIN) -> Chain:
    """Kill a build at one operation, then its resumptions at random ones; finish, and compare to the last byte."""
    folder = ring.root / f"kill-{number}"
    shutil.rmtree(folder, ignore_errors=True)
    ring.source.recipe(folder)
    chain = Chain(number=number)
    at = number
    for _ in range(rng.randint(1, longest)):
        kill, wrong = _killed(ring, folder, at, rng.choice(["kill", "kill-after"]))
        chain.wrong += wrong
        if kill is None:
            break
        chain.kills.append(kill)
        at = rng.randint(1, len(ring.operations))
    last = forked(partial(_resumed, folder, ring.local), ring.root / "told.json")
    if last.result.get("code") != 0 or last.hung:
        chain.wrong.append(f"it cannot be finished: {last.result}"[:1500])
    chain.wrong += last.result.get("wrong", ())
    if not chain.wrong:
        shutil.rmtree(folder)
    return chain


def _killed(ring: Ring, folder: Path, at: int, what: str) -> tuple[dict[str, Any] | None, list[str]]:
    """One kill; None where the build was over before. And what was wrong with the data set that it met."""
    log = folder.with_name(folder.name + ".log")
    log.unlink(missing_ok=True)
    ended = forked(partial(_armed, folder, ring.local, what, at), ring.root / "told.json")
    fell = log.read_text().splitlines()
    log.unlink(missing_ok=True)
    if ended.hung:
        return None, ["it hangs"]
    if not ended.killed:
        over = ended.result.get("code") == 0
        return None, [*ended.result.get("wrong", ()), *(() if over else [f"it ended by itself: {ended.result}"[:1500]])]
    call, stage = operation(fell[-1])
    return {"at": at, "what": what, "call": call, "stage": stage}, []


def _armed(folder: Path, reference: Reference, what: str, at: int) -> dict[str, Any]:
    before = faults_between(folder / "chips", reference)
    if before:
        return {"code": -1, "said": "", "wrong": before}
    return armed_build(folder, reference, what, at)


def _resumed(folder: Path, reference: Reference) -> dict[str, Any]:
    before = faults_between(folder / "chips", reference)
    result = built(folder, reference)
    return {**result, "wrong": [*before, *result["wrong"]]}
