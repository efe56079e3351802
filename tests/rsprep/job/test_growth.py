"""What must not grow with the length of a job: what the coordinator keeps of it, and the dates in memory at once."""

from __future__ import annotations

import datetime as dt
import gc
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox

from rsprep.config import Engine, Sentinel2
from rsprep.granule import Granule
from rsprep.job import optical
from rsprep.job.engine import run_all
from rsprep.job.optical import Optical
from rsprep.job.passes import Pass
from rsprep.job.reader import Reader
from rsprep.reading.files import FileAccess
from rsprep.reading.mosaic import Box
from rsprep.sources.definition import load_definition

DATES, SIDE, CHIP = 60, 64, 16
TASKS = 300


@dataclass(frozen=True)
class Load:
    """A task that can be recognised among all objects."""

    number: int


def unload(task: Load) -> int:
    return task.number


def test_finished_tasks_are_forgotten() -> None:
    """Dask's own records would keep every task with its granules: 440 shards cost 500 MB."""
    for count, _ in enumerate(
        run_all(
            unload, map(Load, range(TASKS)), Engine(scheduler="threads", workers=2), name=lambda task: f"t{task.number}"
        ),
        start=1,
    ):
        if count == TASKS:
            gc.collect()
            alive = sum(type(one) is Load for one in gc.get_objects())  # isinstance wakes proxies of other packages
    assert count == TASKS
    assert alive < TASKS / 3


class Planted(Optical):
    """Looks at planted numbers instead of files, and counts how many dates are held at once."""

    largest = 0

    def plant(self) -> None:
        rng = np.random.default_rng(4)
        self.numbers = rng.integers(0, 9000, (DATES, len(self.settings.bands), SIDE, SIDE)).astype(np.int16)
        self.sky = rng.random((DATES, SIDE, SIDE)) < 0.4

    def look(self, group: Sequence[Granule], box: Box) -> Pass:
        date = int(group[0].id)
        values, clear = self.numbers[date][:, box[0], box[1]], self.sky[date][box]
        self.largest = max(self.largest, DATES * values.nbytes)
        seen = np.ones_like(clear)
        return Pass(values=values, observed=seen, clear=clear, origins=((group[0], seen),))


def season() -> Planted:
    day = dt.datetime(2021, 5, 1, 10, tzinfo=dt.UTC)
    granules = [
        Granule(
            id=f"{number}", product="sentinel2", source="planted", collection="c",
            datetime=day + dt.timedelta(days=number),
            footprint=shapely.box(12, 48, 13, 49), assets={}, properties={"s2:processing_baseline": "02.14"},
        )
        for number in range(DATES)
    ]  # fmt: skip
    definition = load_definition("planted")
    assert definition.products.sentinel2 is not None
    block = GeoBox((SIDE, SIDE), Affine(10, 0, 3e5, 0, -10, 5.4e6), "EPSG:32633")
    with ThreadPoolExecutor(1) as pool:
        reader = Reader(block=block, accesses={"planted": FileAccess()}, pool=pool)
        made = Planted(
            granules, definition.products.sentinel2, Sentinel2(composite="median", bands=("B04", "B08")), reader, CHIP
        )
    made.plant()
    return made


def test_a_season_in_strips_is_the_season_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A median holds no more dates than fit its share of memory, and nobody can tell from the pixels."""
    whole = season()
    at_once = whole.make()
    limit = whole.largest // 3
    monkeypatch.setattr(optical, "STACK_BYTES", limit)
    strips = season()
    in_strips = strips.make()
    assert strips.largest <= limit
    for name, values in at_once.arrays.items():
        np.testing.assert_array_equal(in_strips.arrays[name], values)
    assert [one.granule_id for one in in_strips.contributions] == [one.granule_id for one in at_once.contributions]
    for one, other in zip(in_strips.contributions, at_once.contributions, strict=True):
        np.testing.assert_array_equal(one.mask, other.mask)
