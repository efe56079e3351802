"""The main job on a world whose truth is known: what comes out is held against it, pixel by pixel."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from numpy.typing import NDArray

import rsprep
from rsprep.job.journal_view import JournalView
from rsprep.job.verify import verify
from rsprep.multisource import dry_run
from rsprep.products.terrain import terrain
from rsprep.sources.planted.world import margin
from rsprep.store.export import export
from tests.rsprep.conftest import DAYS, RADAR_DAYS, PlantedSource
from tests.rsprep.truth import (
    FAR_FROM_EDGE,
    CoarseGround,
    digests,
    grid_of,
    noon,
    reflectance_errors,
    rows_of,
    together,
)

TEN_METRES = ("B02", "B03", "B04", "B08")
FACTS = {
    DAYS[0]: (["03.01"], ["0"], {"_0_L2A"}),
    DAYS[1]: (["05.09"], ["-1000"], {"_0_L2A", "_1_L2A"}),
    DAYS[2]: (["05.09"], ["-1000"], {"_0_L2A"}),
    DAYS[3]: (["05.09"], ["-1000"], {"_0_L2A"}),
}
"""Day to baselines, offsets, and the sequence numbers of the granules that are used."""


@pytest.fixture(scope="module")
def whole(planted_source: PlantedSource, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build with all four layers over all days."""
    out = tmp_path_factory.mktemp("whole")
    outcome = rsprep.build(planted_source.config(out))
    assert outcome.failures == 0
    return out / "chips"


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_reflectance_of_every_kind_of_acquisition_is_the_truth(
    day: dt.date, planted_source: PlantedSource, tmp_path: Path
) -> None:
    """Pitfalls 9, 14 and 15: both baselines, halves, a duplicate and a swath's end give one reflectance."""
    config = planted_source.config(tmp_path, start=str(day), end=str(day), layers=["s2"])
    assert rsprep.build(config).failures == 0
    chips, grid, there = together(rsprep.open(tmp_path / "chips"))
    clear = chips.s2_valid.to_numpy() == 1
    world = planted_source.world
    truth = world.truth(grid, noon(day), ("s2",))["s2"]
    errors = reflectance_errors(chips, truth, clear)
    assert max(errors.values()) < 0.01
    bands = chips.s2_band.to_numpy().tolist()
    for band in TEN_METRES:  # on the granules' own pixels: equal but for rounding
        values, expected = chips.s2.to_numpy()[bands.index(band)], truth[bands.index(band)]
        np.testing.assert_allclose(values[clear], expected[clear], atol=2)
    # what is not clear is cloud: by day, tile and part, nothing else is missing
    sky = world.weather(grid, noon(day))
    assert (clear[there] == (sky[there] == 0)).mean() > 0.97  # the mask has pixels of 20 m
    assert clear[there].mean() > 0.5
    assert (chips.s2.to_numpy()[:, ~clear & there] == -32768).all()
    baselines, offsets, sequence = FACTS[day]
    committed = [row for row in rows_of(tmp_path / "chips", "committed") if row.stats["valid_fraction"] > 0]
    assert all(row.stats["facts"]["sentinel2_baseline"] == baselines for row in committed)
    assert all(row.stats["facts"]["sentinel2_offset"] == offsets for row in committed)
    used = {name for row in committed for name in row.stats["sources"]["sentinel2"]}
    assert {name[-6:] for name in used} == sequence
    with JournalView.open(tmp_path / "chips") as journal:
        assert {granule.id for granule in journal.granules("sentinel2")} == used  # a duplicate is not even planned


def test_a_swath_ends_where_it_ends(planted_source: PlantedSource, tmp_path: Path) -> None:
    """Pitfall 15: chips beyond the swath are given up with the reason; with partial=keep each pixel tells."""
    day = {"start": str(DAYS[3]), "end": str(DAYS[3]), "layers": ["s2"], "sentinel2": {"bands": ["B04"]}}
    dropped = rsprep.build(planted_source.config(tmp_path / "drop", **day))
    kept = rsprep.build(planted_source.config(tmp_path / "keep", **day, grid={"chip_size": 128, "partial": "keep"}))
    assert dropped.data.counts.committed < dropped.data.counts.planned
    assert kept.data.counts.committed > dropped.data.counts.committed
    rejected = rows_of(tmp_path / "drop" / "chips", "rejected")
    shares = {row.chip_id: row.stats["valid_fraction"] + row.stats["s2_cloud_fraction"] for row in rejected}
    assert rejected
    assert all("s2" in row.reason and shares[row.chip_id] < 0.99 for row in rejected)
    edge = {row.chip_id: row for row in rows_of(tmp_path / "keep" / "chips")}
    for name, share in shares.items():
        stats = edge[name].stats
        assert stats["valid_fraction"] + stats["s2_cloud_fraction"] == pytest.approx(share, abs=1e-6)
        assert edge[name].state == ("committed" if share > 0 else "rejected")
    assert verify(tmp_path / "keep" / "chips").ok


def test_every_layer_of_a_build_is_the_truth(whole: Path, planted_source: PlantedSource) -> None:
    chips, grid, there = together(rsprep.open(whole))
    assert there.all()
    truth = planted_source.world.truth(grid, noon(RADAR_DAYS[0]), ("elevation", "lulc", "probabilities", "s1"))
    check_classes(chips, truth["probabilities"])
    check_relief(chips, truth["elevation"], 10)
    check_radar(chips, truth["s1"]["ascending"])
    assert float((chips.s2_valid == 1).mean()) > 0.999  # four dates leave next to no gap
    assert (chips.s2.to_numpy() > -1000).mean() > 0.999


def test_coarser_pixels_median_and_probabilities_are_the_truth(planted_source: PlantedSource, tmp_path: Path) -> None:
    """Pitfalls 13, 19 and 22: averages on purpose, the other orbit alone, argmax of mean probability."""
    config = planted_source.config(
        tmp_path,
        end=str(DAYS[2]),
        grid={"chip_size": 64, "resolution": 20},
        sentinel1={"orbit": "descending"},
        sentinel2={"composite": "median", "bands": ["B02", "B04", "B08"]},
        landcover={"method": "probability"},
    )
    assert rsprep.build(config).failures == 0
    chips, grid, there = together(rsprep.open(tmp_path / "chips"))
    assert there.all()
    ground = CoarseGround(planted_source.world, grid)
    check_classes(chips, ground.probabilities)
    check_relief(chips, ground.elevation, 20)
    check_radar(chips, ground.power(RADAR_DAYS[1], "descending"))
    assert rsprep.open(tmp_path / "chips").s1.attrs["orbit"] == "descending"
    dates = np.stack([ground.reflectance(day, ("B02", "B04", "B08")) for day in DAYS[:3]])
    clear = np.logical_and.reduce([ground.clear(day) for day in DAYS[:3]])
    expected = np.median(dates, axis=0)[:, clear]
    assert clear.mean() > 0.4
    assert np.mean(np.abs(chips.s2.to_numpy()[:, clear] - expected) / expected, axis=1).max() < 0.01
    assert np.mean(np.abs(dates[0][:, clear] - expected) / expected) > 0.02  # no single date would do


def check_classes(chips: xr.Dataset, probabilities: NDArray[np.float32]) -> None:
    """At least 99.9 % of the pixels away from edges, and none without a label there."""
    far = margin(probabilities) > FAR_FROM_EDGE
    right = chips.lulc.to_numpy() == probabilities.argmax(axis=0)
    assert far.mean() > 0.8
    assert right[far].mean() >= 0.999


def check_relief(chips: xr.Dataset, elevation: NDArray[np.float32], resolution: int) -> None:
    """Heights within 0.5 m RMS, and the slope of the true heights within 0.1° RMS."""
    found = chips.terrain.to_numpy()
    assert np.isfinite(found[[0, 1, 3]]).all()
    assert np.sqrt(np.mean((found[0] - elevation) ** 2)) < 0.5
    padded = np.pad(elevation, 1, mode="edge").astype(np.float32)
    expected = terrain(padded, resolution=resolution, azimuth=315.0, altitude=45.0, z_factor=1.0)
    inner = (slice(1, -1), slice(1, -1))
    assert np.sqrt(np.mean((found[1] - expected[1])[inner] ** 2)) < 0.1
    assert np.ptp(expected[1]) > 10


def check_radar(chips: xr.Dataset, power: NDArray[np.float32]) -> None:
    """Mean power of VV and VH within 0.1 dB; where speckle is averaged over 40 pixels a side, too."""
    found = 10 ** (chips.s1.to_numpy().astype(float) / 10)
    assert np.isfinite(found).all()
    for measured, expected in zip(found, power, strict=True):
        assert 10 * np.log10(measured.mean() / expected.mean()) == pytest.approx(0, abs=0.1)
        # by brightness: the mean is right on dark and on bright ground
        for part in np.array_split(np.argsort(expected, axis=None), 4):
            assert 10 * np.log10(measured.flat[part].mean() / expected.flat[part].mean()) == pytest.approx(0, abs=0.1)


def test_orbits_are_never_mixed(whole: Path) -> None:
    """Pitfall 19: both directions are published, every chip comes from one, and store and journal say which."""
    orbit = rsprep.open(whole).s1.attrs["orbit"]
    rows = rows_of(whole, "committed")
    assert orbit in ("ascending", "descending")
    assert {tuple(row.stats["facts"]["sentinel1_orbit"]) for row in rows} == {(orbit,)}


def test_a_finished_build_is_left_alone(whole: Path, planted_source: PlantedSource) -> None:
    before = {path: path.stat().st_mtime_ns for path in (whole / "chips.zarr").rglob("*") if path.is_file()}
    assert before
    rsprep.build(planted_source.config(whole.parent))
    after = {path: path.stat().st_mtime_ns for path in (whole / "chips.zarr").rglob("*") if path.is_file()}
    assert after == before


def test_a_dry_run_tells_what_is_then_built(whole: Path, planted_source: PlantedSource, tmp_path: Path) -> None:
    config = planted_source.config(tmp_path)
    figures = dry_run(config).figures
    rows = rows_of(whole)
    assert not (tmp_path / "chips").exists()
    assert sum(figures.chips.values()) == len(rows)
    assert dict(figures.chips) == {
        split: sum(row.record["split"] == split for row in rows) for split in {row.record["split"] for row in rows}
    }
    assert figures.shards == len({row.shard_index for row in rows})


def test_another_build_has_the_same_digests(whole: Path, planted_source: PlantedSource, tmp_path: Path) -> None:
    """Another folder and another number of workers change nothing."""
    assert rsprep.build(planted_source.config(tmp_path, engine={"workers": 1})).failures == 0
    assert digests(tmp_path / "chips") == digests(whole)


def test_pixels_do_not_depend_on_the_size_of_blocks(whole: Path, planted_source: PlantedSource, tmp_path: Path) -> None:
    """Equal where source and chips share a CRS; heights, which do not, differ within the bound of the warp."""
    grid = {"chip_size": 128, "block_px": 256}
    config = planted_source.config(tmp_path, grid=grid, sentinel2={"bands": ["B04", "B05", "B09"]})
    assert rsprep.build(config).failures == 0
    expected, found = (rsprep.open(path).load().sortby("chip_id") for path in (whole, tmp_path / "chips"))
    same = expected.s2.sel(s2_band=found.s2_band)
    np.testing.assert_array_equal(found.s2.to_numpy(), same.to_numpy())
    for layer in ("s2_valid", "s1", "lulc"):
        np.testing.assert_array_equal(found[layer].to_numpy(), expected[layer].to_numpy())
    apart = np.abs(found.terrain.to_numpy() - expected.terrain.to_numpy())
    assert apart[:, 0].max() < 1e-3
    assert apart[:, 1].max() < 0.01


def test_a_chip_is_a_georeferenced_raster(whole: Path, tmp_path: Path) -> None:
    chips = rsprep.open(whole)
    name = str(chips.chip_id[3].item())
    chip = rsprep.chip(chips, name)
    grid = grid_of(chip)
    for layer in ("s2", "s1", "lulc", "terrain"):
        path = tmp_path / f"{layer}.tif"
        chip[layer].rio.to_raster(path)
        with rasterio.open(path) as file:
            assert (file.crs.to_epsg(), file.transform, file.shape) == (int(chip.epsg), grid.affine, (128, 128))
            np.testing.assert_array_equal(file.read().squeeze(), chip[layer].to_numpy().squeeze())
    assert float(chip.x[0]) == float(chip.x_origin) + 5
    assert float(chip.y[0]) == float(chip.y_origin) - 5
    export(whole, tmp_path / "out", chips=[name])
    for layer in ("s2", "s1", "lulc", "terrain"):
        with rasterio.open(tmp_path / "out" / layer / f"{name}.tif") as file:
            assert (file.crs.to_epsg(), file.transform) == (int(chip.epsg), grid.affine)
            np.testing.assert_array_equal(file.read().squeeze(), chip[layer].to_numpy().squeeze())


def test_selection_from_end_to_end(planted_source: PlantedSource, tmp_path: Path) -> None:
    """What is not selected is rejected with its reason, its slot holds nodata, and nothing is lost."""
    config = planted_source.config(
        tmp_path,
        start=str(DAYS[1]), end=str(DAYS[1]), layers=["s2", "lulc"], sentinel2={"bands": ["B03"]},
        grid={"chip_size": 64}, split={"block_km": 2.56, "buffer_m": 300},
        select={"min_valid": 0.6, "max_cloud": 0.35, "quotas": {1: 8}},
    )  # fmt: skip
    counts = rsprep.build(config).data.counts
    assert counts.planned == counts.committed + counts.rejected
    assert verify(tmp_path / "chips").ok
    rows = rows_of(tmp_path / "chips")
    reasons = [row.reason for row in rows if row.state == "rejected"]
    for start in ("split-buffer", "valid ", "cloud ", "quota of class 1 is full (8)"):
        assert any(reason.startswith(start) for reason in reasons), start
    kept = [row for row in rows if row.state == "committed"]
    assert all(row.stats["valid_fraction"] >= 0.6 and row.stats["s2_cloud_fraction"] <= 0.35 for row in kept)
    woods = [row for row in kept if max(row.stats["class_shares"], key=row.stats["class_shares"].__getitem__) == "1"]
    assert len(woods) == 8
    everything = xr.open_zarr(tmp_path / "chips" / "chips.zarr", consolidated=True, chunks=None)
    shown = everything.committed.to_numpy()
    assert shown.sum() == counts.committed == rsprep.open(tmp_path / "chips").sizes["chip"]
    assert (everything.s2.to_numpy()[~shown] == -32768).all()
    assert (everything.lulc.to_numpy()[~shown] == 255).all()
    assert not everything.s2_valid.to_numpy()[~shown].any()
    assert sorted(rows_of(tmp_path / "chips", "committed"), key=lambda row: row.slot) == kept


def test_nothing_is_silently_empty(planted_source: PlantedSource, tmp_path: Path) -> None:
    """Pitfall 37: a chip where a layer has no pixel is no chip, even when partial ones are kept."""
    area = {"aoi": "12.58,48.03,12.63,48.05", "grid": {"chip_size": 64, "partial": "keep"}, "layers": ["s1"]}
    counts = rsprep.build(planted_source.config(tmp_path, **area)).data.counts
    assert counts.committed
    assert counts.rejected
    assert {row.reason for row in rows_of(tmp_path / "chips", "rejected")} == {"no data: s1 has no pixel in the chip"}
    chips = rsprep.open(tmp_path / "chips")
    assert np.isfinite(chips.s1.to_numpy()).any(axis=(1, 2, 3)).all()


def test_a_build_that_keeps_nothing_opens_empty(planted_source: PlantedSource, tmp_path: Path) -> None:
    nothing = {"layers": ["lulc"], "start": str(DAYS[0]), "end": str(DAYS[0]), "grid": {"chip_size": 64}}
    config = planted_source.config(tmp_path, **nothing, select={"quotas": dict.fromkeys(range(9), 0)})
    counts = rsprep.build(config).data.counts
    assert counts.committed == 0
    assert counts.rejected == counts.planned > 0
    assert rsprep.open(tmp_path / "chips").sizes["chip"] == 0
    assert verify(tmp_path / "chips").ok
