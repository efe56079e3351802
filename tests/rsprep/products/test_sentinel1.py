from __future__ import annotations

import datetime as dt
from typing import Any, Literal

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from rsprep.errors import CatalogError, ItemError
from rsprep.granule import Granule
from rsprep.products.sentinel1 import (
    PowerMean,
    decibel,
    describe,
    erode_border,
    orbit_of,
    pick_orbit,
    to_power,
)

AREA = shapely.box(15, 47, 16, 48)


def granule(name: str, footprint: shapely.Geometry = AREA, **properties: Any) -> Granule:
    orbit = properties.pop("orbit", None)
    return Granule(
        id=name,
        source="made",
        product="sentinel1",
        collection="sentinel-1-rtc",
        datetime=dt.datetime(2021, 6, 1, tzinfo=dt.UTC),
        footprint=footprint,
        assets={},
        properties=properties | ({"sat:orbit_state": orbit} if orbit else {}),
    )


def test_zero_border_becomes_nodata_and_never_minus_infinity() -> None:
    """Pitfall 16: a planted ring of zeros, speckle dark and bright inside."""
    rng = np.random.default_rng(5)
    power = np.zeros((40, 40), np.float32)
    power[8:32, 8:32] = rng.gamma(4, 0.02, (24, 24))
    power[8, 8:32] *= 1e-4  # the seam is dark before it is zero
    measured, valid = to_power(power, "power", nodata=0)
    eroded = erode_border(valid, 3)
    db = decibel(measured, eroded)
    assert not np.isinf(db).any()
    expected = np.zeros((40, 40), np.bool_)
    expected[11:29, 11:29] = True
    np.testing.assert_array_equal(np.isfinite(db), expected)
    assert np.nanmin(db) > -30


def test_single_dropouts_cost_their_neighbours_nothing() -> None:
    """Pitfall 16."""
    valid = np.ones((20, 20), np.bool_)
    valid[10, 10] = valid[5, 5:8] = False
    np.testing.assert_array_equal(erode_border(valid, 3), valid)


def test_border_that_runs_on_beyond_the_window_is_eroded() -> None:
    """Pitfall 16: of a border only a corner of three pixels is in this window."""
    valid = np.ones((20, 20), np.bool_)
    valid[0, :2] = valid[1, 0] = False
    expected = np.ones((20, 20), np.bool_)
    expected[:3, :4] = expected[:4, :3] = False
    np.testing.assert_array_equal(erode_border(valid, 2), expected)


def test_edge_of_the_raster_is_no_border() -> None:
    assert erode_border(np.ones((5, 5), np.bool_), 3).all()


@settings(deadline=None)  # the first call compiles
@given(st.integers(0, 2**32 - 1), st.integers(0, 4), st.integers(0, 12))
def test_erosion_equals_an_independent_implementation(seed: int, pixels: int, dead_px: int) -> None:
    valid = np.random.default_rng(seed).random((14, 17)) > 0.25
    regions, count = ndimage.label(~valid, np.ones((3, 3)))
    dead = np.zeros_like(valid)
    for number in range(1, count + 1):
        region = regions == number
        inner = region[1:-1, 1:-1]
        if region.sum() > dead_px or inner.sum() < region.sum():
            dead |= region
    if pixels:
        dead = ndimage.binary_dilation(dead, np.ones((3, 3)), iterations=pixels)
    np.testing.assert_array_equal(erode_border(valid, pixels, dead_px=dead_px), valid & ~dead)


def test_mean_is_taken_in_power() -> None:
    """Pitfall 17: the mean of 0 and −10 dB is −2.6 dB."""
    power, valid = to_power(np.array([0, -10], np.float32).reshape(2, 1, 1, 1), "db")
    running = PowerMean(1, (1, 1))
    for date in range(2):
        running.add(power[date], valid[date, 0])
    assert decibel(running.mean, running.count > 0).item() == pytest.approx(-2.596, abs=1e-3)
    assert running.count.item() == 2


@pytest.mark.parametrize(
    ("units", "value", "expected"), [("power", 0.1, -10), ("amplitude", 0.1, -20), ("db", -13, -13)]
)
def test_units(units: Literal["power", "db", "amplitude"], value: float, expected: float) -> None:
    """Pitfall 17."""
    assert decibel(*to_power(np.array([[value]], np.float32), units)).item() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("units", ["power", "amplitude"])
@pytest.mark.parametrize("bad", [0, -1e-3, np.nan, np.inf, -32768])
def test_what_is_no_power_is_nodata(units: Literal["power", "amplitude"], bad: float) -> None:
    """Pitfall 16."""
    power, valid = to_power(np.array([[bad, 0.5]], np.float32), units, nodata=-32768)
    assert valid.tolist() == [[False, True]]
    assert np.isnan(decibel(power, np.ones((1, 2), np.bool_))).tolist() == [[True, False]]


def test_decibels_beyond_float32_are_nodata() -> None:
    """Pitfall 16: nodata that was not declared (−9999 dB is no power, 9999 dB is infinite)."""
    assert to_power(np.array([-9999.0, 9999.0, -15.0]), "db")[1].tolist() == [False, False, True]


def test_composite_skips_what_is_not_valid() -> None:
    running = PowerMean(1, (1, 2))
    for power in (2.0, 4.0):
        running.add(np.array([[[power, 9.0]]], np.float32), np.array([[True, False]]))
    assert running.mean.tolist() == [[[3.0, 0.0]]]
    assert running.count.tolist() == [[2, 0]]
    assert np.isnan(decibel(running.mean, running.count > 0)[0, 0, 1])
    with pytest.raises(ValueError, match="expected"):
        PowerMean(2, (1, 2)).add(np.ones((1, 1, 2), np.float32), np.ones((1, 2), np.bool_))


def test_sigma0_among_gamma0_is_refused() -> None:
    """Pitfall 18."""
    granules = [granule("a", **{"sar:calibration": "Gamma_0"}), granule("b", **{"sar:calibration": "sigma nought"})]
    assert describe(granules[:1], kind="rtc", calibration="gamma0").calibration == "gamma0"
    with pytest.raises(ItemError, match="calibration-mixed"):
        describe(granules, kind="rtc", calibration="gamma0")


def test_ground_range_is_not_taken_as_terrain_corrected() -> None:
    """Pitfall 18."""
    with pytest.raises(ItemError, match="not-terrain-corrected"):
        describe([granule("a")], kind="grd", calibration="uncalibrated")
    assert describe([granule("a")], kind="gtc", calibration="sigma0").kind == "gtc"


def test_orbit_that_covers_more_is_taken_alone_and_recorded() -> None:
    """Pitfall 19."""
    granules = [
        granule("a1", shapely.box(15, 47, 15.6, 48), orbit="ascending", platform="sentinel-1a"),
        granule("a2", shapely.box(15.6, 47, 16, 48), orbit="ASCENDING", platform="sentinel-1b"),
        granule("d1", shapely.box(15, 47, 15.9, 48), orbit="descending"),
        granule("d2", shapely.box(15, 47, 15.9, 48), orbit="descending"),
        granule("d3", shapely.box(15, 47, 15.9, 60), orbit="descending"),
    ]
    direction, chosen = pick_orbit(granules, AREA)
    assert (direction, [one.id for one in chosen]) == ("ascending", ["a1", "a2"])
    assert describe(chosen, kind="rtc", calibration="gamma0").platforms == ("sentinel-1a", "sentinel-1b")
    assert len(pick_orbit(granules, AREA, orbit="descending")[1]) == 3
    with pytest.raises(ItemError, match="orbit-mixed"):
        describe(granules, kind="rtc", calibration="gamma0")


def test_equal_cover_goes_to_more_granules_then_ascending() -> None:
    """Pitfall 19."""
    up, down = granule("a", orbit="ascending"), granule("d", orbit="descending")
    assert pick_orbit([down, up], AREA)[0] == "ascending"
    assert pick_orbit([down, up, down], AREA)[0] == "descending"


def test_source_that_does_not_tell_the_orbit() -> None:
    """Pitfall 19: all silent is taken as it is; some silent is refused."""
    silent = granule("a")
    assert pick_orbit([silent], AREA) == ("unknown", [silent])
    assert pick_orbit([], AREA) == ("unknown", [])
    with pytest.raises(ItemError, match="orbit-mixed"):
        pick_orbit([silent, granule("b", orbit="ascending")], AREA)
    with pytest.raises(CatalogError, match="orbit-absent"):
        pick_orbit([granule("b", orbit="ascending")], AREA, orbit="descending")
    with pytest.raises(ItemError, match="orbit-state"):
        orbit_of(granule("b", orbit="sideways"))
