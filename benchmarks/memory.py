"""Memory and time of a build that is ten times as large, with the same workers.

    python benchmarks/memory.py [--source DIR] [--chip-size 48] [--rounds 3] [--workers 2] [--json FILE]

Two areas of one planted source are built: 400 chips of 48 pixels in 4 shards and 4,000 in 40 (with
``--chip-size 16``: 3,600 in 36 shards and 36,000 in 360). The source is simulated first where the folder is
empty. Each build is the command itself, in a process of its own, so that nothing is left over from the one
before; the two sizes take turns. Two figures tell the memory of the build and all its workers:

- peak: largest sum of the proportional set sizes of the process tree (pages that processes share count
  once), sampled ten times a second;
- high-water: sum over the processes of the largest resident size that the kernel saw. Short peaks cannot
  be missed here, but processes need not have theirs at one time, and shared pages count more than once.

Time per chip is that of the whole command, start and report included, and that of the shards alone; on a
busy machine the processor time says more.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import pyproj
import shapely
import yaml

from rsprep.job.journal_view import JournalView
from rsprep.sources.planted import simulate

EPSG = 32633
WEST, SOUTH = 312_000, 5_328_000
"""South-west corner in metres, on a corner of a shard for every chip size that is allowed."""
LARGE = (38_400, 24_000)
SMALL = (9_600, 9_600)
"""Metres eastward and northward: a tenth of the area."""
BLOCK_CHIPS = 10
CHIP_SIZES = (16, 24, 48)
SAMPLE_S = 0.1
PROGRAM = (sys.executable, "-c", "from rsprep.cli.main import run; run()")


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What one build took."""

    scheduler: str
    chips: int
    peak_mb: float
    high_water_mb: float
    command_s: float
    cpu_s: float
    shards_s: float

    @property
    def command_ms_per_chip(self) -> float:
        """Milliseconds of the whole command."""
        return 1000 * self.command_s / self.chips

    @property
    def cpu_ms_per_chip(self) -> float:
        """Milliseconds of processor time of the command and its workers."""
        return 1000 * self.cpu_s / self.chips

    @property
    def shards_ms_per_chip(self) -> float:
        """Milliseconds of the tasks alone, shared out over the workers."""
        return 1000 * self.shards_s / self.chips


def area(size: tuple[float, float]) -> shapely.Polygon:
    """Longitude/latitude outline of whole shards, a metre wider so that the outermost chips are inside."""
    box = shapely.segmentize(shapely.box(WEST - 1, SOUTH - 1, WEST + size[0] + 1, SOUTH + size[1] + 1), 1000)
    to_degrees = pyproj.Transformer.from_crs(EPSG, 4326, always_xy=True)
    return shapely.transform(box, to_degrees.transform, interleaved=False)


def prepare(source: Path) -> None:
    """Write the planted source where there is none."""
    if not (source / "catalog.json").is_file():
        print(f"simulating the source in {source} (minutes)", file=sys.stderr)
        simulate(source, aoi=area(LARGE))


def build(
    source: Path, folder: Path, size: tuple[float, float], scheduler: str, options: argparse.Namespace
) -> Figures:
    """One build in a process of its own, watched from here."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "area.geojson").write_text(json.dumps(shapely.geometry.mapping(area(size))), encoding="utf-8")
    recipe = {
        "aoi": str(folder / "area.geojson"),
        "endpoint": str(source / "catalog.json"),
        "out": str(folder / "chips"),
        "catalog": str(folder / "catalog"),
        "grid": {"chip_size": options.chip_size, "block_px": BLOCK_CHIPS * options.chip_size},
        "split": {"buffer_m": 0},
        "engine": {"scheduler": scheduler, "workers": options.workers},
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    began = time.perf_counter()
    command = subprocess.Popen(
        [*PROGRAM, "build-multisource", "--config", folder / "recipe.yaml"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    peak, high_water, cpu = watch(command)
    if command.returncode:
        raise SystemExit(f"the build in {folder} ended with {command.returncode}")
    seconds = time.perf_counter() - began
    with JournalView.open(folder / "chips") as journal:
        chips = journal.counts().committed
        shards_s = sum(shard.seconds for shard in journal.shards()) / options.workers
    expected = size[0] * size[1] / (options.chip_size * 10) ** 2
    if chips != expected:
        raise SystemExit(f"{chips} chips were built where {expected:.0f} were planned")
    return Figures(
        scheduler=scheduler, chips=chips, peak_mb=peak / 1e6, high_water_mb=high_water / 1e6,
        command_s=seconds, cpu_s=cpu, shards_s=shards_s,
    )  # fmt: skip


def watch(command: subprocess.Popen[bytes]) -> tuple[int, int, float]:
    """Peak and high-water bytes of a process and all it starts, until it ends; and its CPU seconds."""
    root = psutil.Process(command.pid)
    high: dict[int, int] = {}
    cpu: dict[int, float] = {}
    peak = 0
    while command.poll() is None:
        total = 0
        try:
            tree = [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            break
        for process in tree:
            try:
                total += process.memory_full_info().pss
                high[process.pid] = max(high.get(process.pid, 0), high_water(process.pid))
                cpu[process.pid] = sum(process.cpu_times()[:2])
            except (psutil.Error, OSError):
                continue  # it ended while it was looked at
        peak = max(peak, total)
        time.sleep(SAMPLE_S)
    command.wait()
    return peak, sum(high.values()), sum(cpu.values())


def high_water(pid: int) -> int:
    """Largest resident size of a process so far, bytes."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def summary(runs: list[Figures]) -> list[dict[str, float | str]]:
    """Medians by scheduler and size, and what the large build has of the small one."""
    rows: list[dict[str, float | str]] = []
    for scheduler in dict.fromkeys(run.scheduler for run in runs):
        sizes = sorted({run.chips for run in runs if run.scheduler == scheduler})
        names = ("peak_mb", "high_water_mb", "command_ms_per_chip", "shards_ms_per_chip", "cpu_ms_per_chip")
        medians = [
            {
                name: statistics.median(
                    getattr(run, name) for run in runs if (run.scheduler, run.chips) == (scheduler, chips)
                )
                for name in names
            }
            for chips in sizes
        ]
        rows += [{"scheduler": scheduler, "chips": chips, **row} for chips, row in zip(sizes, medians, strict=True)]
        ratio = {name: medians[-1][name] / medians[0][name] for name in names}
        rows.append({"scheduler": scheduler, "chips": "ratio", **ratio})
    return rows


def show(rows: list[dict[str, float | str]]) -> None:
    """Print the table."""
    heads = ("scheduler", "chips", "peak MB", "high-water MB", "ms/chip command", "ms/chip shards", "CPU ms/chip")
    print("".join(f"{head:>17}" for head in heads))
    for row in rows:
        digits = 2 if row["chips"] == "ratio" else 1
        print(
            "".join(f"{value:>17.{digits}f}" if isinstance(value, float) else f"{value:>17}" for value in row.values())
        )


def main() -> None:
    """Build both sizes in turns, and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, default=Path(tempfile.gettempdir(), "rsprep-bench-source"))
    parser.add_argument("--chip-size", type=int, choices=CHIP_SIZES, default=48)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--schedulers", nargs="+", choices=("threads", "processes"), default=["threads", "processes"])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    prepare(options.source.absolute())
    runs: list[Figures] = []
    with tempfile.TemporaryDirectory() as scratch:
        for _ in range(options.rounds):
            for scheduler in options.schedulers:
                for size in (SMALL, LARGE):
                    runs.append(build(options.source.absolute(), Path(scratch, "build"), size, scheduler, options))
                    print(f"{runs[-1]}, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    rows = summary(runs)
    show(rows)
    if options.json:
        record = {"machine": platform.processor() or platform.machine(), "cores": os.cpu_count(), "rows": rows}
        record["runs"] = [asdict(run) for run in runs]
        options.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
