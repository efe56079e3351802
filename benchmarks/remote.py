"""Reading over a network: windows and whole builds from a server that takes 30 ms for each answer.

A planted region is served by ``tests/fakes/ranges.py`` in a process of its own. Two questions:

- windows: all Sentinel-2 bands of a granule under a target, one target after the other. Our range client against GDAL's
  /vsicurl/ with its best settings, with and without its cache, and against async-geotiff on obstore.
- build: ``rsprep.build`` of all four layers, written, sealed and reported: a median composite, which reads every date
  as the others do, and the best date, which does not. Against odc-stac on the same bands of the same granules and the
  same grid: loading alone, and with what it takes to come to the same layers in a Zarr store. All with two workers, and
  with blocks of the same size.

Contestants take turns, each in a fresh process. Run from the repository's root.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pystac
import rasterio
import shapely
import xarray as xr
import yaml
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.windows import Window as PixelWindow

import rsprep
from rsprep.granule import Asset
from rsprep.reading import BandSpec, ControlCache
from rsprep.reading.files import FileAccess
from rsprep.reading.window import needed
from rsprep.resources import shipped

BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")
RADAR, LABELS, HEIGHTS = ("vv", "vh"), ("label",), ("data",)
SPEC = BandSpec(dtype="uint16", nodata=0)
WORKERS = 2
Part = tuple[str, slice, slice]
"""Address of a file, rows and columns."""
VSICURL = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_HTTP_MULTIPLEX": "YES",
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
    "GDAL_INGESTED_BYTES_AT_OPEN": "65536",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".tif",
}
UNCACHED = {"CPL_VSIL_CURL_NON_CACHED": "/vsicurl/"}
CACHED = {"VSI_CACHE": "YES", "CPL_VSIL_CURL_CACHE_SIZE": str(128 * 2**20)}


def main() -> None:
    """Simulate the region where it is absent, let the contestants take turns, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--world", type=Path, help="a region written by `rsprep simulate`; made where it is absent")
    parser.add_argument("--latency", type=float, default=0.03, help="seconds before every answer")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", choices=("windows", "build"))
    parser.add_argument("--json", type=Path, help="write every measurement here")
    parser.add_argument("--one", nargs=3, metavar=("WHAT", "URL", "CASE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        what, url, case = arguments.one
        print(json.dumps(MEASURES[what](url, json.loads(case))))
        return
    with tempfile.TemporaryDirectory(prefix="remote-") as folder:
        world = arguments.world or Path(folder) / "world"
        if not (world / "catalog.json").exists():
            subprocess.run([Path(sys.executable).parent / "rsprep", "simulate", str(world)], check=True)
        runs = []
        for what in (arguments.only,) if arguments.only else ("windows", "build"):
            runs += take_turns(what, world, arguments.latency, arguments.repeats)
            report(what, [run for run in runs if run["what"] == what])
    if arguments.json:
        arguments.json.write_text(json.dumps(runs, indent=1))


# -- windows ----------------------------------------------------------------------------------


def parts_of(url: str, side: int) -> list[list[Part]]:
    """Targets of `side` pixels, and for each the windows of all bands that it needs."""
    item = min(items_of(url, "sentinel-2-l2a"), key=lambda item: item.id)
    first = grid_of(item.assets["B02"])
    targets = []
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        corner = (137 + row * (side + 61), 201 + column * (side + 83))
        target = first[corner[0] : corner[0] + side, corner[1] : corner[1] + side]
        parts = []
        for band in BANDS:
            part = needed(grid_of(item.assets[band]), SPEC, ControlCache(target))
            assert part is not None
            parts.append((item.assets[band].get_absolute_href(), part.rows, part.columns))
        targets.append(parts)
    return targets


def grid_of(asset: pystac.Asset) -> GeoBox:
    """The lattice that an item declares."""
    fields = {**asset.owner.properties, **asset.extra_fields}
    return GeoBox(tuple(fields["proj:shape"]), Affine(*fields["proj:transform"][:6]), fields["proj:code"])


def ours(parts: list[Part], pool: ThreadPoolExecutor) -> list[NDArray[Any]]:
    """As a build reads, header checks included."""
    access = FileAccess()

    def one(part: Part) -> NDArray[Any]:
        return access._opened(Asset(href=part[0]), lambda file: decode(file, part))

    return list(pool.map(one, parts))


def vsicurl(options: dict[str, str]) -> Callable[..., list[NDArray[Any]]]:
    """GDAL's own client, one thread a band."""

    def read(parts: list[Part], pool: ThreadPoolExecutor) -> list[NDArray[Any]]:
        def one(part: Part) -> NDArray[Any]:
            with rasterio.Env(**VSICURL, **options), rasterio.open(part[0], driver="GTiff") as file:
                return decode(file, part)

        return list(pool.map(one, parts))

    return read


def decode(file: Any, part: Part) -> NDArray[Any]:
    """The window of the first band."""
    values: NDArray[Any] = file.read(1, window=PixelWindow.from_slices(part[1], part[2]))
    return values


def async_geotiff(parts: list[Part], _: ThreadPoolExecutor) -> list[NDArray[Any]]:
    """All bands on one event loop."""
    from async_geotiff import GeoTIFF, Window
    from obstore.store import HTTPStore

    place = urlsplit(parts[0][0])
    store = HTTPStore.from_url(f"{place.scheme}://{place.netloc}", client_options={"allow_http": True})

    async def one(part: Part) -> NDArray[Any]:
        href, rows, columns = part
        file = await GeoTIFF.open(urlsplit(href).path.lstrip("/"), store=store)
        window = Window(columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
        values: NDArray[Any] = (await file.read(window=window)).data[0]
        return values

    async def all_of_them() -> list[NDArray[Any]]:
        return list(await asyncio.gather(*map(one, parts)))

    return asyncio.run(all_of_them())


READERS: dict[str, Callable[..., list[NDArray[Any]]]] = {
    "rsprep": ours,
    "vsicurl": vsicurl(UNCACHED),
    "vsicurl, cached": vsicurl(CACHED),
    "async-geotiff": async_geotiff,
}


def measure_windows(url: str, case: dict[str, Any]) -> dict[str, Any]:
    """Seconds of four targets, the first of which meets files that were never opened."""
    targets = parts_of(url, case["side"])
    read = READERS[case["contestant"]]
    walls, sums = [], []
    before = cpu_seconds()
    with ThreadPoolExecutor(case["threads"]) as pool:
        for parts in targets:
            start = time.perf_counter()
            found = read(parts, pool)
            walls.append(time.perf_counter() - start)
            sums.append(int(sum(int(values.astype(np.int64).sum()) for values in found)))
    return {"first": walls[0], "next": statistics.mean(walls[1:]), "cpu": cpu_seconds() - before, "sums": sums}


# -- build ------------------------------------------------------------------------------------


def measure_build(url: str, case: dict[str, Any]) -> dict[str, Any]:
    """Seconds of a whole build, or of loading what it reads, after a small one from the disk.

    That one pays for imports and compiled kernels, and opens none of the files on the server.
    """
    run = {"rsprep": build, "odc-stac, loading": load_by_odc, "odc-stac, the same layers": build_by_odc}[
        case["contestant"]
    ]
    run(str(case["world"]), {**case, "small": True})
    before, start = cpu_seconds(), time.perf_counter()
    figures = run(url, case)
    return {"wall": time.perf_counter() - start, "cpu": cpu_seconds() - before, **figures}


def build(place: str, case: dict[str, Any]) -> dict[str, Any]:
    """All four layers of the region, a median so that no date is left out; what was built, for the other side."""
    from rsprep.job.journal_view import JournalView

    west, south, east, north = case["bounds"]
    middle = ((west + east) / 2, (south + north) / 2)
    area = (*middle, middle[0] + 0.08, middle[1] + 0.05) if case.get("small") else (west, south, east, north)
    with tempfile.TemporaryDirectory(prefix="remote-build-") as folder:
        definition = yaml.safe_load((shipped("catalogs") / "sources" / "planted.yaml").read_text())
        definition["products"]["sentinel2"]["resampling"] = "bilinear"  # as for the providers' own files
        (Path(folder) / "planted.yaml").write_text(yaml.safe_dump(definition))
        outcome = rsprep.build(
            {
                "aoi": ",".join(map(str, area)),
                "source": f"{folder}/planted.yaml",
                "endpoint": f"{place}/catalog.json",
                "out": f"{folder}/chips",
                "catalog": f"{folder}/catalog",
                "sentinel2": {"composite": case["composite"], "bands": list(BANDS)},
                "sentinel1": {"orbit": "ascending"},
                "grid": {"block_px": case["chunk"]},
                "engine": {"workers": WORKERS},
            }
        )
        assert outcome.failures == 0
        with JournalView.open(Path(folder) / "chips") as journal:
            products = ("sentinel2", "sentinel1", "landcover", "dem")
            granules = [granule.id for product in products for granule in journal.granules(product)]
        chips = rsprep.open(Path(folder) / "chips")
        x, y, side = chips.x_origin.to_numpy(), chips.y_origin.to_numpy(), 10 * chips.sizes["x"]
        shape = [int((y.max() - y.min() + side) / 10), int((x.max() - x.min() + side) / 10)]
        ground = {
            "shape": shape,
            "transform": [10.0, 0.0, float(x.min()), 0.0, -10.0, float(y.max())],
            "crs": f"EPSG:{int(chips.epsg[0])}",
            "granules": granules,
        }
        return {"chips": outcome.data.counts.planned, "ground": ground}


def lazy_by_odc(place: str, case: dict[str, Any]) -> dict[str, xr.Dataset]:
    """The same bands of the same granules on the grid of the build's chips, by collection; classes apart."""
    import odc.stac

    odc.stac.configure_rio(cloud_defaults=True, **VSICURL)
    grid = GeoBox(tuple(case["shape"]), Affine(*case["transform"]), case["crs"])
    grid = grid[:512, :512] if case.get("small") else grid
    products = (
        ("s2", "sentinel-2-l2a", BANDS, "uint16", 0, "bilinear"),
        ("scl", "sentinel-2-l2a", ("SCL",), "uint8", 0, "nearest"),
        ("s1", "sentinel-1-rtc", RADAR, "float32", 0, "bilinear"),
        ("lulc", "dynamic-world", LABELS, "uint8", 255, "nearest"),
        ("dem", "cop-dem-glo-30", HEIGHTS, "float32", -9999, "cubic"),
    )
    wanted, lazy = set(case["granules"]), {}
    for name, collection, bands, dtype, nodata, resampling in products:
        items = [item for item in items_of(place, collection) if item.id in wanted]
        fields = {"data_type": dtype, "nodata": nodata}
        lazy[name] = odc.stac.load(
            items,
            bands=bands,
            geobox=grid,
            resampling=resampling,
            groupby="solar_day",
            chunks={"x": case["chunk"], "y": case["chunk"]},
            stac_cfg={collection: {"assets": {"*": fields}}},
        )
    return lazy


def load_by_odc(place: str, case: dict[str, Any]) -> dict[str, Any]:
    """Load them, and nothing else."""
    import dask

    with dask.config.set(scheduler="threads", num_workers=WORKERS):
        loaded = dask.compute(*lazy_by_odc(place, case).values())
    return {"pixels": sum(one[band].size for one in loaded for band in one)}


def build_by_odc(place: str, case: dict[str, Any]) -> dict[str, Any]:
    """Make the build's layers of them as one would with xarray, and write them in chunks of a chip.

    Without what a build does besides: slope and hillshade, radar borders, splits, hashes, index, catalog, report.
    """
    import dask

    lazy = lazy_by_odc(place, case)
    clear = lazy["scl"].SCL.isin([2, 4, 5, 6, 7, 11])
    late = lazy["s2"].time >= np.datetime64("2022-01-25")  # baseline 04.00 and later: 1000 is added to the numbers
    s2 = (lazy["s2"].where(clear & (lazy["s2"] > 0)) - 1000 * late).median("time", skipna=True)
    s1 = 10 * np.log10(lazy["s1"].where(lazy["s1"] > 0).mean("time"))
    labels = lazy["lulc"].label
    votes = xr.concat([(labels == number).sum("time") for number in range(9)], "class").chunk({"class": 9})
    lulc = votes.argmax("class").where(votes.max("class") > 0, 255).astype("uint8")
    dem = lazy["dem"].data.where(lazy["dem"].data != -9999).max("time")
    whole = xr.merge([s2.fillna(-32768).astype("int16"), s1, lulc.rename("lulc"), dem.rename("elevation")])
    with (
        dask.config.set(scheduler="threads", num_workers=WORKERS),
        tempfile.TemporaryDirectory(prefix="remote-odc-") as folder,
    ):
        chunked = whole.drop_vars("spatial_ref", errors="ignore").chunk({"x": 256, "y": 256})
        chunked.to_zarr(folder, mode="w", consolidated=False)
    return {"pixels": sum(whole[name].size for name in whole)}


def items_of(url: str, collection: str) -> list[pystac.Item]:
    """Items of a static catalog, read side by side."""
    document = pystac.Collection.from_file(f"{url}/{collection}/collection.json")
    hrefs = [link.get_absolute_href() for link in document.get_links("item")]
    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(pystac.Item.from_file, hrefs))


# -- turns ------------------------------------------------------------------------------------

MEASURES = {"windows": measure_windows, "build": measure_build}


@contextlib.contextmanager
def served(world: Path, latency: float) -> Iterator[str]:
    """The region on a server in a process of its own; gives its address."""
    command = [sys.executable, "-m", "tests.fakes.ranges", str(world), "--latency", str(latency)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


def take_turns(what: str, world: Path, latency: float, repeats: int) -> list[dict[str, Any]]:
    """Every measurement in a fresh process, contestants interleaved."""
    area = shapely.from_geojson((world / "region.geojson").read_text())
    place = {"world": str(world.resolve()), "bounds": area.bounds}
    cases: list[dict[str, Any]] = [
        {"contestant": name, "threads": threads, "side": side}
        for side in (1024, 256)
        for name in READERS
        for threads in ((4, 16) if name != "async-geotiff" else (1,))
    ]
    if what == "build":
        cases = [
            {**contestant, "chunk": chunk}
            for chunk in (1024, 2048)
            for contestant in (
                {"contestant": "rsprep", "composite": "median"},
                {"contestant": "rsprep", "composite": "best"},
                {"contestant": "odc-stac, loading"},
                {"contestant": "odc-stac, the same layers"},
            )
        ]
    runs = []
    ground: dict[str, Any] = {}
    with served(world, latency) as url:
        for _ in range(repeats):
            for case in cases:
                told = json.dumps({**case, **ground, **place})
                command = [sys.executable, __file__, "--one", what, url, told]
                answer = subprocess.run(command, check=True, capture_output=True, text=True)
                found = json.loads(answer.stdout.splitlines()[-1])
                ground = found.pop("ground", ground)
                runs.append({"what": what, **case, **found})
                print(runs[-1], file=sys.stderr)
    return runs


def cpu_seconds() -> float:
    """Processor time of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def report(what: str, runs: list[dict[str, Any]]) -> None:
    """Print medians."""
    keys = ("first", "next", "cpu") if what == "windows" else ("wall", "cpu")
    if what == "windows":
        for side in {run["side"] for run in runs}:
            assert len({json.dumps(run["sums"]) for run in runs if run["side"] == side}) == 1, "pixels differ"
    print(f"\n{what}: seconds, medians of {len(runs)} runs")
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for run in runs:
        name = " ".join(str(run[key]) for key in ("contestant", "composite", "threads") if key in run)
        groups.setdefault((run.get("side") or run.get("chunk"), name), []).append(run)
    print(f"{'':34}", *(f"{key:>8}" for key in keys))
    for (side, name), group in groups.items():
        cells = (f"{statistics.median(run[key] for run in group):8.3f}" for key in keys)
        print(f"{side!s:5} {name:28}", *cells)


if __name__ == "__main__":
    main()
