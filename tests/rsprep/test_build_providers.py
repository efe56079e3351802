"""One area from three kinds of providers: files on disk, a STAC API with ranges over HTTP, and Earth Engine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import rsprep
from rsprep.job.verify import verify
from rsprep.multisource import dry_run
from rsprep.overview import overview
from rsprep.sources.earthengine.session import leave
from tests.fakes.earthengine import EarthEngineServer, definition
from tests.fakes.ranges import RangeServer
from tests.fakes.stac import stac_api
from tests.rsprep.conftest import DAYS, PlantedSource
from tests.rsprep.truth import digests

BANDS = ["B01", "B04", "B08", "B11"]
"""Pixels of 60, 10, 10 and 20 m."""
PERIOD: dict[str, Any] = {"start": "2021-06-01", "end": "2022-09-30", "sentinel2": {"sky": "scl", "bands": BANDS}}
DB = 1e-4
"""Decibels by which a float32 in dB may differ from the power that it was made of."""


@pytest.fixture(scope="module")
def engine(planted_source: PlantedSource) -> Iterator[EarthEngineServer]:
    with EarthEngineServer(planted_source.root) as server:
        yield server
        leave()


@pytest.fixture(scope="module")
def earth_engine_settings(engine: EarthEngineServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Source, endpoint and login of the Earth Engine on this machine."""
    path = tmp_path_factory.mktemp("definition") / "earthengine.yaml"
    path.write_text(yaml.safe_dump(definition(engine.world).model_dump(mode="json")))
    login = {"credentials": "anonymous", "project": "tests", "requests_per_second": 100}
    return {"source": str(path), "endpoint": engine.url, "earthengine": login}


@pytest.fixture(scope="module")
def from_files(planted_source: PlantedSource, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    assert not rsprep.build(planted_source.config(folder, **PERIOD)).failures
    return folder / "chips"


@pytest.fixture(scope="module")
def from_engine(
    planted_source: PlantedSource, earth_engine_settings: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("engine")
    assert not rsprep.build(planted_source.config(folder, **PERIOD, **earth_engine_settings)).failures
    return folder / "chips"


def test_an_api_with_ranges_gives_what_files_give(
    planted_source: PlantedSource, from_files: Path, tmp_path: Path
) -> None:
    with (
        RangeServer(planted_source.root) as server,
        stac_api(planted_source.root / "catalog.json", server.url) as api,
    ):
        assert not rsprep.build(planted_source.config(tmp_path, **PERIOD, endpoint=api)).failures
    assert digests(tmp_path / "chips") == digests(from_files)


def test_earth_engine_gives_the_same_land_cover_and_terrain(from_files: Path, from_engine: Path) -> None:
    ours, theirs = rsprep.open(from_files), rsprep.open(from_engine)
    assert ours["chip_id"].to_numpy().tolist() == theirs["chip_id"].to_numpy().tolist()
    np.testing.assert_array_equal(ours["lulc"], theirs["lulc"])
    np.testing.assert_array_equal(ours["terrain"], theirs["terrain"])
    assert verify(from_engine).ok


def test_earth_engine_gives_the_same_backscatter_within_rounding(from_files: Path, from_engine: Path) -> None:
    ours, theirs = rsprep.open(from_files), rsprep.open(from_engine)
    np.testing.assert_array_equal(np.isnan(ours["s1"]), np.isnan(theirs["s1"]))
    np.testing.assert_allclose(ours["s1"], theirs["s1"], atol=DB, rtol=0)
    assert (theirs["s1"].attrs["kind"], theirs["s1"].attrs["calibration"]) == ("gtc", "sigma0")
    assert (ours["s1"].attrs["kind"], ours["s1"].attrs["calibration"]) == ("rtc", "gamma0")


def test_earth_engine_gives_the_same_reflectance_but_for_what_it_cuts_off(from_files: Path, from_engine: Path) -> None:
    """Harmonised images have no reflectance below 0: the service takes the offset off in unsigned numbers."""
    ours, theirs = rsprep.open(from_files), rsprep.open(from_engine)
    np.testing.assert_array_equal(ours["s2_valid"], theirs["s2_valid"])
    known = ours["s2"].to_numpy() != -32768
    np.testing.assert_array_equal(known, theirs["s2"].to_numpy() != -32768)
    bands = ours["s2_band"].to_numpy().tolist()
    for band in bands:
        one, other = (data["s2"].sel(s2_band=band).to_numpy().astype(int) for data in (ours, theirs))
        here = known[:, bands.index(band)] & (one > 0)
        assert here.any()
        np.testing.assert_allclose(one[here], other[here], atol=1)


def test_requests_and_bytes_are_told_beforehand_and_kept(
    planted_source: PlantedSource, engine: EarthEngineServer, earth_engine_settings: dict[str, Any], tmp_path: Path
) -> None:
    values = planted_source.config(tmp_path, **PERIOD, **earth_engine_settings, layers=["lulc", "s1"])
    (cost,) = dry_run(values).figures.costs.values()
    engine.reset()
    rsprep.build(values)
    probes = 2  # one look at the radar bands, one at a label, before the build begins
    timings = overview(tmp_path / "chips").timings
    assert timings is not None
    assert timings.requests is not None
    assert 0 < timings.requests <= cost.requests
    assert timings.requests <= engine.pixels_asked() <= timings.requests + probes + 1
    assert engine.most_at_once <= 20


def test_clouds_by_the_score_of_another_collection(
    planted_source: PlantedSource, engine: EarthEngineServer, earth_engine_settings: dict[str, Any], tmp_path: Path
) -> None:
    """The companion here scores 0 under the clouds of the scene classification, so that both tell one sky."""
    engine.reset()
    cloudy: dict[str, Any] = {"start": str(DAYS[1]), "end": str(DAYS[1]), "layers": ["s2"]}
    one_band = {**cloudy, "sentinel2": {"bands": ["B04"]}}
    assert not rsprep.build(planted_source.config(tmp_path / "score", **one_band, **earth_engine_settings)).failures
    assert not rsprep.build(planted_source.config(tmp_path / "scl", **one_band)).failures
    asked = json.dumps(engine.expressions)
    assert "CLOUD_SCORE_PLUS" in asked
    assert "SCL" not in asked
    score, scl = (rsprep.open(tmp_path / name / "chips")["s2_valid"] for name in ("score", "scl"))
    assert 0.5 < float(scl.mean()) < 0.9
    assert score.attrs["told_by"] == "GOOGLE/CLOUD_SCORE_PLUS/V1/S2_HARMONIZED cs >= 0.6"
    assert scl.attrs["told_by"] == "scene classification"
    np.testing.assert_array_equal(score, scl)


def test_processes_keep_one_limit_together(
    planted_source: PlantedSource, engine: EarthEngineServer, earth_engine_settings: dict[str, Any], tmp_path: Path
) -> None:
    engine.reset()
    engine.faults.latency_s = 0.05
    few = {**earth_engine_settings, "earthengine": {**earth_engine_settings["earthengine"], "concurrent": 2}}
    values = planted_source.config(tmp_path, **PERIOD, **few, layers=["lulc", "terrain"])
    values |= {"engine": {"scheduler": "processes", "workers": 2}, "grid": {"chip_size": 128, "block_px": 128}}
    assert not rsprep.build(values).failures
    assert engine.most_at_once == 2
    assert not (tmp_path / "chips" / ".shared").exists()
