from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from rsprep.reading.control import ControlGrid
from rsprep.reading.validity import find_invalid
from rsprep.reading.warp import Resampling, _through_control, relate, suited, warp
from tests.rsprep.reading.rasters import beside, centres, landscape, utm

SOURCE = utm(700_000, 5_400_000, (200, 240))
KERNELS: tuple[Resampling, ...] = ("nearest", "bilinear", "cubic", "average")


def targets() -> dict[str, GeoBox]:
    return {
        "aligned": utm(700_500, 5_399_600, (90, 110)),
        "parallel": utm(700_503.3, 5_399_601.7, (90, 110)),
        "other zone": beside(SOURCE, 32633, (90, 110)),
    }


def test_aligned_lattices_are_pasted_bit_for_bit() -> None:
    values = landscape((200, 240))
    result = warp(values, SOURCE, utm(700_500 + 4e-3, 5_399_600, (90, 110)), resampling="bilinear", nodata=0)
    assert result.method == "paste"
    assert result.shift == pytest.approx((4e-4, 0), abs=1e-6)
    np.testing.assert_array_equal(result.values, values[40:130, 50:160])
    assert result.valid.all()


def test_a_paste_that_sticks_out_is_invalid_there() -> None:
    values = landscape((200, 240))
    result = warp(values, SOURCE, utm(699_900, 5_400_050, (300, 300)), resampling="nearest", nodata=0)
    expected = np.zeros((300, 300), np.uint16)
    expected[5:205, 10:250] = values
    np.testing.assert_array_equal(result.values, expected)
    np.testing.assert_array_equal(result.valid, expected > 0)


def test_a_shift_of_less_than_half_a_pixel_is_measured_not_hidden() -> None:
    """Pitfall 35: at 0.4 px nothing is pasted; nearest says how far it moved, bilinear does not move."""
    ramp = np.tile(np.arange(240, dtype=np.float32) * 100, (200, 1))
    target = utm(700_500 + 4.0, 5_399_600, (90, 110))
    moved = warp(ramp, SOURCE, target, resampling="nearest", nodata=None)
    kept = warp(ramp, SOURCE, target, resampling="bilinear", nodata=None)
    assert moved.method == kept.method == "parallel"
    assert moved.shift == pytest.approx((0.4, 0.0))
    assert kept.shift == (0, 0)
    truth = (np.arange(110) + 50.4) * 100
    np.testing.assert_allclose(kept.values[0], truth, atol=0.01)
    np.testing.assert_allclose(truth - moved.values[0], 100 * moved.shift[0], atol=0.01)


@pytest.mark.parametrize("resolution", [10.0, 20.0, 60.0])
@pytest.mark.parametrize("epsg", [32632, 32633])
def test_a_one_pixel_delta_lands_on_its_pixel(resolution: float, epsg: int) -> None:
    """Pitfall 34: its centre of mass stays within 0.005 px of where it was."""
    source = utm(700_000, 5_400_000, (40, 40), resolution)
    values = np.zeros((40, 40), np.float32)
    values[17, 23] = 1000
    target = beside(source, epsg, (160, 160), resolution / 4)
    result = warp(values, source, target, resampling="bilinear", nodata=None)
    x, y = centres(target, 32632)
    weight = np.nan_to_num(result.values).astype(np.float64)
    weight /= weight.sum()
    place = (float((x * weight).sum()), float((y * weight).sum()))
    truth = source.affine * (23.5, 17.5)
    assert np.hypot(place[0] - truth[0], place[1] - truth[1]) < 0.005 * resolution
    nearest = warp(values, source, target, resampling="nearest", nodata=None).values > 0
    inside = (np.abs(x - truth[0]) < resolution / 2) & (np.abs(y - truth[1]) < resolution / 2)
    # A centre within a hundredth of a pixel of an edge may fall to either side.
    assert (nearest != inside).sum() <= 1


@pytest.mark.parametrize("where", ["aligned", "parallel", "other zone"])
@pytest.mark.parametrize("resampling", KERNELS)
@pytest.mark.parametrize(("dtype", "nodata"), [("uint16", 0.0), ("float32", -9999.0), ("float32", float("nan"))])
def test_nodata_never_bleeds(where: str, resampling: Resampling, dtype: str, nodata: float) -> None:
    """Pitfall 36: a constant stays that constant, and the footprint is that of nearest."""
    rng = np.random.default_rng(3)
    values = np.full((200, 240), 1500, dtype)
    values[rng.random((200, 240)) < 0.02] = nodata
    values[60:110, 70:120] = nodata
    target = targets()[where]
    result = warp(values, SOURCE, target, resampling=resampling, nodata=nodata)
    nearest = warp(values, SOURCE, target, resampling="nearest", nodata=nodata)
    assert 0.3 < result.valid.mean() < 0.99
    np.testing.assert_array_equal(result.valid, nearest.valid)
    np.testing.assert_allclose(result.values[result.valid], 1500, rtol=1e-6)
    left_out = result.values[~result.valid]
    assert np.isnan(left_out).all() if np.isnan(nodata) else (left_out == nodata).all()


def test_cubic_beside_nodata_stays_within_its_neighbours() -> None:
    """Pitfall 36: the lobes of the cubic never reach over a missing pixel."""
    values = np.where(np.arange(240) < 120, 100, 5000).astype(np.uint16) * np.ones((200, 1), np.uint16)
    values[:, 121] = 0
    target = utm(700_003, 5_399_997, (190, 230))
    result = warp(values, SOURCE, target, resampling="cubic", nodata=0)
    beside_gap = result.values[:, 119:123][result.valid[:, 119:123]]
    assert beside_gap.min() >= 100
    assert beside_gap.max() <= 5000


def test_aligned_integer_ratios_average_to_the_exact_block_mean() -> None:
    values = landscape((200, 240), dtype="float32")
    result = warp(values, SOURCE, utm(700_000, 5_400_000, (50, 60), 40), resampling="average", nodata=None)
    np.testing.assert_allclose(result.values, values.reshape(50, 4, 60, 4).mean((1, 3)), rtol=1e-6)


def test_averages_weigh_by_shared_area() -> None:
    values = landscape((200, 240), dtype="float32")
    result = warp(values, SOURCE, utm(700_000, 5_400_000, (80, 96), 25), resampling="average", nodata=None)
    weights = np.array([1, 1, 0.5])
    first = (values[:3, :3] * weights * weights[:, None]).sum() / 6.25
    assert result.values[0, 0] == pytest.approx(first, rel=1e-6)


def test_interpolation_gives_way_to_the_average_when_the_target_is_much_coarser() -> None:
    """Pitfall 13: continuous bands are averaged on purpose; classes never are."""
    for size, expected in ((10, "bilinear"), (14, "bilinear"), (15, "average"), (60, "average")):
        control = ControlGrid.build(SOURCE.crs, utm(700_000, 5_400_000, (40, 40), size))
        assert suited("bilinear", SOURCE, control) == expected
        assert suited("nearest", SOURCE, control) == "nearest"


@pytest.mark.parametrize(("dtype", "low", "high", "expected"), [("uint16", 2, 3, 3), ("int16", -2, -3, -3)])
def test_halves_are_rounded_away_from_zero(dtype: str, low: int, high: int, expected: int) -> None:
    values = np.tile(np.array([low, high] * 120, dtype), (200, 1))
    result = warp(values, SOURCE, utm(700_005, 5_400_000, (200, 200)), resampling="bilinear", nodata=None)
    assert (result.values == expected).all()


def test_integers_are_clipped_to_their_range() -> None:
    values = np.where(np.arange(240) % 8 < 4, 0, 65535).astype(np.uint16) * np.ones((200, 1), np.uint16)
    result = warp(values, SOURCE, utm(700_023, 5_399_977, (150, 200)), resampling="cubic", nodata=None)
    steps = np.abs(np.diff(result.values.astype(int), axis=1))
    assert {0, 65535} <= set(result.values.ravel().tolist())
    assert steps.max() < 60000


@settings(max_examples=30, deadline=None)
@given(
    scale=st.sampled_from([0.5, 1.0, 1 / 3, 1.3]), east=st.floats(-30, 30), south=st.floats(-30, 30),
    flipped=st.booleans(), missing=st.booleans(), resampling=st.sampled_from(["nearest", "bilinear"]),
)  # fmt: skip
def test_rows_and_columns_give_what_the_control_grid_gives(
    scale: float, east: float, south: float, flipped: bool, missing: bool, resampling: Any
) -> None:
    source = utm(700_000, 5_400_000, (40, 50))
    values = landscape((40, 50), dtype="float32")
    if missing:
        values[10:20, 15:33] = np.nan
    if flipped:
        source = GeoBox((40, 50), source.affine * Affine(1, 0, 0, 0, -1, 40), source.crs)
        values = np.ascontiguousarray(values[::-1])
    target = utm(700_000 + 10 * east, 5_400_000 - 10 * south, (45, 35), 10 * scale)
    relation = relate(source, target)
    assert relation is not None
    result = warp(values, source, target, resampling=resampling, nodata=None)
    out, valid = np.full((45, 35), np.nan, np.float32), np.ones((45, 35), bool)
    _through_control(
        values, find_invalid(values, None), source, ControlGrid.build(source.crs, target), resampling, out, valid
    )
    # Centres on an edge between two pixels may fall to either side, depending on the last digit.
    x, y = ~source.affine * centres(target)
    edge = (np.abs(x - np.round(x)) < 1e-5) | (np.abs(y - np.round(y)) < 1e-5)
    np.testing.assert_array_equal(result.valid[~edge], valid[~edge])
    both = result.valid & valid & ~edge
    np.testing.assert_allclose(result.values[both], out[both], rtol=2e-5 if relation.paste is None else 1e-3)


def test_bands_that_share_a_mask_end_with_the_pixels_valid_in_all() -> None:
    values = np.stack([landscape((200, 240), 1), landscape((200, 240), 2)])
    values[0, :100], values[1, :, :100] = 0, 0
    result = warp(values, SOURCE, SOURCE, resampling="bilinear", nodata=0)
    assert result.valid[100:, 100:].all()
    assert result.valid.sum() == 100 * 140
    assert (result.values[:, ~result.valid] == 0).all()


def test_a_mask_counts_like_nodata() -> None:
    values, valid = landscape((200, 240)), np.ones((200, 240), bool)
    valid[50:80, 60:90] = False
    values[50:80, 60:90] = 60000
    result = warp(values, SOURCE, targets()["parallel"], resampling="bilinear", nodata=None, valid=valid)
    assert not result.valid.all()
    assert result.values.max() < 20001


def test_classes_are_only_ever_copied() -> None:
    """Pitfall 12: a kernel that would mix classes is refused."""
    with pytest.raises(ValueError, match="nearest"):
        warp(np.ones((200, 240), np.uint8), SOURCE, SOURCE, resampling="bilinear", nodata=255, categorical=True)


@pytest.mark.parametrize(
    ("values", "options", "said"),
    [
        (np.ones((200, 240), np.int32), {"resampling": "bilinear"}, "int32"),
        (np.ones((200, 240), np.uint8), {"nodata": -1}, "nodata -1"),
        (np.ones((200, 240), np.uint8), {"nodata": 0.5}, "nodata 0.5"),
        (np.ones((240, 200), np.uint8), {}, "shape"),
        (np.ones((200, 240), np.uint8), {"resampling": "lanczos"}, "lanczos"),
        (np.ones((200, 240), np.uint8), {"valid": np.ones((2, 2), bool)}, "mask"),
        (np.ones((200, 240), np.uint8), {"out": np.ones((200, 240), np.uint16)}, "output"),
    ],
)
def test_what_does_not_fit_is_refused(values: np.ndarray, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        warp(values, SOURCE, SOURCE, **{"resampling": "nearest", "nodata": None, **options})
