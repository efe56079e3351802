"""A folder with everything a build needs, a few pixels in size, made to be spoilt in one place at a time."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
import yaml
from odc.geo.geobox import GeoBox
from rasterio.io import DatasetReader, DatasetWriter

from rsprep.reading.extent import outline
from rsprep.resources import shipped
from tests.rsprep.reading.rasters import utm, write
from tests.rsprep.sources.making import make_item, write_catalog

GRID = utm(500_000.0, 5_320_960.0, (96, 96), epsg=33 + 32600)
AREA = (15.0015, 48.0340, 15.0110, 48.0412)
"""Longitude and latitude of the area of interest; 4 × 4 chips of 16 pixels lie wholly in it."""
S2, S1, COVER, DEM = "sentinel-2-l2a", "sentinel-1-rtc", "dynamic-world", "cop-dem-glo-30"


@dataclass(frozen=True, kw_only=True)
class Workplace:
    """Where the catalog, the definition, the recipe and the region are; each can be edited."""

    root: Path

    @property
    def region(self) -> Path:
        return self.root / "region.geojson"

    @property
    def recipe(self) -> Path:
        return self.root / "recipe.yaml"

    @property
    def definition(self) -> Path:
        return self.root / "tiny.yaml"

    @property
    def catalog(self) -> Path:
        return self.root / "source" / "catalog.json"

    def item(self, collection: str) -> Path:
        return self.root / "source" / collection / "0" / "item.json"

    def raster(self, name: str) -> Path:
        """One of B04, SCL, VV, label and elevation."""
        return self.root / "source" / f"{name}.tif"

    def edit_json(self, path: Path, change: Callable[[Any], object]) -> None:
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    def edit_item(self, collection: str, change: Callable[[Any], object]) -> None:
        self.edit_json(self.item(collection), change)

    def edit_yaml(self, path: Path, change: Callable[[Any], object]) -> None:
        content = yaml.safe_load(path.read_text())
        change(content)
        path.write_text(yaml.safe_dump(content))

    def arguments(self) -> list[str]:
        """A command that works as long as nothing is spoilt."""
        return ["build-multisource", "--config", str(self.recipe)]

    def files(self) -> dict[str, bytes | None]:
        """Every file and folder below the root with its bytes."""
        return {
            str(path.relative_to(self.root)): path.read_bytes() if path.is_file() else None
            for path in sorted(self.root.rglob("*"))
        }

    def copy_to(self, root: Path) -> Workplace:
        """The same in another folder: hrefs within it are relative, the recipe's paths are written anew."""
        shutil.copytree(self.root, root, dirs_exist_ok=True)
        return write_recipe(root)


def write_workplace(root: Path) -> Workplace:
    """One item of each product, each with one tiny raster a band."""
    source = root / "source"
    source.mkdir(parents=True)
    rng = np.random.default_rng(7)
    shape = (96, 96)
    write(source / "B04.tif", rng.integers(1000, 3000, shape).astype("uint16"), GRID)
    coarse = GRID.zoom_out(2)
    write(source / "SCL.tif", np.full((48, 48), 4, "uint8"), coarse)
    write(source / "VV.tif", rng.gamma(4.0, 0.02, shape).astype("float32"), GRID)
    write(source / "label.tif", np.full(shape, 4, "uint8"), GRID, 255)
    relief = GeoBox.from_bbox((14.98, 48.02, 15.03, 48.05), "EPSG:4326", resolution=0.0005)
    write(source / "elevation.tif", np.full(relief.shape, 400, "float32"), relief)
    items = [
        _item("optical", S2, {"B04": ("B04", GRID), "SCL": ("SCL", coarse)}),
        _item("radar", S1, {"VV": ("vv", GRID)}),
        _item("cover", COVER, {"label": ("label", GRID)}),
        _item("relief", DEM, {"elevation": ("data", relief)}),
    ]
    write_catalog(source, items)
    definition = yaml.safe_load(shipped("catalogs/sources/planted.yaml").read_text())
    definition["name"] = "tiny"
    products = definition["products"]
    products["sentinel2"]["assets"] = {"B04": "B04"}
    products["sentinel1"]["assets"] = {"VV": "vv"}
    products["dem"]["absent"] = {"rule": "error"}
    for key in ("probabilities", "probabilities_asset", "probabilities_dtype", "probabilities_nodata"):
        del products["landcover"][key]
    (root / "tiny.yaml").write_text(yaml.safe_dump(definition))
    (root / "region.geojson").write_text(json.dumps(shapely.geometry.mapping(shapely.box(*AREA))))
    return write_recipe(root)


def write_recipe(root: Path) -> Workplace:
    place = Workplace(root=root)
    content = {
        "aoi": str(place.region),
        "out": str(root / "chips"),
        "catalog": str(root / "catalog"),
        "source": str(place.definition),
        "endpoint": str(place.catalog),
        "grid": {"chip_size": 16, "block_px": 64},
        "sentinel2": {"bands": ["B04"]},
        "sentinel1": {"polarisations": ["VV"]},
        "split": {"block_km": 1.0, "buffer_m": 0.0},
        "engine": {"workers": 1, "retries": 0},
    }
    place.recipe.write_text(yaml.safe_dump(content))
    return place


def _item(name: str, collection: str, files: dict[str, tuple[str, GeoBox]]) -> dict[str, Any]:
    extra: dict[str, dict[str, Any]] = {
        S2: {"s2:processing_baseline": "03.01", "s2:mgrs_tile": "33UWP", "eo:cloud_cover": 10.0},
        S1: {"sat:orbit_state": "ascending"},
    }
    assets = {
        asset: {
            "href": f"../../{file}.tif",
            "proj:code": str(grid.crs),
            "proj:shape": [int(side) for side in grid.shape],
            "proj:transform": list(grid.affine)[:6],
        }
        for file, (asset, grid) in files.items()
    }
    footprint = outline(next(iter(files.values()))[1])
    item: dict[str, Any] = make_item(
        name,
        footprint.bounds,
        collection=collection,
        geometry=shapely.geometry.mapping(footprint),
        properties={"datetime": "2021-06-01T10:00:00Z", **extra.get(collection, {})},
        assets=assets,
    )
    return item


def rewrite(path: Path, change: Callable[[dict[str, Any], Any], tuple[dict[str, Any], Any]]) -> None:
    """Write a raster again after `change` of its profile and pixels."""
    with DatasetReader(str(path)) as file:
        profile, values = dict(file.profile), file.read()
    profile, values = change(copy.copy(profile), values)
    path.unlink()
    with DatasetWriter(str(path), "w", **profile) as file:
        file.write(values)
