"""A tiny data set that all tests of rsmodels share: written once, whichever worker asks first."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rsprep.config import Engine, make_config
from rsprep.corpus.plan import Batch, CorpusChip, CorpusPlan, MadeChip, Place
from rsprep.corpus.run import run_corpus
from rsprep.corpus.settings import CorpusSettings
from rsprep.products.terrain import terrain
from rsprep.settings import make_settings
from rsprep.store.schema import S2_NODATA, Schema, multisource_schema

if TYPE_CHECKING:
    from tests.rsmodels.pairs import Pairs

SIDE = 32
BANDS = ("B02", "B03", "B04", "B08")
CLASSES = 9
CHIPS = 30
"""Planned; every tenth is rejected, so 27 are committed, in 8 shards of 4 slots."""
LEFT_OUT = 9


class TinySettings(CorpusSettings):
    """Settings of the tiny data set."""

    seed: int = 0
    shift: int = 0
    """Deal the splits out from another chip on."""
    absurd: bool = False
    """Put absurd numbers into the chips of val and test."""
    bands: tuple[str, ...] = BANDS


def tiny_schema(bands: tuple[str, ...] = BANDS) -> Schema:
    config = make_config(
        {
            "aoi": "15,47,15.1,47.1",
            "out": "x",
            "grid": {"chip_size": SIDE, "block_px": 2 * SIDE},
            "sentinel2": {"bands": bands},
            "start": "2021-06-01",
            "end": "2021-06-30",
        }
    )
    return multisource_schema(config)


def smooth(rng: np.random.Generator, size: int, waves: int = 4) -> NDArray[np.float32]:
    """A random surface about 0, of a few waves."""
    y, x = np.mgrid[:size, :size] / size
    total = np.zeros((size, size))
    for _ in range(waves):
        east, north, phase = rng.normal(0, 6), rng.normal(0, 6), rng.uniform(0, 6)
        total += rng.normal() * np.sin(east * x + north * y + phase)
    return total.astype(np.float32)


def tiny_chip(number: int, settings: TinySettings, split: str) -> dict[str, NDArray[Any]]:
    """Classes from a surface; optical and radar follow the classes, the surface and the slope. Every third has gaps."""
    rng = np.random.default_rng((settings.seed, number))
    height = 400 + 60 * smooth(rng, SIDE + 2) + number
    ground = terrain(height.astype(np.float32), resolution=10.0)
    classes = np.clip(np.rint(4 + 2 * smooth(rng, SIDE)), 0, CLASSES - 1).astype(np.uint8)
    base = np.random.default_rng(99).uniform(300, 4000, (len(BANDS), CLASSES))
    lit = 0.5 + ground[3] / 255
    s2 = (base[:, classes] * lit + rng.normal(0, 30, (len(BANDS), SIDE, SIDE))).astype(np.int16)
    s1 = np.stack([-8 - classes / 2, -14 - classes / 3]) + rng.normal(0, 0.5, (2, SIDE, SIDE))
    clear = np.ones((SIDE, SIDE), np.uint8)
    s1 = s1.astype(np.float32)
    if settings.absurd and split != "train":
        s2 += np.int16(20_000)
        s1 += np.float32(1e6)
        ground[:2] += np.float32(1e6)
        classes[:] = 8
    if number % 3 == 0:
        s2[:, :3, :5] = S2_NODATA
        clear[:3, :5] = 0
        clear[10:14, 20:] = 0
        s1[:, -2:, :] = np.nan
        classes[5:7, 5:9] = 255
        ground[:, :, :2] = np.nan
    if number % 5 == 0:
        ground[1:, 20:24, 8:12] = np.array([0, np.nan, 1 + 254 * np.sqrt(0.5)], np.float32)[:, None, None]  # flat
    s2 = np.ascontiguousarray(s2[[BANDS.index(band) for band in settings.bands]])
    return {"s2": s2, "s2_valid": clear, "s1": s1, "lulc": classes, "terrain": ground}


def tiny_split(number: int) -> str:
    return {5: "val", 6: "test"}.get(number % 7, "train")


def make_tiny(batch: Batch) -> Iterable[MadeChip]:
    settings = batch.settings
    assert isinstance(settings, TinySettings)
    for chip in batch.chips:
        number = chip.payload["number"]
        if number % 10 == LEFT_OUT:
            yield MadeChip(rejected="left out")
            continue
        stats = {"datetime_start": "2021-06-07T10:00:00+00:00", "datetime_end": "2021-06-07T10:00:00+00:00"}
        yield MadeChip(arrays=tiny_chip(number, settings, chip.split), stats=stats)


def build_tiny(out: Path, *, chips: int = CHIPS, north: float = 5.3e6, **changes: Any) -> Path:
    """Make such a data set in `out`; `changes` are settings. Returns its folder."""
    values = {"out": str(out), "catalog": str(out.parent / "catalog"), "engine": Engine(workers=1), **changes}

    settings = make_settings(TinySettings, values)

    def planned() -> Iterator[CorpusChip]:
        for number in range(chips):
            place = Place.at_corner(32633, 500_000.0 + 10 * SIDE * number, north, 10.0 * SIDE)
            yield CorpusChip(
                chip_id=f"tiny-{number:03d}",
                split=tiny_split(number + settings.shift),
                payload={"number": number},
                place=place,
            )

    plan = CorpusPlan(
        kind="tiny",
        title="Tiny",
        settings=settings,
        inputs={"seed": str(settings.seed)},
        schema=tiny_schema(settings.bands),
        chips=planned(),
        make=make_tiny,
    )
    return run_corpus(plan).dataset


@pytest.fixture(scope="session")
def tiny_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed data set for reading only: 27 chips of 32 pixels in 8 shards; s2, s2_valid, s1, lulc, terrain."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    root, marker = shared / "tiny-dataset", shared / "tiny-dataset.done"
    with (shared / "tiny-dataset.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # released when the file is closed, also by a worker's death
        if not marker.exists():
            shutil.rmtree(root, ignore_errors=True)
            build_tiny(root / "tiny")
            marker.touch()
    return root / "tiny"


@pytest.fixture(scope="session")
def pairs(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Pairs:
    """Occlusion pairs of the tiny data set, for reading only: occluded, mask, clean, lulc."""
    from tests.rsmodels.pairs import build_pairs  # which is made of what is above

    return build_pairs(tiny_dataset, tmp_path_factory.mktemp("pairs") / "pairs")
