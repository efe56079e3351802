"""Pixels by Earth Engine are those of the published files: same place, same numbers, masked ones as nodata."""

from __future__ import annotations

import datetime as dt
import json
import pickle
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from rsprep.errors import RasterError
from rsprep.granule import Asset, Granule
from rsprep.products.sentinel2 import reflectance
from rsprep.reading.access import Access, Cost, ReadPolicy
from rsprep.reading.bands import load_granule
from rsprep.reading.control import ControlCache, transformer
from rsprep.reading.files import FileAccess
from rsprep.reading.spec import BandSpec
from rsprep.reading.window import Window
from rsprep.sources.base import open_source
from rsprep.sources.definition import load_definition
from rsprep.sources.earthengine import EarthEngineSource, requests
from tests.fakes.earthengine import EarthEngineServer
from tests.rsprep.conftest import EAST, NORTH, SOUTH, WEST, PlantedSource

AREA = shapely.box(WEST, SOUTH, EAST, NORTH)
FIRST, LAST = dt.datetime(2021, 1, 1, tzinfo=dt.UTC), dt.datetime(2023, 1, 1, tzinfo=dt.UTC)
REFLECTANCE = BandSpec(dtype="uint16", nodata=65535)
FLOATS = BandSpec(dtype="float32", nodata=-9999)
HEIGHTS = replace(FLOATS, resampling="cubic")
CLASSES = BandSpec(dtype="uint8", nodata=0, resampling="nearest", categorical=True)
LABELS = replace(CLASSES, nodata=255)
PLACES = ("aligned", "off the lattice", "sticks out", "of the next zone")


@pytest.fixture
def access(source: EarthEngineSource) -> Access:
    return source.access(ReadPolicy(backoff_s=0.01))


@pytest.fixture
def scene(source: EarthEngineSource) -> Granule:
    """The oldest Sentinel-2 granule; its numbers had no offset."""
    found = source.find("sentinel2", AREA, FIRST, LAST)[0]
    assert found.properties["s2:processing_baseline"] < "04.00"
    return found


@pytest.fixture(scope="module")
def files(planted_source: PlantedSource) -> dict[str, Granule]:
    """The same granules as files."""
    planted = open_source(load_definition("planted"), planted_source.catalog)
    return {one.id: one for product in planted.definition.products.names() for one in planted.find(product, AREA)}


def pairs(source: EarthEngineSource, files: dict[str, Granule], product: str) -> Iterator[tuple[Granule, Granule]]:
    """Granules of the source, each with its twin among the files."""
    found = source.find(product, AREA, FIRST, LAST)
    assert found
    for granule in found:
        yield granule, files[granule.id]


def assets_of(granule: Granule, *bands: str) -> list[Asset]:
    return [granule.assets[band] for band in bands]


def windows(
    access: Access, assets: Sequence[Asset], spec: BandSpec, target: GeoBox, pool: ThreadPoolExecutor | None = None
) -> list[Window]:
    """What a read gives, each asset once; those that the target does not touch are left out."""
    found: dict[int, Window | None] = {}

    def use(index: int, window: Window | None) -> None:
        assert index not in found
        found[index] = window

    access.read(assets, spec, ControlCache(target), use, pool=pool)
    assert sorted(found) == list(range(len(assets)))
    return [window for _, window in sorted(found.items()) if window is not None]


def targets(granule: Granule) -> dict[str, GeoBox]:
    """Blocks on and off an image's lattice."""
    lattice = next(iter(granule.assets.values())).grid
    assert lattice is not None
    west, north = lattice.affine.c, lattice.affine.f
    x, y = transformer("EPSG:32633", "EPSG:32632").transform(west + 3000, north - 3000)
    return {
        "aligned": GeoBox((256, 256), Affine(10, 0, west + 2000, 0, -10, north - 1500), lattice.crs),
        "off the lattice": GeoBox((200, 210), Affine(10, 0, west + 2003.7, 0, -10, north - 1501.3), lattice.crs),
        "sticks out": GeoBox((300, 300), Affine(10, 0, west - 1000, 0, -10, north + 700), lattice.crs),
        "of the next zone": GeoBox((256, 256), Affine(10, 0, round(x, -1), 0, -10, round(y, -1)), "EPSG:32632"),
    }


def harmonised(window: Window, offset: int) -> NDArray[Any]:
    """Digital numbers of a file as the harmonised collection has them."""
    numbers = window.values.astype(np.int32)
    return np.where(numbers == 0, 65535, np.maximum(numbers + offset, 0))


def cut_off(source: EarthEngineSource) -> Granule:
    """Land cover of a swath that ends within its tile."""
    found = source.find("landcover", AREA, FIRST, LAST)
    return next(granule for granule in found if granule.id == "DW_33UXV_20210816")


@pytest.mark.parametrize("where", PLACES)
def test_reflectance_is_that_of_the_files(
    source: EarthEngineSource, files: dict[str, Granule], access: Access, where: str
) -> None:
    bands, masked, offsets = ("B04", "B08", "B05", "B01"), 0, set()
    for granule, twin in list(pairs(source, files, "sentinel2"))[::3]:
        target = targets(granule)[where]
        offset = -1000 if granule.properties["s2:processing_baseline"] >= "04.00" else 0
        ours = windows(access, assets_of(granule, *bands), REFLECTANCE, target)
        theirs = windows(FileAccess(), assets_of(twin, *bands), replace(REFLECTANCE, nodata=0), target)
        assert len(ours) == len(bands)
        for mine, other in zip(ours, theirs, strict=True):
            assert (mine.grid, mine.file_grid, mine.resampling) == (other.grid, other.file_grid, other.resampling)
            np.testing.assert_array_equal(mine.values, harmonised(other, offset))
            masked += int((mine.values == 65535).sum())
        offsets.add(offset)
    assert masked > 1000  # what is masked was met, and came as nodata
    assert offsets == {0, -1000}


def test_backscatter_is_that_of_the_files_in_decibels(
    source: EarthEngineSource, files: dict[str, Granule], access: Access
) -> None:
    borders = 0
    for granule, twin in pairs(source, files, "sentinel1"):
        for target in targets(granule).values():
            ours = windows(access, assets_of(granule, "VV", "VH"), FLOATS, target)
            theirs = windows(FileAccess(), assets_of(twin, "VV", "VH"), replace(FLOATS, nodata=0), target)
            assert len(ours) == 2
            for mine, other in zip(ours, theirs, strict=True):
                power = other.values.astype(np.float64)
                decibel = 10 * np.log10(np.where(power > 0, power, 1.0))
                np.testing.assert_allclose(mine.values, np.where(power > 0, decibel, -9999), rtol=1e-6)
                borders += int((power <= 0).sum())
    assert borders > 0


def test_what_is_masked_is_not_water(source: EarthEngineSource, files: dict[str, Granule], access: Access) -> None:
    """Under a mask the server has numbers of its own, and 0 where nobody asks for another; 0 is water."""
    masked = 0
    for granule, twin in pairs(source, files, "landcover"):
        target = targets(granule)["sticks out"]
        (mine,) = windows(access, assets_of(granule, "label"), LABELS, target)
        (other,) = windows(FileAccess(), assets_of(twin, "label"), LABELS, target)
        np.testing.assert_array_equal(mine.values, other.values)
        masked += int((mine.values == 255).sum())
    assert masked > 1000


def test_probabilities_are_those_of_the_files(
    source: EarthEngineSource, files: dict[str, Granule], access: Access
) -> None:
    granule, bands = cut_off(source), tuple(f"p{number}" for number in range(9))
    target = targets(granule)["sticks out"]
    ours = windows(access, assets_of(granule, *bands), FLOATS, target)
    theirs = windows(FileAccess(), assets_of(files[granule.id], *bands), replace(FLOATS, nodata=np.nan), target)
    assert len(ours) == len(bands)
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(mine.values, np.nan_to_num(other.values, nan=-9999))
        assert (mine.values == -9999).any()


def test_scene_classes_and_cloud_scores(source: EarthEngineSource, files: dict[str, Granule], access: Access) -> None:
    unseen, scores = 0, set()
    for granule, twin in pairs(source, files, "sentinel2"):
        target = targets(granule)["sticks out"]
        (mine,) = windows(access, assets_of(granule, "SCL"), CLASSES, target)
        (other,) = windows(FileAccess(), assets_of(twin, "SCL"), CLASSES, target)
        np.testing.assert_array_equal(mine.values, other.values)
        unseen += int((mine.values == 0).sum())
        (score,) = windows(access, assets_of(granule, "score"), replace(FLOATS, nodata=-1), target)
        scores |= set(np.unique(score.values).tolist())
    assert unseen > 0
    assert scores == {-1.0, float(np.float32(0.2)), float(np.float32(0.9))}


def test_heights(source: EarthEngineSource, files: dict[str, Granule], access: Access, scene: Granule) -> None:
    seen = 0
    for granule, twin in pairs(source, files, "dem"):
        target = targets(scene)["aligned"]
        ours = windows(access, assets_of(granule, "elevation"), HEIGHTS, target)
        theirs = windows(FileAccess(), assets_of(twin, "elevation"), replace(HEIGHTS, nodata=None), target)
        for mine, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(mine.values, other.values)
            assert mine.grid == other.grid
            seen += mine.values.size
    assert seen > 0


@pytest.mark.parametrize("where", PLACES)
def test_a_layer_by_either_access_is_the_same(
    files: dict[str, Granule], access: Access, scene: Granule, where: str
) -> None:
    """Through the warp too; of an old baseline, whose numbers are the files' own."""
    bands, target = ("B02", "B04", "B11", "B01"), targets(scene)[where]
    mine = load_granule(scene, bands, target, REFLECTANCE, access=access)
    other = load_granule(files[scene.id], bands, target, replace(REFLECTANCE, nodata=0), access=FileAccess())
    assert mine is not None
    assert other is not None
    np.testing.assert_array_equal(mine.valid, other.valid)
    ours, theirs = reflectance(mine.values, 0, nodata=65535), reflectance(other.values, 0, nodata=0)
    np.testing.assert_array_equal(ours, theirs)


def test_nan_is_put_in_here_because_a_request_cannot_say_it(source: EarthEngineSource, access: Access) -> None:
    granule = cut_off(source)
    for nodata in (None, np.nan):
        spec = replace(FLOATS, nodata=nodata)
        (window,) = windows(access, assets_of(granule, "p0"), spec, targets(granule)["sticks out"])
        assert np.isnan(window.values).any()
        assert np.nanmin(window.values) >= 0


def test_whole_numbers_need_a_number_for_what_is_masked(access: Access, scene: Granule) -> None:
    with pytest.raises(RasterError, match="no-fill"):
        windows(access, assets_of(scene, "SCL"), replace(CLASSES, nodata=None), targets(scene)["aligned"])


@pytest.mark.parametrize("threads", [0, 4])
def test_tiles_are_put_together(
    server: EarthEngineServer, access: Access, scene: Granule, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    assets, target = assets_of(scene, "B02", "B05", "B04", "B11"), targets(scene)["sticks out"]
    whole = windows(access, assets, REFLECTANCE, target)
    assert server.pixels_asked() == 2  # one a lattice
    monkeypatch.setattr(requests, "MAX_BYTES", 50_000)
    promised = access.cost(assets, REFLECTANCE, ControlCache(target))
    with ThreadPoolExecutor(threads or 1) as pool:
        parts = windows(access, assets, REFLECTANCE, target, pool if threads else None)
    assert server.pixels_asked() - 2 == promised.requests > 6
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(one.values, other.values)


def test_the_cost_is_what_is_asked_for(server: EarthEngineServer, access: Access, scene: Granule) -> None:
    assets, target = assets_of(scene, "B02", "B03", "B05"), targets(scene)["aligned"]
    cost = access.cost(assets, REFLECTANCE, ControlCache(target))
    found = windows(access, assets, REFLECTANCE, target)
    assert cost == Cost(requests=server.pixels_asked(), bytes=sum(window.values.nbytes for window in found))


def test_what_does_not_touch_the_target_costs_nothing(
    server: EarthEngineServer, access: Access, scene: Granule
) -> None:
    far = GeoBox((64, 64), Affine(10, 0, 600_000, 0, -10, 5_000_000), "EPSG:32633")
    assets = assets_of(scene, "B04", "B05")
    assert windows(access, assets, REFLECTANCE, far) == []
    assert access.cost(assets, REFLECTANCE, ControlCache(far)) == Cost()
    assert server.pixels_asked() == 0


def test_a_single_asset_may_be_read_from_within_the_pool(
    access: Access, scene: Granule, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Passes are read side by side in the pool that bands are read in."""
    monkeypatch.setattr(requests, "MAX_BYTES", 20_000)
    pool = ThreadPoolExecutor(1)
    try:
        done = pool.submit(windows, access, assets_of(scene, "SCL"), CLASSES, targets(scene)["aligned"], pool)
        assert len(done.result(timeout=10)) == 1
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # one that waits for itself would never end


def test_the_request_in_its_own_words(server: EarthEngineServer, access: Access, scene: Granule) -> None:
    windows(access, assets_of(scene, "B04"), REFLECTANCE, targets(scene)["aligned"])
    (request,) = server.expressions
    text = json.dumps(request["expression"])
    assert '"functionName": "Image.unmask"' in text
    assert '"sameFootprint": {"constantValue": false}' in text
    assert request["grid"]["crsCode"] == "EPSG:32633"
    assert server.projects <= {"local-tests"}


def test_it_travels_without_secrets(source: EarthEngineSource, tmp_path: Path) -> None:
    access = source.access(ReadPolicy(), tmp_path / "shared")
    travelled: Any = pickle.loads(pickle.dumps(access))  # noqa: S301 - our own
    assert vars(travelled) == vars(access)
    assert set(vars(travelled)) == {"login", "limiter", "policy"}
    assert (tmp_path / "shared" / "earthengine").is_dir()
