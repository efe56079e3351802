from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from rsprep.errors import RasterError
from rsprep.products.terrain import aspect_components, aspect_from_components, metric_side, square_side, terrain

SEEDS = st.integers(0, 2**32 - 1)
compiled = settings(deadline=None)  # the first call compiles


def plane(slope: float, aspect: float, side: float = 10, size: int = 12, base: float = 2000) -> np.ndarray:
    """A plane that falls by `slope` degrees towards `aspect`."""
    y, x = np.mgrid[:size, :size] * side
    fall = np.tan(np.radians(slope))
    return (base - fall * (x * np.sin(np.radians(aspect)) - y * np.cos(np.radians(aspect)))).astype(np.float32)


def angle(one: np.ndarray, other: np.ndarray | float) -> np.ndarray:
    return np.abs((one - other + 180) % 360 - 180)


@pytest.mark.parametrize("aspect", range(0, 360, 15))
@pytest.mark.parametrize("slope", [0.5, 10, 44.9, 45.1, 80])
def test_planes_are_recovered(slope: float, aspect: float) -> None:
    """Pitfall 29, on the metric grid: the slope of a plane is its slope."""
    _, got_slope, got_aspect, _ = terrain(plane(slope, aspect), resolution=10)
    np.testing.assert_allclose(got_slope, slope, atol=0.01)
    assert angle(got_aspect, aspect).max() < (0.1 if slope > 1 else 0.3)
    assert got_aspect.min() >= 0
    assert got_aspect.max() < 360


@pytest.mark.parametrize(
    ("slope", "aspect", "expected"), [(45, 315, 255), (0, 0, 1 + 254 * np.sqrt(0.5)), (60, 135, 1)]
)
def test_hillshade_of_planes(slope: float, aspect: float, expected: float) -> None:
    """Facing the light it is brightest, facing away it is 1, flat ground has the sine of the light's altitude."""
    shade = terrain(plane(slope, aspect), resolution=10)[3]
    np.testing.assert_allclose(shade, expected, atol=0.05)


def test_light_and_z_factor_are_parameters() -> None:
    shade = terrain(plane(30, 90), resolution=10, azimuth=90, altitude=60)[3]
    np.testing.assert_allclose(shade, 255, atol=0.05)
    steeper = terrain(plane(10, 200), resolution=10, z_factor=2)
    np.testing.assert_allclose(steeper[1], np.degrees(np.arctan(2 * np.tan(np.radians(10)))), atol=0.01)
    np.testing.assert_array_equal(steeper[0], plane(10, 200)[1:-1, 1:-1])


def test_flat_ground_has_no_aspect_but_a_slope_and_a_shade() -> None:
    """Pitfall 32: flat is NaN in aspect only; nodata is NaN and not the 0 that also means black."""
    elevation = np.full((5, 5), 300, np.float32)
    flat = terrain(elevation, resolution=10)
    assert (flat[1] == 0).all()
    assert np.isnan(flat[2]).all()
    assert np.isfinite(flat[3]).all()
    elevation[0, 0] = np.nan
    assert np.isnan(terrain(elevation, resolution=10)[3, 0, 0])
    assert terrain(plane(60, 135), resolution=10)[3].min() >= 1


@pytest.mark.parametrize("hole", [(y, x) for y in (2, 3, 4) for x in (2, 3, 4)])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_pixels_beside_nodata_have_no_slope_aspect_or_hillshade(hole: tuple[int, int], bad: float) -> None:
    """Pitfall 32: any of the eight neighbours, or the pixel itself, whose weight in Horn's gradient is zero."""
    elevation = plane(10, 30, size=7)
    elevation[hole] = bad
    got = terrain(elevation, resolution=10)
    beside = np.zeros((5, 5), np.bool_)
    beside[hole[0] - 2 : hole[0] + 1, hole[1] - 2 : hole[1] + 1] = True
    for band in (1, 2, 3):
        np.testing.assert_array_equal(np.isnan(got[band]), beside)
    only = np.zeros((5, 5), np.bool_)
    only[hole[0] - 1, hole[1] - 1] = True
    np.testing.assert_array_equal(np.isnan(got[0]), only)


def test_chips_cut_with_a_halo_equal_the_whole() -> None:
    """Every bit, whatever the width: no chip edge is lost and none shows."""
    whole = np.random.default_rng(2).normal(0, 9, (42, 75)).astype(np.float32)
    expected = terrain(whole, resolution=10)
    for left, width in ((0, 16), (16, 7), (23, 50)):
        part = terrain(whole[:, left : left + width + 2], resolution=10)
        np.testing.assert_array_equal(part, expected[:, :, left : left + width])


def test_result_is_written_where_asked() -> None:
    out = np.empty((4, 10, 10), np.float32)
    assert terrain(plane(10, 30), resolution=10, out=out) is out
    np.testing.assert_array_equal(out, terrain(plane(10, 30), resolution=10))
    with pytest.raises(ValueError, match="out must be"):
        terrain(plane(10, 30), resolution=10, out=out[:, ::2])
    with pytest.raises(ValueError, match="elevation must be"):
        terrain(plane(10, 30).astype(np.float64), resolution=10)  # type: ignore[arg-type]  # the wrong type is the point


@pytest.mark.parametrize("resolution", [(10.0, 1.0), (10.0, -10.0), (0.0, 0.0), -1.0])
def test_pixels_that_are_not_square_are_refused(resolution: float | tuple[float, float]) -> None:
    """Pitfall 30: cells of 10 × 1 m."""
    with pytest.raises(RasterError, match="not-square"):
        terrain(plane(10, 30), resolution=resolution)


def box(affine: Affine, crs: str = "EPSG:32633") -> GeoBox:
    return GeoBox((4, 4), affine, crs)


def test_metric_grids_only() -> None:
    """Pitfalls 29 and 30: degrees, feet, south-up, turned and oblong grids are refused by name."""
    assert metric_side(box(Affine(10, 0, 5e5, 0, -10, 5e6))) == 10
    assert square_side((30, 30)) == 30
    for grid, name in (
        (box(Affine(1e-4, 0, 15, 0, -1e-4, 48), "EPSG:4326"), "not-metric"),
        (box(Affine(10, 0, 5e5, 0, -10, 5e6), "EPSG:2263"), "not-metric"),
        (box(Affine(10, 0, 5e5, 0, 10, 5e6)), "not-north-up"),
        (box(Affine(10, 1, 5e5, 1, -10, 5e6)), "not-north-up"),
        (box(Affine(10, 0, 5e5, 0, -1, 5e6)), "not-square"),
    ):
        with pytest.raises(RasterError, match=name):
            metric_side(grid)


@compiled
@given(SEEDS)
def test_turning_the_ground_turns_the_aspect(seed: int) -> None:
    """A quarter turn counter-clockwise takes 90° off every aspect and leaves every slope."""
    elevation = np.random.default_rng(seed).normal(0, 5, (9, 9)).astype(np.float32)
    got, turned = terrain(elevation, resolution=10), terrain(np.rot90(elevation).copy(), resolution=10)
    np.testing.assert_allclose(turned[1], np.rot90(got[1]), atol=1e-3)
    assert angle(turned[2], np.rot90(got[2]) - 90).max() < 0.05


@compiled
@given(SEEDS, st.floats(-500, 8000))
def test_raising_the_ground_changes_nothing_but_the_height(seed: int, lift: float) -> None:
    elevation = np.random.default_rng(seed).integers(0, 100, (9, 9)).astype(np.float32)
    got, raised = terrain(elevation, resolution=10), terrain(elevation + np.float32(round(lift)), resolution=10)
    np.testing.assert_array_equal(raised[1:], got[1:])


@compiled
@given(SEEDS)
def test_equals_a_plain_implementation_in_double_precision(seed: int) -> None:
    z = np.random.default_rng(seed).normal(0, 20, (10, 11)).astype(np.float32)
    d = z.astype(np.float64)
    fall_e = ((d[:-2, :-2] + 2 * d[1:-1, :-2] + d[2:, :-2]) - (d[:-2, 2:] + 2 * d[1:-1, 2:] + d[2:, 2:])) / 80
    fall_n = ((d[2:, :-2] + 2 * d[2:, 1:-1] + d[2:, 2:]) - (d[:-2, :-2] + 2 * d[:-2, 1:-1] + d[:-2, 2:])) / 80
    _, slope, aspect, shade = terrain(z, resolution=10, azimuth=200, altitude=30)
    np.testing.assert_allclose(slope, np.degrees(np.arctan(np.hypot(fall_e, fall_n))), atol=1e-4)
    assert angle(aspect, np.degrees(np.arctan2(fall_e, fall_n))).max() < 1e-2
    light = np.cos(np.radians(30)) * (fall_e * np.sin(np.radians(200)) + fall_n * np.cos(np.radians(200)))
    cosine = (np.sin(np.radians(30)) + light) / np.sqrt(1 + fall_e**2 + fall_n**2)
    np.testing.assert_allclose(shade, 1 + 254 * np.maximum(cosine, 0), atol=1e-3)


def test_aspect_is_averaged_through_north() -> None:
    """Pitfall 31: the mean of 1° and 359° is 0°, and flat ground adds no direction."""
    components = aspect_components(np.array([1.0, 359.0, np.nan], np.float32))
    assert angle(aspect_from_components(components.mean(axis=1)), 0.0) < 1e-3
    assert components[:, 2].tolist() == [0, 0]
    opposite = aspect_components(np.array([90.0, 270.0], np.float32)).mean(axis=1)
    assert np.isnan(aspect_from_components(opposite))


@given(st.floats(0, 359.75, width=32))
def test_aspect_components_round_trip(aspect: float) -> None:
    """Pitfall 31."""
    back = aspect_from_components(aspect_components(np.array([aspect], np.float32)))
    assert angle(back, aspect) < 1e-3
    assert 0 <= back < 360
