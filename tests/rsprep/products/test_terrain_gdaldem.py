"""Terrain against an independent implementation: gdaldem, on planted and on real elevations."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from rsprep.products.terrain import terrain
from tests.support import real_data

NODATA = -9999.0
pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")  # the real chips lie nowhere


@pytest.fixture(scope="module")
def gdaldem() -> str:
    found = shutil.which("gdaldem")
    if found is None:
        pytest.skip("gdaldem is not installed (Debian package gdal-bin)")
    return found


def landscape(seed: int, size: int = 96) -> np.ndarray:
    """Smooth noise with the spectrum of relief, with holes, a flat and a cliff; every DEM with another roughness."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
    frequency[0, 0] = 1
    spectrum = np.fft.rfft2(rng.normal(size=(size, size))) * frequency ** -(1.4 + 0.1 * (seed % 5))
    relief = np.fft.irfft2(spectrum, (size, size))
    relief = relief / relief.std() * (20 + 60 * seed) + 100 * seed
    if seed % 2:
        relief = np.round(relief)
    relief[20:40, 50:70] = relief[20, 50]
    relief[60:, 60:] += 300
    relief[rng.random(relief.shape) < 0.003] = NODATA
    relief[:9, :17] = NODATA
    return relief.astype(np.float32)


def oracle(gdaldem: str, folder: Path, elevation: np.ndarray, side: float, *options: str) -> dict[str, np.ndarray]:
    """Results of gdaldem without its outermost pixels, which it leaves empty; nodata NaN."""
    source = folder / "dem.tif"
    height, width = elevation.shape
    with rasterio.open(
        source, "w", driver="GTiff", height=height, width=width, count=1, dtype="float32", nodata=NODATA,
        crs="EPSG:32633", transform=Affine(side, 0, 5e5, 0, -side, 5e6),
    ) as file:  # fmt: skip
        file.write(elevation, 1)
    results = {}
    for mode in ("slope", "aspect", "hillshade"):
        target = folder / f"{mode}.tif"
        extra = options if mode == "hillshade" else ()
        subprocess.run([gdaldem, mode, source, target, "-q", *extra], check=True, timeout=60)
        with rasterio.open(target) as file:
            raw = file.read(1)[1:-1, 1:-1].astype(np.float64)
        results[mode] = np.where(raw == (0 if mode == "hillshade" else NODATA), np.nan, raw)
    return results


def assert_equal(got: np.ndarray, expected: dict[str, np.ndarray]) -> None:
    _, slope, aspect, shade = got.astype(np.float64)
    # Same edges, same nodata.
    np.testing.assert_array_equal(np.isnan(slope), np.isnan(expected["slope"]))
    np.testing.assert_array_equal(np.isnan(shade), np.isnan(expected["hillshade"]))
    steep = slope > 1
    assert not np.isnan(aspect[steep]).any()
    assert not np.isnan(expected["aspect"][steep]).any()
    assert np.nanmax(np.abs(slope - expected["slope"])) <= 0.01
    assert np.abs((aspect - expected["aspect"] + 180) % 360 - 180)[steep].max(initial=0) <= 0.1
    assert np.nanmax(np.abs(shade - expected["hillshade"])) <= 1


def known(elevation: np.ndarray) -> np.ndarray:
    return np.where(elevation == NODATA, np.nan, elevation).astype(np.float32)


def side_by_side(elevations: list[np.ndarray]) -> np.ndarray:
    """One raster of all, a column of nodata between them: starting gdaldem takes longer than its work."""
    gap = np.full((elevations[0].shape[0], 1), NODATA, np.float32)
    return np.hstack([part for elevation in elevations for part in (gap, elevation)])


def test_equals_gdaldem_on_planted_elevations(gdaldem: str, tmp_path: Path) -> None:
    elevation = side_by_side([landscape(seed) for seed in range(10)])
    got = terrain(known(elevation), resolution=10)
    assert np.isfinite(got[1]).mean() > 0.8
    assert_equal(got, oracle(gdaldem, tmp_path, elevation, 10))


def test_equals_gdaldem_with_another_light_and_z_factor(gdaldem: str, tmp_path: Path) -> None:
    elevation = landscape(3)
    got = terrain(known(elevation), resolution=30, azimuth=100, altitude=20, z_factor=2.5)
    expected = oracle(gdaldem, tmp_path, elevation, 30, "-az", "100", "-alt", "20", "-z", "2.5")
    assert np.nanmax(np.abs(got[3] - expected["hillshade"])) <= 1


def test_equals_gdaldem_on_real_elevations(gdaldem: str, tmp_path: Path) -> None:
    """Ten real chips of whole metres: many flats, where gdaldem says −9999 and we say NaN."""
    chips = sorted(real_data("hls-dem-worldcover").glob("*.tif"))[::20][:10]
    assert len(chips) == 10
    elevations = []
    for chip in chips:
        with rasterio.open(chip) as file:
            elevations.append(file.read(5).astype(np.float32))
    elevation = side_by_side(elevations)
    got = terrain(known(elevation), resolution=30)
    expected = oracle(gdaldem, tmp_path, elevation, 30)
    assert_equal(got, expected)
    # Whole metres leave no rounding: flat here is flat there.
    np.testing.assert_array_equal(np.isnan(got[2]), np.isnan(expected["aspect"]))
