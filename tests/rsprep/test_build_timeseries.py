"""Composites over a real Sentinel-2 time series, against a plain numpy account of the same files."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import xarray as xr
from numpy.typing import NDArray

import rsprep
from tests.support import real_data

NOT_CLEAR = (0, 1, 3, 8, 9, 10)
X, Y, WIDTH, HEIGHT = 528780, 5375550, 608, 560
CHIP = 64


@cache
def series() -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """(dates, bands, y, x) digital numbers and (dates, y, x) clear; the SCL starts 10 m further north."""
    numbers, clear = [], []
    for folder in sorted((real_data("s2-timeseries-33uwp") / "sentinel-2-l2a").glob("S2*")):
        bands = []
        for name in ("B04", "B08"):
            with rasterio.open(folder / f"{name}.tif") as file:
                bands.append(file.read(1))
        with rasterio.open(folder / "SCL.tif") as file:
            classes = file.read(1)
        at = np.ix_((np.arange(HEIGHT) * 10 + 15) // 20, (np.arange(WIDTH) * 10 + 5) // 20)
        numbers.append(np.stack(bands))
        clear.append(~np.isin(classes[at], NOT_CLEAR) & (bands[0] != 0) & (bands[1] != 0))
    return np.stack(numbers), np.stack(clear)


def build(composite: str, out: Path) -> xr.Dataset:
    data = real_data("s2-timeseries-33uwp")
    rsprep.build(
        {
            "aoi": str(data / "roi.geojson"),
            "out": str(out),
            "catalog": str(out / "catalog"),
            "source": "planetary-computer",
            "endpoint": str(data / "catalog.json"),
            "start": "2018-04-01",
            "end": "2018-09-30",
            "layers": ["s2"],
            "sentinel2": {"bands": ["B04", "B08"], "composite": composite},
            "grid": {"chip_size": CHIP, "partial": "keep"},
        }
    )
    return rsprep.open(out)


def under(chip: xr.Dataset) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where chip and scene share ground: rows and columns in the scene, and in the chip."""
    left, top = round((float(chip.x_origin) - X) / 10), round((Y - float(chip.y_origin)) / 10)
    rows, columns = slice(max(0, top), min(HEIGHT, top + CHIP)), slice(max(0, left), min(WIDTH, left + CHIP))
    inner = slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)
    return (rows, columns), inner


@pytest.mark.parametrize("composite", ["median", "best"])
def test_composites_hold_clear_observations_only(composite: str, tmp_path: Path) -> None:
    """Pitfalls 12 and 15: by pixel, no cloud, and as many valid pixels as the classification and nodata imply."""
    chips = build(composite, tmp_path)
    numbers, clear = series()
    seen = clear.any(axis=0)
    assert chips.sizes["chip"] > 50
    for at in range(chips.sizes["chip"]):
        chip = chips.isel(chip=at).load()
        scene, inner = under(chip)
        expected = np.zeros((CHIP, CHIP), bool)
        expected[inner] = seen[scene]
        np.testing.assert_array_equal(chip.s2_valid.to_numpy() == 1, expected)
        assert float(chip.valid_fraction) == pytest.approx(expected.mean(), abs=1e-6)
        assert (chip.s2.to_numpy()[:, ~expected] == -32768).all()
        got, stack, usable = chip.s2.to_numpy()[:, inner[0], inner[1]], numbers[:, :, *scene], clear[:, *scene]
        here = expected[inner]
        if composite == "median":
            masked = np.ma.masked_array(stack.astype(float), mask=np.broadcast_to(~usable[:, None], stack.shape))
            np.testing.assert_array_equal(got[:, here], np.rint(np.ma.median(masked, axis=0).data)[:, here])
        else:
            from_a_clear_date = ((stack == got).all(axis=1) & usable).any(axis=0)
            assert from_a_clear_date[here].all()
