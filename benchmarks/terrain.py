"""Terrain against three gdaldem calls (slope, aspect, hillshade) on one core.

    python benchmarks/terrain.py [--size 4096] [--repeats 5] [--json FILE]

Everything runs in turns within each round, pinned to one core, and ratios are taken round by round, so
that a busy machine slows both sides alike. gdaldem is timed as it is used: it reads an uncompressed
GeoTIFF and writes one, three times. Ours is timed four ways: arrays only, into memory that is there
already; the same in blocks of 1024 pixels with a halo, each with a new result, as a build does it; arrays
only with one new large result, where the price of first touching memory shows (in some virtual machines
it is ten times that of the work); and from file to files, where it reads the same GeoTIFF once and
writes the same three files.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.io import DatasetWriter
from rasterio.windows import Window

from rsprep.products.terrain import terrain

SIDE = 10.0
NODATA = -9999.0
MODES = ("slope", "aspect", "hillshade")


def create(path: Path, height: int, width: int, dtype: str, nodata: float) -> DatasetWriter:
    """An uncompressed GeoTIFF with one band, open for writing."""
    return rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=1, dtype=dtype,
        nodata=nodata, crs="EPSG:32633", transform=Affine(SIDE, 0, 5e5, 0, -SIDE, 5e6),
    )  # fmt: skip


def relief(size: int) -> np.ndarray:
    """Hills, valleys, roughness, a lake and some nodata."""
    y, x = np.mgrid[:size, :size].astype(np.float32)
    elevation = 800 + 300 * np.sin(x / 300) * np.cos(y / 210) + 20 * np.sin(x / 17 + y / 23)
    elevation += np.random.default_rng(0).normal(0, 0.3, elevation.shape)
    elevation[elevation < 560] = 560
    elevation[: size // 20, : size // 10] = NODATA
    return elevation.astype(np.float32)


def gdaldem(folder: Path) -> None:
    """Three calls, as a user makes them."""
    for mode in MODES:
        subprocess.run(["gdaldem", mode, folder / "dem.tif", folder / f"gdal-{mode}.tif", "-q"], check=True)


def read(folder: Path) -> np.ndarray:
    """The elevation with NaN for nodata."""
    with rasterio.open(folder / "dem.tif") as file:
        elevation = file.read(1)
    elevation[elevation == NODATA] = np.nan
    return elevation


def blocks(elevation: np.ndarray, side: int = 1024) -> None:
    """Block by block with a halo of one pixel, a new array for each."""
    rows, columns = elevation.shape
    for top in range(0, rows - 2, side):
        for left in range(0, columns - 2, side):
            terrain(elevation[top : top + side + 2, left : left + side + 2], resolution=SIDE)


def file_to_files(folder: Path, rows: int = 256) -> None:
    """Read once and write three files like gdaldem's, strip by strip, as gdaldem does."""
    with rasterio.open(folder / "dem.tif") as source, contextlib.ExitStack() as stack:
        height, width = source.height - 2, source.width - 2
        # gdaldem's conventions: −9999 where there is nothing; hillshade in whole numbers with 0 for nothing.
        kinds = (("slope", "float32", NODATA), ("aspect", "float32", NODATA), ("hillshade", "uint8", 0))
        targets = [
            (stack.enter_context(create(folder / f"ours-{mode}.tif", height, width, dtype, nodata)), dtype, nodata)
            for mode, dtype, nodata in kinds
        ]
        for top in range(0, height, rows):
            depth = min(rows, height - top)
            elevation = source.read(1, window=Window(0, top, source.width, depth + 2))
            elevation[elevation == NODATA] = np.nan
            derived = terrain(elevation, resolution=SIDE)[1:]
            derived[2] += np.float32(0.5)
            for band, (target, dtype, nodata) in zip(derived, targets, strict=True):
                filled = np.nan_to_num(band, copy=False, nan=nodata).astype(dtype, copy=False)
                target.write(filled, 1, window=Window(0, top, width, depth))


def timed(work: Callable[[], object]) -> dict[str, float]:
    """Wall and CPU seconds of `work`, its child processes included."""
    before = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    start = time.perf_counter()
    work()
    wall = time.perf_counter() - start
    after = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(b.ru_utime + b.ru_stime - a.ru_utime - a.ru_stime for a, b in zip(before, after, strict=True))
    return {"wall": wall, "cpu": cpu}


def differences(folder: Path, got: np.ndarray) -> dict[str, float]:
    """Largest differences from what gdaldem wrote: the two must have done the same work."""
    found = {}
    for band, mode in enumerate(MODES, start=1):
        with rasterio.open(folder / f"gdal-{mode}.tif") as file:
            expected = file.read(1)[1:-1, 1:-1].astype(np.float32)
        difference = np.abs(got[band] - expected)
        if mode == "aspect":
            difference = np.minimum(difference, 360 - difference)
        # Nodata is NaN here; aspect is compared where it means something.
        found[mode] = float(np.nanmax(np.where(got[1] > (1 if mode == "aspect" else -1), difference, np.nan)))
    assert found["slope"] <= 0.01
    assert found["aspect"] <= 0.1
    assert found["hillshade"] <= 1
    return found


def measure(size: int, rounds: int, folder: Path) -> dict[str, object]:
    """Time every way in turns; medians of seconds and of the ratios of each round."""
    with create(folder / "dem.tif", size + 2, size + 2, "float32", NODATA) as file:
        file.write(relief(size + 2), 1)
    elevation, out = read(folder), np.zeros((4, size, size), np.float32)
    tasks: dict[str, Callable[[], object]] = {
        "gdaldem": lambda: gdaldem(folder),
        "arrays": lambda: terrain(elevation, resolution=SIDE, out=out),
        "arrays_in_blocks": lambda: blocks(elevation),
        "arrays_new_memory": lambda: terrain(elevation, resolution=SIDE),
        "file_to_files": lambda: file_to_files(folder),
        # As many bytes read and written as the kernel needs at the least.
        "copy_as_many_bytes": lambda: [np.copyto(plane, elevation[1:-1, 1:-1]) for plane in out],
    }
    # Once before counting: compiling, page cache, first touch of memory.
    for task in tasks.values():
        task()
    tasks["arrays"]()
    agreement = differences(folder, out)
    seconds: dict[str, list[dict[str, float]]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, task in tasks.items():
            seconds[name].append(timed(task))
    summary = {
        name: {kind: statistics.median(one[kind] for one in runs) for kind in ("wall", "cpu")}
        for name, runs in seconds.items()
    }
    speedup = {
        name: {
            kind: statistics.median(
                theirs[kind] / ours[kind] for theirs, ours in zip(seconds["gdaldem"], seconds[name], strict=True)
            )
            for kind in ("wall", "cpu")
        }
        for name in tasks
        if name != "gdaldem"
    }
    return {"seconds": summary, "times_faster_than_gdaldem": speedup, "largest_difference": agreement}


def main() -> None:
    """Read the options, pin to one core, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures here as JSON")
    options = parser.parse_args()
    if shutil.which("gdaldem") is None:
        sys.exit("gdaldem is not installed (Debian package gdal-bin)")
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    version = subprocess.run(["gdaldem", "--version"], capture_output=True, text=True, check=False).stdout.partition(
        "\n"
    )[0]
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(options.size, options.repeats, Path(folder))
    record = {
        "pixels": f"{options.size} x {options.size}",
        "rounds": options.repeats,
        "cores": 1,
        "gdal": version,
        "python": platform.python_version(),
        **figures,
    }
    text = json.dumps(record, indent=1)
    sys.stdout.write(text + "\n")
    if options.json is not None:
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
