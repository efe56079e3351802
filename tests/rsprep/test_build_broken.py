"""A build from files that decode without an error and are wrong: each is found out, and costs its own chips only."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

import rsprep
from tests.rsprep.conftest import DAYS, RADAR_DAYS, PlantedSource
from tests.rsprep.truth import digests, rows_of

S2 = {
    "layers": ["s2"],
    "grid": {"chip_size": 64},
    "sentinel2": {"bands": ["B04"]},
    "start": str(DAYS[0]),
    "end": str(DAYS[0]),
}
S1 = {"layers": ["s1"], "start": str(RADAR_DAYS[0]), "end": str(RADAR_DAYS[0])}
DAY = {"sentinel-2-l2a": f"{DAYS[0]:%Y%m%d}", "sentinel-1-rtc": f"{RADAR_DAYS[0]:%Y%m%d}"}


@pytest.fixture
def broken(planted_source: PlantedSource, tmp_path: Path) -> PlantedSource:
    """A copy of the source that a test may spoil; its files are links until they are replaced."""
    shutil.copytree(planted_source.root, tmp_path / "source", copy_function=os.link)
    return PlantedSource(root=tmp_path / "source")


def _items(source: PlantedSource, collection: str) -> list[Path]:
    """Documents of one day, in order."""
    return sorted(path for path in (source.root / collection).glob("*/*.json") if DAY[collection] in path.name)


def _replace(path: Path, content: bytes) -> None:
    path.unlink()  # a link: what it leads to is others'
    path.write_bytes(content)


def _change(item: Path, key: str, change: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads(item.read_text())
    change(content["assets"][key])
    _replace(item, json.dumps(content).encode())


def _blank(item: Path, key: str) -> None:
    """A file of the right size and kind in which an upload left nothing but nodata."""
    file = item.parent / json.loads(item.read_text())["assets"][key]["href"]
    with rasterio.open(file) as old:
        profile, shape = old.profile, old.shape
    file.unlink()
    with rasterio.open(file, "w", **profile) as new:
        new.write(np.zeros(shape, profile["dtype"]), 1)
    _change(item, key, lambda asset: asset.update({"file:size": file.stat().st_size, "file:checksum": None}))


@pytest.mark.parametrize(
    ("collection", "key", "settings"),
    [("sentinel-2-l2a", "B04", S2), ("sentinel-2-l2a", "SCL", S2), ("sentinel-1-rtc", "vv", S1)],
    ids=["band", "sky", "radar"],
)
def test_a_file_that_is_blank_inside_its_footprint(
    collection: str, key: str, settings: Any, planted_source: PlantedSource, broken: PlantedSource, tmp_path: Path
) -> None:
    """Pitfall 7: its chips are quarantined with the reason; the others have the pixels that they always had."""
    item = _items(broken, collection)[-1]  # the granule with most of the ground
    _blank(item, key)
    outcome = rsprep.build(broken.config(tmp_path / "spoiled", **settings))
    bad = rows_of(tmp_path / "spoiled" / "chips", "quarantined")
    assert outcome.failures == len(bad) > 0
    assert all("raster/blank" in row.reason and item.stem in row.reason for row in bad)
    rsprep.build(planted_source.config(tmp_path / "sound", **settings))
    sound, kept = digests(tmp_path / "sound" / "chips"), digests(tmp_path / "spoiled" / "chips")
    assert bool(kept) == (collection == "sentinel-2-l2a")  # one radar scene covers all
    assert kept == {name: sound[name] for name in kept}
    assert not set(kept) & {row.chip_id for row in bad}


@pytest.mark.parametrize(
    ("change", "slug"),
    [
        (lambda asset: asset["proj:transform"].__setitem__(2, asset["proj:transform"][2] + 100), "raster/transform"),
        (lambda asset: asset["proj:shape"].__setitem__(0, asset["proj:shape"][0] - 1), "raster/shape"),
        (lambda asset: asset.update({"file:size": asset["file:size"] + 1}), "raster/size"),
    ],
    ids=["transform", "shape", "size"],
)
def test_an_item_that_says_something_else_than_its_file(
    change: Callable[[dict[str, Any]], None], slug: str, broken: PlantedSource, tmp_path: Path
) -> None:
    """PROJ metadata that is wrong shifts a whole granule, or reads as empty ground."""
    item = _items(broken, "sentinel-2-l2a")[0]
    _change(item, "B04", change)
    assert rsprep.build(broken.config(tmp_path / "spoiled", **S2)).failures > 0
    bad = rows_of(tmp_path / "spoiled" / "chips", "quarantined")
    assert all(slug in row.reason and item.stem in row.reason for row in bad)
    assert rows_of(tmp_path / "spoiled" / "chips", "committed")
