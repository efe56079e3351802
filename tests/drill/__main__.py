"""The fault drill: ``make drill``, or ``python -m tests.drill --out drill``; run again, it goes on where it ended.

Servers and disks fail at every stage of a small build, and processes die at every operation on the disk. Whatever comes
out must be the undisturbed data set to the last byte, or an exit code and a reason, after which the same command
finishes it. Needs a C compiler.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tests.drill.killing import chains, run_chain
from tests.drill.running import compile_shim, serving
from tests.drill.table import markdown, recorded, summary
from tests.drill.trials import Ring, Trial, all_trials

COMPILED = "DRILL_FOLDER"
"""Says to the process that it is the one with the shim."""


def main() -> int:
    """Run what is asked for and not yet done; returns 1 if anything was lost, altered, doubled or silent."""
    parser = argparse.ArgumentParser(prog="python -m tests.drill", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("drill"), help="where the records and the tables go")
    parser.add_argument("--seeds", type=int, default=3, help="trials of each fault of a server, lasting and not")
    parser.add_argument("--disk-seeds", type=int, default=5, help="trials of each fault of a disk")
    parser.add_argument("--sample", type=int, help="so many of the trials, drawn by the seed")
    parser.add_argument("--kills", type=int, default=1000, help="least number of kills")
    parser.add_argument("--minutes", type=float, default=24 * 60.0, help="begin nothing new after so many minutes")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    folder = os.environ.get(COMPILED)
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="drill-") as place:
            library = compile_shim(Path(place))
            environment = {**os.environ, "LD_PRELOAD": str(library), COMPILED: place}
            return subprocess.call([sys.executable, "-m", "tests.drill", *sys.argv[1:]], env=environment)
    asked.out.mkdir(parents=True, exist_ok=True)
    return Drill(asked, Path(folder)).run()


class Drill:
    """A drill and its records."""

    def __init__(self, asked: argparse.Namespace, root: Path) -> None:
        self.asked, self.root = asked, root
        self.files = {kind: asked.out / f"{kind}.jsonl" for kind in ("trials", "kills")}
        self.records = {kind: recorded(path) for kind, path in self.files.items()}
        self.until = time.monotonic() + 60 * asked.minutes

    def run(self) -> int:
        """All trials, then all kills; the tables."""
        source = Ring.prepared(self.root)
        with serving(source.root) as url:
            ring = Ring(self.root, source, url)
            print(f"undisturbed: {len(ring.local.digests)} chips, {len(ring.operations)} operations", flush=True)
            trials = list(all_trials(range(self.asked.seeds), range(self.asked.disk_seeds)))
            if self.asked.sample is not None:
                trials = random.Random(self.asked.seed).sample(trials, self.asked.sample)
            held = iter(trials)
            for number, rng in chains(ring, self.asked.seed):
                self._hold(ring, itertools.islice(held, 1))  # turn by turn: a drill cut short has met some of all
                if self._kills() < self.asked.kills:
                    work = lambda number=number, rng=rng: run_chain(ring, number, rng).to_json()  # noqa: E731
                    self._once("kills", f"kill-{number}", work)
            self._hold(ring, held)
        return self._told()

    def _hold(self, ring: Ring, trials: Iterable[Trial]) -> None:
        for trial in trials:
            self._once("trials", trial.name, lambda trial=trial: ring.run(trial).to_json())  # type: ignore[misc]

    def _kills(self) -> int:
        return sum(len(one["kills"]) for one in self.records["kills"].values())

    def _once(self, kind: str, name: str, work: Callable[[], dict[str, Any]]) -> None:
        if name in self.records[kind] or time.monotonic() > self.until:
            return
        record = self.records[kind][name] = work()
        with self.files[kind].open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        print(
            name,
            record.get("verdict", len(record.get("kills", ()))),
            record.get("reason", ""),
            *record["wrong"][:2],
            flush=True,
        )

    def _told(self) -> int:
        told = summary(self.records["trials"].values(), self.records["kills"].values())
        (self.asked.out / "drill.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        (self.asked.out / "drill.md").write_text(markdown(told), encoding="utf-8")
        print(f"{told['trials']} trials: {told['verdicts']}; {told['kills']} kills; {len(told['failed'])} failed")
        return 1 if told["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
