"""A planted source that all tests of a run share: written once, whichever worker asks first."""

from __future__ import annotations

import datetime as dt
import fcntl
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import shapely

from rsprep.sources.planted import World, publish

WEST, SOUTH, EAST, NORTH = 12.62, 48.02, 12.72, 48.08
DAYS = (dt.date(2021, 6, 7), dt.date(2021, 8, 16), dt.date(2022, 7, 26), dt.date(2022, 9, 3))
"""An old baseline under a nearly clear sky; two partial granules, 28 % cloud; one processed twice; a swath's end."""
RADAR_DAYS = (dt.date(2021, 6, 10), dt.date(2021, 6, 16))
"""Ascending, descending."""
SEED = 0


@dataclass(frozen=True, kw_only=True)
class PlantedSource:
    """A published piece of the planted world, for reading only."""

    root: Path

    @property
    def catalog(self) -> str:
        """What a build takes as its endpoint."""
        return str(self.root / "catalog.json")

    @property
    def world(self) -> World:
        """Where to ask for the truth."""
        return World(seed=SEED)

    @property
    def days(self) -> tuple[dt.date, ...]:
        """Optical days, one datatake each."""
        return DAYS

    def config(self, out: Path, **more: Any) -> dict[str, Any]:
        """Configuration of a build of the whole area from this source; chips of 128 pixels unless told."""
        base: dict[str, Any] = {
            "aoi": f"{WEST},{SOUTH},{EAST},{NORTH}",
            "out": str(out / "chips"),
            "catalog": str(out / "catalog"),
            "source": "planted",
            "endpoint": self.catalog,
            "grid": {"chip_size": 128},
            "split": {"block_km": 2.56, "buffer_m": 0},
            "engine": {"workers": 2},
        }
        return {**base, **more}


@pytest.fixture(scope="session")
def planted_source(tmp_path_factory: pytest.TempPathFactory) -> PlantedSource:
    """The area around 12.67° E 48.05° N: 7 x 7 km of fields, woods, towns and slopes; 136 to 1180 m high."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    root, marker = shared / "planted-source", shared / "planted-source.json"
    with (shared / "planted-source.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # released when the file is closed, also by a worker's death
        if not marker.exists():
            shutil.rmtree(root, ignore_errors=True)
            publish(
                SEED, shapely.box(WEST, SOUTH, EAST, NORTH), root, start=DAYS[0], end=DAYS[-1], dates=DAYS,
                radar_dates=RADAR_DAYS, granule_km=8, frame_km=12, dem_degrees=0.125,
            )  # fmt: skip
            marker.write_text(json.dumps({"catalog": str(root / "catalog.json")}))
    return PlantedSource(root=root)
