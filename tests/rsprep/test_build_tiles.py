"""The main job on real co-registered tiles: what comes out must land back on the tiles as published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import xarray as xr
from numpy.typing import NDArray
from rasterio.windows import Window

import rsprep
from tests.support import real_data

PLACES = ("282D_485L_3_3", "38D_378R_2_3", "433D_629L_3_1", "609U_541L_3_0")
TRUTH_BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")
TEN_METRES = ("B02", "B03", "B04", "B08")
TO_DYNAMIC_WORLD = {0: 255, 1: 0, 2: 1, 3: 3, 4: 4, 5: 6, 6: 7, 7: 8, 8: 255, 9: 5}


def build(place: str, snap: str, out: Path) -> xr.Dataset:
    tiles = real_data("multisource-tiles")
    outcome = rsprep.build(
        {
            "aoi": str(tiles / f"region-{place}.geojson"),
            "out": str(out / place),
            "catalog": str(out / "catalog"),
            "source": "terramesh",
            "endpoint": str(tiles / "catalog.json"),
            "grid": {"chip_size": 64, "snap": snap},
        }
    )
    assert outcome.failures == 0
    return rsprep.open(out / place)


class Truth:
    """One published tile; `under` cuts out what lies under a chip of the same lattice."""

    def __init__(self, place: str) -> None:
        folder = real_data("multisource-tiles") / "truth" / place
        self.layers: dict[str, NDArray[Any]] = {}
        for name in ("S2L2A", "LULC", "DEM", "S1RTC"):
            with rasterio.open(folder / f"{name}.tif") as file:
                self.layers[name] = file.read()
                self.transform, self.epsg = file.transform, file.crs.to_epsg()

    def place_of(self, chip: xr.Dataset) -> tuple[float, float]:
        """Column and row of the chip's corner on the tile's own lattice."""
        assert int(chip.epsg) == self.epsg
        return ~self.transform * (float(chip.x_origin), float(chip.y_origin))

    def under(self, name: str, chip: xr.Dataset) -> NDArray[Any]:
        column, row = self.place_of(chip)
        assert max(abs(column - round(column)), abs(row - round(row))) < 1e-3
        window = Window(round(column), round(row), chip.sizes["x"], chip.sizes["y"])
        rows, columns = window.toslices()
        cut = self.layers[name][:, rows, columns]
        assert cut.shape[1:] == (chip.sizes["y"], chip.sizes["x"])
        return cut


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tiles")


@pytest.mark.parametrize("place", PLACES)
def test_snapped_to_the_source_everything_lands_on_the_published_tile(place: str, out: Path) -> None:
    """Co-registration of four providers: equal where the lattice is the same, close where pixels were resampled."""
    chips, truth = build(place, "source", out), Truth(place)
    assert chips.sizes["chip"] >= 4
    assert (chips.terrain.attrs["surface"], chips.terrain.attrs["vertical_datum"]) == ("DSM", "EGM2008"), "Pitfall 33"
    bands = [str(band) for band in chips.s2_band.to_numpy()]
    squared: list[NDArray[Any]] = []
    for at in range(chips.sizes["chip"]):
        chip = chips.isel(chip=at).load()
        optical = truth.under("S2L2A", chip)
        for band in TEN_METRES:
            np.testing.assert_array_equal(chip.s2.to_numpy()[bands.index(band)], optical[TRUTH_BANDS.index(band)])
        labels = np.vectorize(TO_DYNAMIC_WORLD.__getitem__)(truth.under("LULC", chip)[0])
        np.testing.assert_array_equal(chip.lulc.to_numpy(), labels)
        np.testing.assert_allclose(chip.s1.to_numpy(), truth.under("S1RTC", chip), atol=1e-3)
        elevation, slope = chip.terrain.to_numpy()[:2]
        squared.append(((elevation - truth.under("DEM", chip)[0]) ** 2)[slope < 5])
    errors = np.concatenate(squared)
    assert errors.size
    assert float(np.sqrt(errors.mean())) < 0.5


@pytest.mark.parametrize("place", PLACES)
def test_elevation_is_not_shifted(place: str, out: Path) -> None:
    """Pitfall 28: the DEM's half pixel is shifted by nobody twice; a plane fitted to the residuals would show it."""
    chips, truth = build(place, "source", out), Truth(place)
    gradients, residuals = [], []
    for at in range(chips.sizes["chip"]):
        chip = chips.isel(chip=at).load()
        expected = truth.under("DEM", chip)[0].astype(float)
        dy, dx = np.gradient(expected)
        gradients.append(np.stack([dx.ravel(), dy.ravel(), np.ones(dx.size)], axis=1))
        residuals.append((chip.terrain.to_numpy()[0] - expected).ravel())
    shift, *_ = np.linalg.lstsq(np.concatenate(gradients), np.concatenate(residuals), rcond=None)
    assert np.abs(shift[:2]).max() < 0.1


@pytest.mark.parametrize("place", ["38D_378R_2_3", "433D_629L_3_1"])
def test_snapped_to_utm_the_shift_is_the_grid_offset(place: str, out: Path) -> None:
    """Pitfall 35: a sub-pixel offset is resampled, and what is measured in the pixels equals what the grids say."""
    chips, truth = build(place, "utm", out / "utm"), Truth(place)
    bands = [str(band) for band in chips.s2_band.to_numpy()]
    red = truth.layers["S2L2A"][TRUTH_BANDS.index("B04")].astype(float)
    dy, dx = np.gradient(red)
    for at in range(chips.sizes["chip"]):
        chip = chips.isel(chip=at).load()
        column, row = truth.place_of(chip)
        first = (round(row), round(column))
        rows, columns = (slice(start, start + 64) for start in first)
        expected = (column - first[1], row - first[0])
        got = chip.s2.to_numpy()[bands.index("B04")].astype(float)
        design = np.stack([dx[rows, columns].ravel(), dy[rows, columns].ravel(), np.ones(64 * 64)], axis=1)
        moved, *_ = np.linalg.lstsq(design, (got - red[rows, columns]).ravel(), rcond=None)
        assert moved[:2] == pytest.approx(expected, abs=0.1)
