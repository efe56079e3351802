"""Faults of servers and disks, at every stage of a build: a trial is a fault, a stage and a seed."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tests.drill.ground import Reference, from_server, prepare, reason_of, signed_definition
from tests.drill.running import armed_build, built, forked, seen, tell
from tests.rsprep.job.tiny import TinySource

ANSWERS = ("403-expired", "404", "429", "500", "503", "reset", "stall", "truncated", "short", "html")
SERVER_FAULTS = {
    "search": ANSWERS,
    "page": ("missing-asset", "wrong-proj", "empty-page"),
    "header": (*ANSWERS, "flipped", "flipped-tags"),
    "block": (*ANSWERS, "flipped"),
}
DISK_FAULTS = ("disk-full", "io-error", "lost-response", "short-write")
DISK_STAGES = ("write", "journal", "seal", "catalog")
PIXELS = ("s2/", "s2_valid/", "s1/", "lulc/", "terrain/")


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One fault, once or lastingly, at a stage; the seed says which request or operation it meets."""

    fault: str
    stage: str
    lasts: bool
    seed: int

    @property
    def name(self) -> str:
        return f"{self.stage}-{self.fault}-{'lasting' if self.lasts else 'once'}-{self.seed}"


@dataclass(kw_only=True)
class Outcome:
    """What a trial came to."""

    trial: Trial
    verdict: str
    """``identical``, ``loud``, ``not met`` (the fault found nothing to befall), or ``failed``."""
    code: int = 0
    """Exit code of the disturbed build."""
    reason: str = ""
    """The name that the build gave to it."""
    anew: bool = False
    """The data set had to be begun again: its plan held what a server had said wrongly."""
    wrong: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "name": self.trial.name}


def all_trials(seeds: Sequence[int], disk_seeds: Sequence[int]) -> Iterator[Trial]:
    """Every combination, seed by seed, so that a drill that is cut short has met each fault."""
    for number in range(max(len(seeds), len(disk_seeds))):
        if number < len(seeds):
            for stage, faults in SERVER_FAULTS.items():
                for fault in faults:
                    for lasts in (False, True):
                        yield Trial(fault=fault, stage=stage, lasts=lasts, seed=seeds[number])
        if number < len(disk_seeds):
            for stage in DISK_STAGES:
                for fault in DISK_FAULTS:
                    yield Trial(fault=fault, stage=stage, lasts=fault == "disk-full", seed=disk_seeds[number])


class Ring:
    """Where trials are held: one source, one server, an undisturbed build from each side."""

    def __init__(self, root: Path, source: TinySource, url: str) -> None:
        self.root, self.source, self.url = root, source, url
        self.definition = signed_definition(root, url)
        warm(source, root / "warm")
        tell(url, {})
        remote, local = root / "undisturbed-remote", root / "undisturbed-local"
        from_server(source, remote, url, self.definition)
        source.recipe(local)
        self._must(forked(partial(built, remote, None, engine=True), root / "told.json").result)
        self.requests = seen(url)
        self.remote = Reference.of(remote / "chips")
        log = root / "undisturbed-local.log"
        self._must(forked(partial(armed_build, local, self.remote, "count", 0), root / "told.json").result, wrong=False)
        self.local = Reference.of(local / "chips")
        self.operations = [operation(line) for line in log.read_text().splitlines()]
        if self.local.digests != self.remote.digests:
            raise RuntimeError("the server gives other pixels than the disk")

    @classmethod
    def prepared(cls, root: Path) -> TinySource:
        return prepare(root)

    def _must(self, result: dict[str, Any], *, wrong: bool = True) -> None:
        if result.get("code") != 0 or (wrong and result["wrong"]):
            raise RuntimeError(f"an undisturbed build failed: {result}")

    def numbers(self, stage: str) -> list[int]:
        """Operations of an undisturbed build that fall in a stage, from 1."""
        return [number for number, (_, where) in enumerate(self.operations, 1) if where == stage]

    def run(self, trial: Trial) -> Outcome:
        """Hold one trial, in a folder that is gone afterwards."""
        folder = self.root / trial.name
        shutil.rmtree(folder, ignore_errors=True)
        try:
            return (self._served if trial.stage in SERVER_FAULTS else self._on_disk)(trial, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            folder.with_name(folder.name + ".log").unlink(missing_ok=True)

    def _served(self, trial: Trial, folder: Path) -> Outcome:
        rng = random.Random(f"{trial.name}")
        at = rng.randint(1, max(1, self.requests.get(trial.stage, 1)))
        from_server(self.source, folder, self.url, self.definition)
        tell(self.url, {"kind": trial.fault, "stage": trial.stage, "at": at, "lasts": trial.lasts, "seed": trial.seed})
        first = forked(partial(built, folder, self.remote, engine=True), self.root / "told.json")
        struck = seen(self.url)["struck"]
        tell(self.url, {})
        return self._judged(trial, folder, self.remote, first, met=struck > 0)

    def _on_disk(self, trial: Trial, folder: Path) -> Outcome:
        at = random.Random(f"{trial.name}").choice(self.numbers(trial.stage))
        self.source.recipe(folder)
        first = forked(partial(armed_build, folder, self.local, trial.fault, at), self.root / "told.json")
        met = folder.with_name(folder.name + ".log").read_text() != ""
        return self._judged(trial, folder, self.local, first, met=met)

    def _judged(self, trial: Trial, folder: Path, reference: Reference, first: Any, *, met: bool) -> Outcome:
        result = first.result
        wrong = [*result.get("wrong", ()), *([result["defect"]] if "defect" in result else ())]
        if first.hung or first.killed or "code" not in result:
            wrong.append("it hangs" if first.hung else "it ended without a word")
            return Outcome(trial=trial, verdict="failed", code=-1, wrong=wrong)
        code, said = result["code"], result["said"]
        if "a defect of rsprep itself" in said:
            wrong.append(f"a defect: {said[-400:]}")
        if code == 0:
            verdict = "failed" if wrong else "identical" if met else "not met"
            return Outcome(trial=trial, verdict=verdict, wrong=wrong)
        reason = reason_of(said)
        if not reason and "the system refused" not in said:
            wrong.append(f"no reason is given: {said[-300:]}")
        again = forked(partial(built, folder, reference, "--retry-failed"), self.root / "told.json").result
        anew = again.get("code") == 1 and trial.stage == "page" and reason.startswith("raster/")
        if anew:  # what a search said is frozen in the plan, wrong as it was
            shutil.rmtree(folder / "chips")
            again = forked(partial(built, folder, reference), self.root / "told.json").result
        if again.get("code") != 0:
            wrong.append(f"it cannot be finished: {again.get('said', again)[-600:]}")
        wrong += again.get("wrong", ())
        verdict = "failed" if wrong else "loud"
        return Outcome(trial=trial, verdict=verdict, code=code, reason=reason, wrong=wrong, anew=anew)


def warm(source: TinySource, folder: Path) -> None:
    """Build once in this very process, from the disk: its children find all imported and compiled."""
    import distributed  # noqa: F401

    source.recipe(folder)
    built(folder, None)
    shutil.rmtree(folder)


def operation(line: str) -> tuple[str, str]:
    """The call, and the stage that its path belongs to."""
    _, call, path = line.split(" ", 2)
    inside = path.removeprefix("/").removeprefix("chips/")
    if inside.startswith("journal.sqlite"):
        stage = "journal"
    elif inside.startswith("chips.zarr/"):
        rest = inside.removeprefix("chips.zarr/")
        stage = "write" if rest.startswith(PIXELS) and "/c" in rest else "seal"
    elif inside.startswith(("items.parquet", ".items.parquet")):
        stage = "seal"
    else:
        stage = "catalog"
    return call, stage
