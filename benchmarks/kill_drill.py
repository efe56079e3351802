"""Kill −9 builds and their workers at seeded random moments; resume; compare with an undisturbed build.

    python benchmarks/kill_drill.py --builds 36 --workers 24 --seed 0

Every data set goes through a few kills, is then finished by the same command, verified, and compared
to the last byte (shards, coordinates, metadata, index) with a build that nobody disturbed.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from rsprep.job.journal_view import JournalView
from rsprep.job.verify import verify
from tests.rsprep.job.drill import STAGES, Kill, finish, kill_build, kill_workers
from tests.rsprep.job.tiny import TinySource, different_files, leftovers, pixel_files, write_tiny

LONGEST_CHAIN = 4
"""Kills of one data set before it may finish."""
ENGINES = {"build": ("threads", "processes"), "worker": ("processes",)}


def main() -> int:
    """Run the drill and print its table; returns 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--builds", type=int, default=36, help="kills of the whole process")
    parser.add_argument("--workers", type=int, default=24, help="kills of a worker")
    parser.add_argument("--side", type=int, default=320, help="pixels along the side of the area")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return Drill(Path(folder), arguments.side, arguments.seed).run(arguments.builds, arguments.workers)


class Drill:
    """One source, one undisturbed build of it, and many that are disturbed."""

    def __init__(self, root: Path, side: int, seed: int) -> None:
        self.root = root
        self.rng = random.Random(seed)  # noqa: S311  # a schedule, no secret
        self.source: TinySource = write_tiny(root / "source", side)
        self.kills: list[Kill] = []
        self.faults: list[str] = []
        recipe = self.source.recipe(root / "undisturbed")
        finish(self.source.recipe(root / "warm-up"))  # compiles the kernels
        code, build = finish(recipe)
        if code != 0:
            raise RuntimeError(f"the undisturbed build failed: {build.events[-3:]}")
        self.seconds = build.stage_seconds
        self.expected = pixel_files(root / "undisturbed" / "chips")
        with JournalView.open(root / "undisturbed" / "chips") as journal:
            self.digests = {chip.chip_id: chip.digest for chip in journal.chips("committed")}
            shards = journal.meta("n_shards")
        print(f"undisturbed: {len(self.digests)} chips in {shards} shards, seconds a stage {self.seconds}")

    def run(self, builds: int, workers: int) -> int:
        """Do all the kills and print what came of them."""
        began, number = time.monotonic(), 0
        schedule = [STAGES[at % len(STAGES)] for at in range(builds)]
        self.rng.shuffle(schedule)
        while schedule:
            number += 1
            length = min(len(schedule), self.rng.randint(1, LONGEST_CHAIN))
            chain, schedule = schedule[:length], schedule[length:]
            self.disturb_build(f"build-{number}", chain, ENGINES["build"][number % 2])
        while (left := workers - sum(kill.victim == "worker" for kill in self.kills)) > 0:
            number += 1
            self.disturb_workers(f"workers-{number}", min(left, LONGEST_CHAIN))
        self.show(time.monotonic() - began)
        return 1 if self.faults else 0

    def disturb_build(self, name: str, chain: list[str], scheduler: str) -> None:
        """Kill one data set's build at each stage of `chain`, then let it finish."""
        recipe = self.source.recipe(self.root / name, engine={"scheduler": scheduler, "workers": 2})
        for stage in chain:
            longest = self.seconds.get("build" if stage == "write" else stage, 0.0)
            delay = self.rng.uniform(0, 0.7 * longest)
            self.kills.append(kill_build(recipe, self.root / name / "chips", stage, delay))
        self.check(name, *finish(recipe)[:1])

    def disturb_workers(self, name: str, kills: int) -> None:
        """Kill workers of one build, which goes on by itself."""
        recipe = self.source.recipe(self.root / name, engine={"scheduler": "processes", "workers": 2})
        code, fallen = kill_workers(recipe, self.root / name / "chips", kills, self.rng, self.seconds["build"] / 3)
        self.kills += fallen
        self.check(name, code)

    def check(self, name: str, code: int) -> None:
        """Compare a finished data set with the undisturbed one."""
        dataset = self.root / name / "chips"
        if code != 0:
            self.faults.append(f"{name}: exit code {code}")
            return
        report = verify(dataset)
        if not report.ok or report.checked != len(self.digests):
            self.faults.append(f"{name}: {report}")
        with JournalView.open(dataset) as journal:
            if {chip.chip_id: chip.digest for chip in journal.chips("committed")} != self.digests:
                self.faults.append(f"{name}: digests differ")
        self.faults += [f"{name}: {file} differs" for file in different_files(pixel_files(dataset), self.expected)]
        self.faults += [f"{name}: {file} is left over" for file in leftovers(self.root / name)]
        print(f"{name}: {report.checked} chips equal" if not self.faults else f"{name}: {self.faults[-1]}", flush=True)

    def show(self, seconds: float) -> None:
        """Print the table."""
        table = Counter((kill.victim, kill.fell_in) for kill in self.kills)
        print(f"\n{'victim':<8} {'fell in':<8} kills")
        for (victim, stage), count in sorted(table.items()):
            print(f"{victim:<8} {stage:<8} {count:5}")
        struck = sum(kill.fell_in != "over" for kill in self.kills)
        print(f"{struck} kills in {seconds:.0f} s; {sum(kill.orphans for kill in self.kills)} orphans left")
        for kill in self.kills:
            if kill.orphans:
                self.faults.append(f"{kill} left orphans")
        print("\n".join(self.faults) or "every data set equals the undisturbed one to the last byte")


if __name__ == "__main__":
    sys.exit(main())
