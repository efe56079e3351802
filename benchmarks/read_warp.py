"""Read and warp against odc-stac and against bare decoding, on the same files and the same target grids.

Run as ``python benchmarks/read_warp.py [--size 2048] [--repeats 5] [--json FILE]``.

What is timed here is what a build calls for each pass: granules read, warped and laid on one another, with
Sentinel-2's offset and scene classification and Sentinel-1's border erosion, but without composites.
odc-stac reads the same 17 bands with the same kernels and leaves such rules to its user.

Files are made once in a temporary folder: two overlapping Sentinel-2 granules (12 bands at 10, 20 and
60 m, and the classification), Sentinel-1 VV and VH, four DEM tiles in EPSG:4326 and land cover, all
compressed COGs. Every
measurement is a fresh process that loads a small target first, so that imports, compiled kernels and
file caches are warm for all contestants, and then the large one twice: the second load counts, since a
build makes one block after another in memory that it has touched before. Contestants take turns. CPU
seconds are user plus system time of the whole process over that load; threads are no saving there.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from scipy.ndimage import gaussian_filter

from rsprep.config import Sentinel1, Sentinel2
from rsprep.granule import Asset, Granule
from rsprep.job.labels import labels_of_pass
from rsprep.job.optical import Optical
from rsprep.job.radar import power_of_pass
from rsprep.job.reader import Reader
from rsprep.reading import BandSpec, ControlCache, FileAccess, load_dem, source_window
from rsprep.reading.extent import outline
from rsprep.sources.definition import load_definition

RESOLUTION = {10: ("B02", "B03", "B04", "B08"), 20: ("B05", "B06", "B07", "B8A", "B11", "B12"), 60: ("B01", "B09")}
S2_BANDS = tuple(band for bands in RESOLUTION.values() for band in bands)
READ_THREADS = 4
BLOCK = {10: 1024, 20: 512, 60: 256}
WEST, NORTH = 699_960.0, 5_400_000.0
PRODUCTS = load_definition("planted").products
SPECS = {
    "sentinel2": BandSpec(dtype="uint16", nodata=0, resampling="bilinear"),
    "classes": BandSpec(dtype="uint8", nodata=0, resampling="nearest", categorical=True),
    "sentinel1": BandSpec(dtype="float32", nodata=0, resampling="bilinear"),
    "landcover": BandSpec(dtype="uint8", nodata=255, resampling="nearest", categorical=True),
    "dem": BandSpec(dtype="float32", nodata=-9999, resampling="cubic"),
}
CONTESTANTS = ("rsprep", "decode", "odc", "odc-pool", "odc-dask-2048", "odc-dask-1024")


def main() -> None:
    """Publish the files, let the contestants take turns, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", type=int, default=2048, help="pixels along the target's side")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write every measurement here")
    parser.add_argument("--contestants", nargs="*", default=CONTESTANTS)
    parser.add_argument("--one", nargs=3, metavar=("FOLDER", "CONTESTANT", "ZONE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        folder, contestant, zone = arguments.one
        print(json.dumps(measure(Path(folder), contestant, zone, arguments.size)))
        return
    with tempfile.TemporaryDirectory(prefix="read-warp-") as folder:
        publish(Path(folder), arguments.size)
        runs = take_turns(Path(folder), arguments.contestants, arguments.size, arguments.repeats)
    report(runs, arguments.size)
    if arguments.json:
        arguments.json.write_text(json.dumps(runs, indent=1))


def publish(folder: Path, size: int) -> None:
    """Write the files and ``granules.json``."""
    rng = np.random.default_rng(7)
    side = 60 * round(size * 1.3 / 6)
    granules = []
    for number, east in enumerate((0.0, round(size * 0.6) * 10.0)):
        granules.append(sentinel2(folder, f"s2-{number}", WEST + east, side, rng))
    wide = round((side + size * 6) / 10)
    grid = GeoBox((side // 10, wide), Affine(10, 0, WEST, 0, -10, NORTH), "EPSG:32632")
    backscatter = np.exp(texture(rng, grid.shape, 2) - 2).astype(np.float32)
    bands = {name: (backscatter * rng.gamma(4, 0.25, backscatter.shape)).astype(np.float32) for name in ("VV", "VH")}
    granules.append(granule("s1", "sentinel1", folder, {n: (v, grid, 512) for n, v in bands.items()}, 0))
    cover = np.digitize(texture(rng, grid.shape, 12), np.linspace(-1.5, 1.5, 8)).astype(np.uint8)
    granules.append(granule("lc", "landcover", folder, {"label": (cover, grid, 512)}, 255))
    granules += dem(folder, grid, rng)
    (folder / "granules.json").write_text(json.dumps([g.to_json() for g in granules]))


def texture(rng: np.random.Generator, shape: Any, smooth: float) -> Any:
    """Noise of unit variance with detail at several scales, as land has it; compresses about as land does."""
    total = sum(
        weight * unit(gaussian_filter(rng.standard_normal(tuple(shape), np.float32), smooth * scale, mode="wrap"))
        for weight, scale in ((1.0, 1), (2.0, 6))
    )
    return unit(total)


def unit(values: Any) -> Any:
    """`values` scaled to unit variance."""
    return values / values.std()


def sentinel2(folder: Path, name: str, west: float, side: int, rng: np.random.Generator) -> Granule:
    """Twelve bands at 10, 20 and 60 m and the scene classification, whose upper left corner is (`west`, NORTH)."""
    bands = {}
    for resolution, names in RESOLUTION.items():
        count = side // resolution
        grid = GeoBox((count, count), Affine(resolution, 0, west, 0, -resolution, NORTH), "EPSG:32632")
        base = texture(rng, grid.shape, 1.5)
        for band in names:
            noise = rng.standard_normal(base.shape, np.float32)
            values = (2500 + 700 * base + 25 * noise).clip(1, 12000).astype(np.uint16)
            bands[band] = (values, grid, BLOCK[resolution])
    _, fine, _ = bands["B05"]
    classes = np.digitize(texture(rng, fine.shape, 6), (-1.0, 0.5, 1.5)).astype(np.uint8) + np.uint8(4)
    bands["SCL"] = (classes, fine, BLOCK[20])
    return granule(name, "sentinel2", folder, bands, 0)


def dem(folder: Path, cover: GeoBox, rng: np.random.Generator) -> list[Granule]:
    """Tiles of a quarter degree, pixel-is-point, that meet near the middle of `cover`."""
    second = 1 / 3600
    left, bottom, right, top = outline(cover).bounds
    west, south = np.floor(left * 4) / 4, np.floor(bottom * 4) / 4
    tiles = []
    for i in range(int(np.ceil(top * 4)) - int(south * 4)):
        for j in range(int(np.ceil(right * 4)) - int(west * 4)):
            affine = Affine(second, 0, west + j / 4 - second / 2, 0, -second, south + (i + 1) / 4 + second / 2)
            grid = GeoBox((900, 900), affine, "EPSG:4326")
            heights = (800 + 200 * texture(rng, grid.shape, 8)).astype(np.float32)
            tiles.append(granule(f"dem-{i}-{j}", "dem", folder, {"elevation": (heights, grid, 512)}, -9999))
    return tiles


def granule(name: str, product: str, folder: Path, bands: dict[str, Any], nodata: float) -> Granule:
    """Write bands (values, grid, block size) as COGs."""
    assets = {}
    for band, (values, grid, block) in bands.items():
        path = folder / f"{name}-{band}.tif"
        profile = {"driver": "COG", "compress": "deflate", "predictor": "yes", "blocksize": block, "nodata": nodata}
        with rasterio.open(
            path, "w", height=grid.shape[0], width=grid.shape[1], count=1, dtype=values.dtype,
            crs=str(grid.crs), transform=grid.affine, **profile,
        ) as file:  # fmt: skip
            file.write(values, 1)
        assets[band] = Asset(href=str(path), grid=grid)
    footprint = outline(next(iter(bands.values()))[1])
    moment = dt.datetime(2021, 6, 1, tzinfo=dt.UTC)
    return Granule(
        id=name,
        product=product,
        source="planted",
        collection=product,
        datetime=moment,
        footprint=footprint,
        assets=assets,
        properties={"s2:processing_baseline": "02.14"},
    )


def target_in(zone: str, size: int) -> GeoBox:
    """A target over the middle of the sources, in their own UTM zone or in the neighbouring one."""
    x, y = WEST + size * 4.3, NORTH - size * 6.5 * 1.0
    epsg = 32632 if zone == "same" else 32633
    if zone != "same":
        from pyproj import Transformer

        x, y = Transformer.from_crs(32632, epsg, always_xy=True).transform(x + size * 5, y)
        x -= size * 5
    left, top = round(x / 10) * 10, round(y / 10) * 10 + size * 5
    return GeoBox((size, size), Affine(10, 0, left, 0, -10, top), f"EPSG:{epsg}")


def measure(folder: Path, contestant: str, zone: str, size: int) -> dict[str, float]:
    """CPU and wall seconds and peak memory (MB) of the second of two loads; CPU seconds of the first beside them."""
    granules = [Granule.from_json(record) for record in json.loads((folder / "granules.json").read_text())]
    loader = LOADERS[contestant]
    target = target_in(zone, size)
    loader(granules, target[: size // 8, : size // 8])
    first, _ = timed(loader, granules, target)
    cpu, wall = timed(loader, granules, target)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"cpu": cpu, "wall": wall, "peak_mb": peak / 1024, "first_cpu": first}


def timed(loader: Any, granules: list[Granule], target: GeoBox) -> tuple[float, float]:
    """CPU and wall seconds of one load; the result is thrown away."""
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    loader(granules, target)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def ours(granules: list[Granule], target: GeoBox) -> dict[str, Any]:
    """All four products as a build reads them."""
    assert PRODUCTS.sentinel2 is not None
    assert PRODUCTS.sentinel1 is not None
    assert PRODUCTS.landcover is not None
    of = {product: [g for g in granules if g.product == product] for product in ("sentinel2", "sentinel1", "landcover")}
    tiles = [g for g in granules if g.product == "dem"]
    with ThreadPoolExecutor(READ_THREADS) as pool:
        reader = Reader(block=target, accesses={"planted": FileAccess()}, pool=pool)
        rules = PRODUCTS.sentinel2.model_copy(update={"resampling": SPECS["sentinel2"].resampling})
        optical = Optical(of["sentinel2"], rules, Sentinel2(bands=S2_BANDS), reader, chip_px=256)
        loaded = {
            "sentinel2": optical.look(optical.passes[0], reader.everything).values,
            "sentinel1": power_of_pass(of["sentinel1"], PRODUCTS.sentinel1, Sentinel1(), reader).values,
            "landcover": labels_of_pass(of["landcover"], PRODUCTS.landcover, reader, reader.everything).values,
            "dem": load_dem(tiles, "elevation", target, SPECS["dem"], access=reader.access, pool=pool).layer.values,
        }
    assert not reader.failures
    return loaded


def decode(granules: list[Granule], target: GeoBox) -> None:
    """Decode the window of every file under the target, and nothing else."""
    controls = ControlCache(target)
    for g in granules:
        for asset in g.assets.values():
            assert asset.grid is not None
            found = source_window(asset.grid, controls.get(asset.grid), 2)
            if found is not None:
                with rasterio.open(asset.href) as file:
                    file.read(asset.band, window=rasterio.windows.Window.from_slices(*found))


def odc(granules: list[Granule], target: GeoBox, **how: Any) -> dict[str, Any]:
    """All four products through odc-stac with the same kernels."""
    import odc.stac

    loaded = {}
    for name, spec in SPECS.items():
        product = "sentinel2" if name == "classes" else name
        items = [item_of(g) for g in granules if g.product == product]
        bands = {"sentinel2": S2_BANDS, "classes": ("SCL",)}.get(name, tuple(items[0].assets))
        fields = {"data_type": spec.dtype, "nodata": spec.nodata}
        data = odc.stac.load(
            items, bands=bands, geobox=target, resampling=spec.resampling, groupby="solar_day",
            stac_cfg={product: {"assets": {"*": fields}}}, **how,
        )  # fmt: skip
        data = data.compute() if "chunks" in how else data
        loaded[name] = np.stack([data[band].values[0] for band in bands])
    return loaded


def item_of(g: Granule) -> Any:
    """The STAC item of a granule, with the projection metadata that spares odc-stac from opening files twice."""
    import pystac

    item = pystac.Item(
        id=g.id, geometry=shapely.geometry.mapping(g.footprint), bbox=list(g.footprint.bounds),
        datetime=g.datetime, properties={},
        stac_extensions=["https://stac-extensions.github.io/projection/v2.0.0/schema.json"],
    )  # fmt: skip
    item.collection_id = g.collection
    for band, asset in g.assets.items():
        assert asset.grid is not None
        projection = {
            "proj:code": str(asset.grid.crs),
            "proj:shape": list(asset.grid.shape),
            "proj:transform": list(asset.grid.affine)[:6],
        }
        item.add_asset(band, pystac.Asset(asset.href, media_type=pystac.MediaType.COG, extra_fields=projection))
    return item


def odc_dask(chunk: int) -> Any:
    """odc-stac with dask chunks of this many pixels."""
    return lambda granules, target: odc(granules, target, chunks={"x": chunk, "y": chunk})


LOADERS: dict[str, Any] = {
    "rsprep": ours,
    "decode": decode,
    "odc": odc,
    "odc-pool": lambda granules, target: odc(granules, target, pool=os.cpu_count()),
    "odc-dask-2048": odc_dask(2048),
    "odc-dask-1024": odc_dask(1024),
}


def take_turns(folder: Path, contestants: Any, size: int, repeats: int) -> list[dict[str, Any]]:
    """Every measurement in a process of its own, contestants interleaved."""
    runs = []
    for repeat in range(repeats + 1):
        for zone in ("same", "other"):
            for contestant in contestants:
                command = [sys.executable, __file__, "--size", str(size), "--one", str(folder), contestant, zone]
                answer = subprocess.run(command, check=True, capture_output=True, text=True)
                if repeat:  # the first round compiles kernels and fills the page cache
                    runs.append({"zone": zone, "contestant": contestant, **json.loads(answer.stdout)})
    return runs


def report(runs: list[dict[str, Any]], size: int) -> None:
    """Print medians and their ratios to this package."""
    print(f"{size} x {size} px; 2 granules x 12 S2 bands and SCL, S1 VV VH, DEM, land cover; medians")
    for zone in ("same", "other"):
        middle = {
            name: {
                key: statistics.median(run[key] for run in runs if (run["zone"], run["contestant"]) == (zone, name))
                for key in ("cpu", "wall", "peak_mb", "first_cpu")
            }
            for name in dict.fromkeys(run["contestant"] for run in runs)
        }
        print(f"\n{zone} zone          cpu s   wall s  peak MB  cpu / rsprep   first cpu s")
        for name, row in middle.items():
            ratio = row["cpu"] / middle["rsprep"]["cpu"]
            cells = (f"{row['cpu']:8.3f} {row['wall']:8.3f} {row['peak_mb']:8.0f}", f"{ratio:13.2f}")
            print(f"{name:16}", *cells, f"{row['first_cpu']:13.3f}")


if __name__ == "__main__":
    main()
