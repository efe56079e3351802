"""A tiny source of all four products, written in a second, whose build has dozens of small shards."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from rsprep.job.journal_view import JournalView
from tests.rsprep.reading.rasters import landscape, utm, write
from tests.rsprep.sources.making import box_geometry, make_item, write_catalog

EPSG = 32633
WEST, NORTH = 500_000.0, 5_320_000.0
EXTENT_PX = 640
REPOSITORY = Path(__file__).parents[3]
DEFINITION = {
    "name": "tiny",
    "title": "Tiny rasters made for a test",
    "licence": "none",
    "products": {
        "sentinel2": {
            "collection": "s2",
            "assets": {"B04": "red", "B08": "nir"},
            "scl": "scl",
            "dtype": "uint16",
            "nodata": 0,
            "offset_applied": True,
        },
        "sentinel1": {
            "collection": "s1",
            "assets": {"VV": "vv", "VH": "vh"},
            "units": "power",
            "calibration": "gamma0",
            "dtype": "float32",
            "nodata": 0,
            "orbit": None,
        },
        "landcover": {
            "collection": "lc",
            "label": "label",
            "dtype": "uint8",
            "nodata": 255,
            "crosswalk": "dynamic-world",
        },
        "dem": {
            "collection": "dem",
            "dtype": "float32",
            "nodata": -9999,
            "absent": {"rule": "error"},
            "surface": "DSM",
            "vertical_datum": "EGM2008",
        },
    },
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class TinySource:
    """Where the rasters, their catalog and their definition are."""

    root: Path
    side_px: int
    """Side of the area to build, in pixels of 10 m."""

    @property
    def aoi(self) -> str:
        """The area to build: a square around the middle, slightly smaller than the rasters."""
        margin = 10.0 * (EXTENT_PX - self.side_px) / 2
        return ",".join(f"{edge:.6f}" for edge in _degrees(margin, margin + 10.0 * self.side_px))

    def file(self, name: str) -> Path:
        """One of the rasters, such as ``s2-west-red``."""
        return self.root / "rasters" / f"{name}.tif"

    def settings(self, folder: Path, **more: Any) -> dict[str, Any]:
        """Configuration of a build into `folder`; `more` replaces top-level keys."""
        base = {
            "aoi": self.aoi,
            "out": str(folder / "chips"),
            "catalog": str(folder / "catalog"),
            "source": str(self.root / "tiny.yaml"),
            "endpoint": str(self.root / "catalog.json"),
            "grid": {"chip_size": 32, "block_px": 64},
            "sentinel2": {"bands": ["B04", "B08"]},
            "split": {"block_km": 1.0, "buffer_m": 0.0},
            "engine": {"scheduler": "threads", "workers": 2},
        }
        return {**base, **more}

    def recipe(self, folder: Path, **more: Any) -> Path:
        """The same as a file for ``--config``."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "recipe.yaml"
        path.write_text(yaml.safe_dump(self.settings(folder, **more)), encoding="utf-8")
        return path


def write_tiny(root: Path, side_px: int = 512) -> TinySource:
    """Write the source: two optical granules side by side, one scene of each other product."""
    rasters = root / "rasters"
    rasters.mkdir(parents=True)
    half = EXTENT_PX // 2
    items = [
        _item("s2-west", "s2", utm(WEST, NORTH, (EXTENT_PX, half), epsg=EPSG), 1, rasters),
        _item("s2-east", "s2", utm(WEST + 10 * half, NORTH, (EXTENT_PX, half), epsg=EPSG), 2, rasters),
        _item("s1", "s1", utm(WEST, NORTH, (EXTENT_PX, EXTENT_PX), epsg=EPSG), 3, rasters),
        _item("lc", "lc", utm(WEST, NORTH, (EXTENT_PX, EXTENT_PX), epsg=EPSG), 4, rasters),
        _item("dem", "dem", utm(WEST, NORTH, (EXTENT_PX // 3 + 1, EXTENT_PX // 3 + 1), 30.0, EPSG), 5, rasters),
    ]
    write_catalog(root, items)
    (root / "tiny.yaml").write_text(yaml.safe_dump(DEFINITION), encoding="utf-8")
    return TinySource(root=root, side_px=side_px)


def _item(name: str, collection: str, grid: GeoBox, seed: int, folder: Path) -> dict[str, Any]:
    assets = {}
    for key, values in _pixels(collection, grid.shape, seed).items():
        path = folder / f"{name}-{key}.tif"
        write(path, values, grid)
        assets[key] = {
            "href": str(path),
            "proj:code": f"EPSG:{EPSG}",
            "proj:shape": [int(side) for side in grid.shape],
            "proj:transform": list(grid.affine)[:6],
        }
    west, south, east, north = _degrees_of(grid)
    return dict(
        make_item(
            name,
            (west, south, east, north),
            collection=collection,
            geometry=box_geometry(west, south, east, north),
            properties={"datetime": f"2021-06-0{seed}T10:00:00Z", "eo:cloud_cover": 5.0},
            assets=assets,
        )
    )


def _pixels(collection: str, shape: Sequence[int], seed: int) -> dict[str, NDArray[Any]]:
    size = (int(shape[0]), int(shape[1]))
    rng = np.random.default_rng(seed)
    if collection == "s2":
        clouds = landscape(size, seed + 10) > 4200
        return {
            "red": landscape(size, seed),
            "nir": landscape(size, seed + 20),
            "scl": np.where(clouds, 9, 4).astype("uint8"),
        }
    if collection == "s1":
        return {name: rng.gamma(4.0, 0.02, size).astype("float32") for name in ("vv", "vh")}
    if collection == "lc":
        return {"label": (landscape(size, seed) // 800 % 9).astype("uint8")}
    return {"data": landscape(size, seed, "float32") / 10}


def _degrees(first: float, last: float) -> tuple[float, float, float, float]:
    """The square from `first` to `last` metres off the upper-left corner, as west, south, east, north."""
    to_degrees = Transformer.from_crs(EPSG, 4326, always_xy=True)
    return tuple(float(edge) for edge in to_degrees.transform_bounds(
        WEST + first, NORTH - last, WEST + last, NORTH - first
    ))  # type: ignore[return-value]  # four edges  # fmt: skip


def _degrees_of(grid: GeoBox) -> tuple[float, float, float, float]:
    west, south, east, north = grid.boundingbox
    to_degrees = Transformer.from_crs(EPSG, 4326, always_xy=True)
    return tuple(float(edge) for edge in to_degrees.transform_bounds(west, south, east, north))  # type: ignore[return-value]  # four edges


# -- running the program --------------------------------------------------------------------------


def command(recipe: Path, *options: str) -> list[str]:
    """`rsprep build-multisource` with a recipe, as somebody would type it."""
    return rsprep_command("build-multisource", "--config", str(recipe), *options)


def rsprep_command(*arguments: str) -> list[str]:
    """`rsprep` with these arguments, as somebody would type it."""
    program = "import sys; from rsprep.cli.main import main; sys.exit(main())"
    return [sys.executable, "-c", program, *arguments]


def environment(**more: str) -> dict[str, str]:
    """The environment of a program that finds the packages from any working directory."""
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), **more}


# -- comparing data sets --------------------------------------------------------------------------


def pixel_files(dataset: Path) -> dict[str, bytes]:
    """Every file of the store, and the index: what equal builds have in common to the last byte."""
    store = dataset / "chips.zarr"
    found = {str(path.relative_to(dataset)): path.read_bytes() for path in store.rglob("*") if path.is_file()}
    return {**found, "items.parquet": (dataset / "items.parquet").read_bytes()}


def different_files(one: Mapping[str, bytes], other: Mapping[str, bytes]) -> list[str]:
    """Names of the files that only one has, or that differ."""
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))


def leftovers(dataset: Path) -> list[str]:
    """What a killed writer left behind: temporary siblings and a journal that was not closed."""
    return sorted(
        str(path.relative_to(dataset))
        for path in dataset.rglob("*")
        if path.name.endswith((".partial", "-journal", "-wal"))
    )


def digests_of(dataset: Path) -> dict[str, str]:
    """Chip id to digest, of the committed chips."""
    with JournalView.open(dataset) as journal:
        return {chip.chip_id: chip.digest for chip in journal.chips("committed")}
