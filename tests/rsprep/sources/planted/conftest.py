from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from rsprep.sources.planted import World, publish

AREA = shapely.box(12.615, 48.305, 12.655, 48.325)
"""A shore of the demo region: the west of it is sea."""
DAYS = (dt.date(2021, 6, 7), dt.date(2021, 8, 18), dt.date(2022, 6, 13), dt.date(2022, 8, 16))
ARGUMENTS: dict[str, Any] = {
    "start": DAYS[0], "end": DAYS[-1], "dates": DAYS, "radar_dates": DAYS[:2],
    "granule_km": 6.0, "frame_km": 6.0, "dem_degrees": 0.03,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Publication:
    """A published piece of the world and short ways into it."""

    root: Path
    world: World

    def items(self, collection: str) -> list[dict[str, Any]]:
        paths = sorted((self.root / collection).glob("*/*.json"))
        return [json.loads(path.read_text()) for path in paths]

    def path(self, item: dict[str, Any], key: str) -> Path:
        return self.root.joinpath(item["collection"], item["id"], item["assets"][key]["href"])

    def read(self, item: dict[str, Any], key: str) -> tuple[NDArray[Any], GeoBox]:
        with rasterio.open(self.path(item, key)) as file:
            values = file.read()
            grid = GeoBox(file.shape, file.transform, str(file.crs))
        return values[0] if len(values) == 1 else values, grid


def moment_of(item: dict[str, Any]) -> dt.datetime:
    return dt.datetime.fromisoformat(item["properties"]["datetime"])


def hashes(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def means(values: NDArray[Any], factor: int) -> NDArray[Any]:
    """Area means of blocks of (y, x)."""
    rows, columns = values.shape
    return np.asarray(values.reshape(rows // factor, factor, columns // factor, factor).mean(axis=(1, 3)))


@pytest.fixture(scope="package")
def publication(tmp_path_factory: pytest.TempPathFactory) -> Publication:
    root = tmp_path_factory.mktemp("planted") / "world"
    publish(0, AREA, root, **ARGUMENTS)
    return Publication(root=root, world=World(seed=0))
