from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsprep.products.composites import NO_DATE, BestDate, median, rank_dates
from rsprep.products.sentinel2 import NODATA
from rsprep.products.sentinel2 import clear_mask as clear_of_scl
from tests.support import real_data

SEEDS = st.integers(0, 2**32 - 1)
compiled = settings(deadline=None)  # the first call compiles


def planted(seed: int, dates: int = 5, bands: int = 2, side: int = 8) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    values = rng.integers(-300, 300, (dates, bands, side, side)).astype(np.int16)
    values[rng.random(values.shape) < 0.05] = NODATA
    return values, rng.random((dates, side, side)) < rng.random()


def expected_median(values: np.ndarray, clear: np.ndarray) -> np.ndarray:
    """By numpy: masked, in float64, numpy's own rounding to even."""
    used = clear & (values != NODATA).all(axis=1)
    masked = np.ma.masked_array(values, np.broadcast_to(~used[:, None], values.shape))
    return np.rint(np.ma.median(masked, axis=0)).filled(NODATA).astype(np.int16)


@compiled
@given(SEEDS, st.integers(1, 9))
def test_median_equals_numpy(seed: int, dates: int) -> None:
    values, clear = planted(seed, dates)
    composite, count = median(values, clear)
    np.testing.assert_array_equal(composite, expected_median(values, clear))
    np.testing.assert_array_equal(count, (clear & (values != NODATA).all(axis=1)).sum(axis=0))


@compiled
@given(SEEDS)
def test_median_does_not_depend_on_the_order_of_dates(seed: int) -> None:
    values, clear = planted(seed)
    order = np.random.default_rng(seed).permutation(len(values))
    for one, other in zip(median(values, clear), median(values[order], clear[order]), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("pair", "expected"), [((1, 2), 2), ((2, 3), 2), ((-2, -1), -2), ((-3, -2), -2), ((32767, 32767), 32767)]
)
def test_median_rounds_halves_to_even(pair: tuple[int, int], expected: int) -> None:
    values = np.array(pair, np.int16).reshape(2, 1, 1, 1)
    assert median(values, np.ones((2, 1, 1), np.bool_))[0].item() == expected


def test_nodata_is_not_an_observation_even_if_the_mask_says_clear() -> None:
    """Pitfall 10: −32768 in one band takes the whole pixel of that date out."""
    values = np.array([[[[100]], [[NODATA]]], [[[300]], [[400]]]], np.int16)
    composite, count = median(values, np.ones((2, 1, 1), np.bool_))
    assert composite.ravel().tolist() == [300, 400]
    assert count.item() == 1
    best = BestDate(2, rank_dates(np.ones((2, 1, 1), np.bool_), 1), 1)
    assert [best.add(values[date], np.ones((1, 1), np.bool_), date) for date in (0, 1)] == [0, 1]
    assert best.values.ravel().tolist() == [300, 400]


def test_ranks_are_by_chip_and_stable() -> None:
    clear = np.zeros((3, 2, 4), np.bool_)
    clear[1, :, :2] = True
    clear[0, 0, 2:] = clear[2, 0, 2:] = True
    assert rank_dates(clear, 2)[:, 0, :].tolist() == [[1, 0], [0, 2], [2, 1]]
    with pytest.raises(ValueError, match="whole chips"):
        rank_dates(clear, 3)


def best_by_definition(values: np.ndarray, clear: np.ndarray, chip_px: int) -> tuple[np.ndarray, np.ndarray]:
    dates, bands, rows, columns = values.shape
    used = clear & (values != NODATA).all(axis=1)
    out = np.full((bands, rows, columns), NODATA, np.int16)
    index = np.full((rows, columns), NO_DATE, np.int16)
    for y in range(rows):
        for x in range(columns):
            top, left = y // chip_px * chip_px, x // chip_px * chip_px
            chip = clear[:, top : top + chip_px, left : left + chip_px]
            for date in sorted(range(dates), key=lambda d: -chip[d].sum()):
                if used[date, y, x]:
                    out[:, y, x], index[y, x] = values[date, :, y, x], date
                    break
    return out, index


@compiled
@given(SEEDS)
def test_best_date_equals_its_definition_in_any_order(seed: int) -> None:
    values, clear = planted(seed)
    best = BestDate(2, rank_dates(clear, 4), 4)
    for date in np.random.default_rng(seed).permutation(len(values)):
        if best.needs(date):
            best.add(values[date], clear[date], int(date))
    expected, index = best_by_definition(values, clear, 4)
    np.testing.assert_array_equal(best.values, expected)
    np.testing.assert_array_equal(best.date_index, index)
    np.testing.assert_array_equal(best.clear, index != NO_DATE)
    assert best.done


def test_best_date_stops_when_no_date_can_change_a_pixel() -> None:
    clear = np.ones((3, 2, 2), np.bool_)
    clear[0, 0, 0] = False
    best = BestDate(1, rank_dates(clear, 2), 2)
    assert not best.done
    assert best.add(np.full((1, 2, 2), 7, np.int16), clear[1], 1) == 4
    assert best.done
    assert not best.needs(0)


def test_best_date_tells_which_pixels_a_date_would_improve() -> None:
    clear = np.array([[[True, True, False, True]], [[True, False, True, False]]])
    best = BestDate(1, np.array([[[0, 1]], [[1, 0]]], np.int16), (1, 2))
    assert best.improved_by(1, clear[1]).tolist() == clear[1].tolist()
    best.add(np.ones((1, 1, 4), np.int16), clear[0], 0)
    assert best.improved_by(1, clear[1]).tolist() == [[False, False, True, False]]


def test_best_date_refuses_a_date_twice() -> None:
    best = BestDate(1, rank_dates(np.ones((1, 1, 1), np.bool_), 1), 1)
    best.add(np.ones((1, 1, 1), np.int16), np.ones((1, 1), np.bool_), 0)
    with pytest.raises(ValueError, match="added before"):
        best.add(np.ones((1, 1, 1), np.int16), np.ones((1, 1), np.bool_), 0)


def test_real_time_series_has_no_cloudy_observation() -> None:
    """24 real dates: where the composite has a value it is the median of what SCL calls clear, pixel by pixel."""
    import rasterio  # only this test opens files

    folder = real_data("s2-timeseries-33uwp") / "sentinel-2-l2a"
    values, clear = [], []
    for item in sorted(folder.iterdir())[:24]:
        if not item.is_dir():
            continue
        with rasterio.open(item / "B04.tif") as band, rasterio.open(item / "SCL.tif") as classes:
            # 200 × 200 pixels of 10 m in the middle; the SCL begins 10 m further north.
            dn = band.read(1)[200:400, 200:400]
            row = round((classes.transform.f - band.transform.f + 2000) / 20 * 2)
            column = round((band.transform.c - classes.transform.c + 2000) / 20 * 2)
            scl = classes.read(1).repeat(2, axis=0).repeat(2, axis=1)[row : row + 200, column : column + 200]
        values.append(np.where(dn == 0, NODATA, dn).astype(np.int16)[None])
        clear.append(clear_of_scl(scl))
    stack, mask = np.stack(values), np.stack(clear)
    composite, count = median(stack, mask)
    assert len(stack) == 24
    assert 0 < count.mean() < 24
    np.testing.assert_array_equal(composite, expected_median(stack, mask))
    np.testing.assert_array_equal(count > 0, (mask & (stack[:, 0] != NODATA)).any(axis=0))
