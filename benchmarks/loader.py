"""The loader against a raw memmap, zarr-python behind torch's DataLoader, and one GeoTIFF a chip.

    python benchmarks/loader.py [--repeats 5] [--batches 40] [--cases image layers] [--json FILE] [--work DIR]

All read the same planted chips in the same random order, as batches of 16 in torch tensors, from files that are in
the page cache. Two cases: ``image`` is 12 bands of int16 at 256 x 256, ``layers`` is optical, its mask, radar, land
cover and terrain at 128 x 128. The contestants:

rsmodels
    two threads that decode chips straight into the batch; the numbers as they are stored, as with the others.
rsmodels, normalised
    what a training run gets: the whole loader, normalised to float32 with masks.
memmap
    one .npy a layer, copied chip by chip in one process; nothing is compressed.
memmap, DataLoader
    the same behind a DataLoader with two workers.
zarr, DataLoader
    zarr-python on the same store, behind a DataLoader with two workers.
geotiff, DataLoader
    one deflated GeoTIFF a chip and layer through rasterio, behind a DataLoader with two workers.

Every measurement is a process of its own that reads some batches first; contestants take turns, and medians count.
Chips a CPU second, over all threads and workers, tell more than the clock where the machine has other work, too.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from scipy.ndimage import gaussian_filter

from rsprep.config import make_config
from rsprep.store.schema import Schema, multisource_schema
from rsprep.store.write import create_store, write_shard

BATCH, WARM, WORKERS = 16, 6, 2
CASES = {"image": (256, 384, ("s2",)), "layers": (128, 768, ("s2", "s2_valid", "s1", "lulc", "terrain"))}
"""Case: pixels along a chip's side, chips, layers that are read."""
STORE = "set/chips.zarr"
Arrays = dict[str, np.ndarray]


def main() -> None:
    """Write the chips, let the contestants take turns, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", nargs="*", default=list(CASES))
    parser.add_argument("--contestants", nargs="*", default=list(MAKERS))
    parser.add_argument("--batches", type=int, default=40, help="batches in one measurement")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--work", type=Path, help="folder for the chips; a temporary one by default")
    parser.add_argument("--json", type=Path, help="write every measurement here")
    parser.add_argument("--one", nargs=2, metavar=("CONTESTANT", "CASE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        contestant, case = arguments.one
        print(json.dumps(measure(contestant, case, arguments.work, arguments.batches)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        work = arguments.work or Path(temporary)
        for case in arguments.cases:
            write_case(work / case, case)
        runs = take_turns(arguments, work)
    for case in arguments.cases:
        report([run for run in runs if run["case"] == case], case)
    if arguments.json:
        arguments.json.write_text(json.dumps(runs, indent=1))


def schema_of(case: str) -> Schema:
    """The multi-source schema with chips of the case's size, shards of 1024 pixels."""
    size, _, layers = CASES[case]
    wanted = ["s2", "s1", "lulc", "terrain"] if len(layers) > 1 else ["s2"]
    values = {
        "aoi": "15,47,15.1,47.1", "out": "x", "start": "2021-06-01", "end": "2021-06-30",
        "grid": {"chip_size": size}, "layers": wanted,
    }  # fmt: skip
    return multisource_schema(make_config(values))


def planted(schema: Schema, number: int) -> Arrays:
    """One chip of hills and fields, with the noise of a sensor."""
    rng, size = np.random.default_rng(number), schema.chip_px
    surfaces = []
    for width in (2, 8, 30):
        noise = gaussian_filter(rng.standard_normal((size, size)), width)
        surfaces.append(noise / noise.std())
    fields = np.digitize(surfaces[1], np.linspace(-1.5, 1.5, 8))
    reflectance = rng.uniform(300, 3000, (12, 9))[:, fields] * (1 + 0.1 * surfaces[0])
    height = (500 + 80 * surfaces[2]).astype(np.float32)
    steep = rng.normal(10, 3, (3, size, size)).astype(np.float32)
    chip = {
        "s2": (reflectance + rng.normal(0, 20, reflectance.shape)).astype(np.int16),
        "s2_valid": (surfaces[2] < 2).astype(np.uint8),
        "s1": (-12 - fields / 2 + rng.normal(0, 1, (2, size, size))).astype(np.float32),
        "lulc": fields.astype(np.uint8),
        "terrain": np.stack([height, *steep]),
    }
    return {name: chip[name] for name in schema.names}


def write_case(folder: Path, case: str) -> None:
    """The same chips as a store, as .npy files and as GeoTIFFs."""
    import rasterio
    from rasterio.transform import from_origin

    if (folder / "done").exists():
        return
    schema, (size, count, layers) = schema_of(case), CASES[case]
    slots = schema.slots_per_shard
    create_store(folder / STORE, schema, count // slots)
    (folder / "tif").mkdir(parents=True, exist_ok=True)
    shape = {name: (count, *schema[name].chip_shape(size)) for name in layers}
    whole = {
        name: np.lib.format.open_memmap(folder / f"{name}.npy", "w+", schema[name].dtype, shape[name])
        for name in layers
    }
    for shard in range(count // slots):
        chips = [planted(schema, shard * slots + slot) for slot in range(slots)]
        write_shard(folder / STORE, schema, shard, {name: np.stack([one[name] for one in chips]) for name in chips[0]})
        for slot, chip in enumerate(chips, shard * slots):
            for name in layers:
                whole[name][slot] = chip[name]
                bands = chip[name] if chip[name].ndim == 3 else chip[name][None]
                predictor = 3 if bands.dtype.kind == "f" else 2
                with rasterio.open(
                    folder / "tif" / f"{slot}-{name}.tif", "w", driver="GTiff", width=size, height=size,
                    count=len(bands), dtype=bands.dtype, compress="deflate", predictor=predictor,
                    crs="EPSG:32633", transform=from_origin(5e5, 5.3e6, 10, 10),
                ) as file:  # fmt: skip
                    file.write(bands)
    for one in whole.values():
        one.flush()
    (folder / "done").touch()


def measure(contestant: str, case: str, work: Path, batches: int) -> dict[str, float]:
    """Chips a second by the clock, chips a CPU second of all processes that take part, and the machine's load."""
    import torch

    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message="This process .* is multi-threaded", category=DeprecationWarning)
    _, count, layers = CASES[case]
    rng = np.random.default_rng(5)
    order = np.concatenate([rng.permutation(count) for _ in range((batches + WARM) * BATCH // count + 1)])
    made = MAKERS[contestant](work / case, case, order[: (batches + WARM) * BATCH].tolist())
    for _ in range(WARM):
        first = next(made)
    check(first, contestant, layers, work / case, order[(WARM - 1) * BATCH : WARM * BATCH])
    began, worked = time.perf_counter(), cpu_seconds()
    met = sum(len(next(made)["s2"]) for _ in range(batches))
    seconds, work_seconds = time.perf_counter() - began, cpu_seconds() - worked
    return {
        "chips_per_second": met / seconds,
        "chips_per_cpu_second": met / work_seconds,
        "load": os.getloadavg()[0],
    }


def cpu_seconds() -> float:
    """Of this process and its workers."""
    own = psutil.Process()
    times = [one.cpu_times() for one in (own, *own.children(recursive=True))]
    return sum(one.user + one.system for one in times)


def check(batch: dict[str, Any], contestant: str, layers: Sequence[str], folder: Path, slots: np.ndarray) -> None:
    """All contestants hand out the same chips."""
    assert set(batch) == set(layers)
    if "normalised" in contestant:
        return
    for name in layers:
        expected = np.load(folder / f"{name}.npy", mmap_mode="r")[slots]
        np.testing.assert_array_equal(batch[name].numpy().reshape(expected.shape), expected)


def source_of(folder: Path, case: str) -> Any:
    """The store, without an index: nobody looks at fingerprints here."""
    from rsmodels.data.chips import ChipIndex
    from rsmodels.data.source import ChipSource

    _, count, _ = CASES[case]
    text, zeros = np.full(count, "train"), np.zeros(count)
    chips = ChipIndex(
        slot=np.arange(count), chip_id=text, split=text, digest=text, epsg=zeros.astype(np.int32),
        x_origin=zeros, y_origin=zeros, synthetic=zeros.astype(bool), side=1.0,
    )  # fmt: skip
    return ChipSource(path=folder / STORE, schema=schema_of(case), identity="", chips=chips)


def ours(folder: Path, case: str, order: list[int]) -> Iterator[dict[str, Any]]:
    """Chips as they are stored."""
    import torch

    from rsmodels.data.loader import prefetched
    from rsmodels.data.shards import ChipReader

    source = source_of(folder, case)
    readers = {name: ChipReader(source.path, source.schema, name) for name in CASES[case][2]}

    def make(step: int) -> dict[str, Any]:
        batch = {
            name: torch.empty((BATCH, *one.shape), dtype=getattr(torch, str(one.dtype)))
            for name, one in readers.items()
        }
        for name, reader in readers.items():
            out = batch[name].numpy()
            for place, slot in enumerate(order[step * BATCH : (step + 1) * BATCH]):
                reader.read(slot, out[place])
        return batch

    return prefetched(make, range(len(order) // BATCH), WORKERS)


def ours_normalised(folder: Path, case: str, order: list[int]) -> Iterator[dict[str, Any]]:
    """The loader of a run."""
    from rsmodels.data.batch import ChipKey
    from rsmodels.data.loader import Loader
    from rsmodels.data.normalise import Normaliser
    from rsmodels.data.order import Stream
    from rsmodels.data.source import field

    class Given(Stream):
        """The order that all contestants read in."""

        def keys(self, first: int, count: int) -> list[ChipKey]:
            return [ChipKey(0, slot) for slot in order[first : first + count]]

    source = source_of(folder, case)
    names = ("image", "radar", "landcover", "terrain") if len(CASES[case][2]) > 1 else ("image",)
    fields = [field(source, name) for name in names]
    normaliser = Normaliser.fit([source], fields, most=32)
    # The planted hillshade is no hillshade, which the loader would notice; what turning costs is not in question.
    loader = Loader(Given.of([source]), [source], fields, normaliser, batch=BATCH, augment="none", threads=WORKERS)
    stored = {"image": "s2", "radar": "s1", "landcover": "lulc", "terrain": "terrain"}
    for batch in loader.batches():
        values = {stored[name]: values for name, values in batch.values.items()}
        yield values | ({"s2_valid": batch.valid["image"]} if len(names) > 1 else {})


class Chips:
    """A dataset for a DataLoader."""

    def __init__(self, folder: Path, case: str, kind: str) -> None:
        self.folder, self.layers, self.kind = folder, CASES[case][2], kind
        self.read: Callable[[int], Arrays] | None = None

    def __len__(self) -> int:
        return len(list(self.folder.glob("tif/*-s2.tif")))

    def __getitem__(self, slot: int) -> Arrays:
        if self.read is None:  # opened where it is used: open files do not travel to workers
            self.read = {"memmap": self._memmap, "zarr": self._zarr, "geotiff": self._geotiff}[self.kind]()
        return self.read(slot)

    def _memmap(self) -> Callable[[int], Arrays]:
        maps = {name: np.load(self.folder / f"{name}.npy", mmap_mode="r") for name in self.layers}
        return lambda slot: {name: np.array(one[slot]) for name, one in maps.items()}

    def _zarr(self) -> Callable[[int], Arrays]:
        import zarr

        group = zarr.open_group(self.folder / STORE, mode="r")
        arrays = {name: group[name] for name in self.layers}
        return lambda slot: {name: np.asarray(one[slot]) for name, one in arrays.items()}

    def _geotiff(self) -> Callable[[int], Arrays]:
        import rasterio

        def read(slot: int) -> Arrays:
            chip = {}
            for name in self.layers:
                with rasterio.open(self.folder / "tif" / f"{slot}-{name}.tif") as file:
                    chip[name] = file.read()
            return chip

        return read


def memmap(folder: Path, case: str, order: list[int]) -> Iterator[dict[str, Any]]:
    """Copied into the batch, in this process."""
    import torch

    maps = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in CASES[case][2]}
    for first in range(0, len(order), BATCH):
        slots = order[first : first + BATCH]
        yield {name: torch.from_numpy(one[slots]) for name, one in maps.items()}


def behind_dataloader(kind: str) -> Callable[[Path, str, list[int]], Iterator[dict[str, Any]]]:
    """Two worker processes and the usual collation."""

    def make(folder: Path, case: str, order: list[int]) -> Iterator[dict[str, Any]]:
        from torch.utils.data import DataLoader

        return iter(DataLoader(Chips(folder, case, kind), batch_size=BATCH, sampler=order, num_workers=WORKERS))  # type: ignore[arg-type]

    return make


MAKERS: dict[str, Callable[[Path, str, list[int]], Iterator[dict[str, Any]]]] = {
    "rsmodels": ours,
    "rsmodels, normalised": ours_normalised,
    "memmap": memmap,
    "memmap, DataLoader": behind_dataloader("memmap"),
    "zarr, DataLoader": behind_dataloader("zarr"),
    "geotiff, DataLoader": behind_dataloader("geotiff"),
}


def take_turns(arguments: argparse.Namespace, work: Path) -> list[dict[str, Any]]:
    """Every measurement in a process of its own, contestants interleaved."""
    runs = []
    for repeat in range(arguments.repeats + 1):
        for case in arguments.cases:
            for contestant in arguments.contestants:
                command = [sys.executable, __file__, "--batches", str(arguments.batches), "--work", str(work)]
                command += ["--one", contestant, case]
                answer = subprocess.run(command, check=True, capture_output=True, text=True)
                if repeat:  # the first round compiles the kernels and brings the files into the page cache
                    runs.append({"case": case, "contestant": contestant, **json.loads(answer.stdout)})
    return runs


def report(runs: list[dict[str, Any]], case: str) -> None:
    """Print medians and how many times faster this package is."""
    size, count, layers = CASES[case]
    load = statistics.median(run["load"] for run in runs)
    print(f"\n{case}: {count} chips of {size} x {size}, {', '.join(layers)}; load average {load:.1f}")
    print(f"{'':22}{'chips/s':>9}{'lowest':>9}{'highest':>9}{'rsmodels x':>12}{'chips/CPU s':>13}{'rsmodels x':>12}")
    middle = {
        name: [
            statistics.median(run[key] for run in runs if run["contestant"] == name)
            for key in ("chips_per_second", "chips_per_cpu_second")
        ]
        for name in dict.fromkeys(run["contestant"] for run in runs)
    }
    best = middle.get("rsmodels", [float("nan")] * 2)
    for name, (clock, cpu) in middle.items():
        rates = [run["chips_per_second"] for run in runs if run["contestant"] == name]
        extremes = f"{min(rates):9.0f}{max(rates):9.0f}"
        print(f"{name:22}{clock:9.0f}{extremes}{best[0] / clock:12.2f}{cpu:13.0f}{best[1] / cpu:12.2f}")


if __name__ == "__main__":
    main()
