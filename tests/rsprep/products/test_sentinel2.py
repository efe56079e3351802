from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsprep.errors import ItemError, RasterError
from rsprep.products.sentinel2 import (
    NODATA,
    SCL_CLASSES,
    clear_mask,
    dn_offset,
    observed,
    parse_baseline,
    reflectance,
)

BASELINE = "s2:processing_baseline"
APPLIED = "earthsearch:boa_offset_applied"


def provider_dn(true: np.ndarray, baseline: str, applied: bool) -> np.ndarray:
    """Digital numbers of a given reflectance × 10⁴ as a provider would publish them."""
    shifted = 1000 if baseline >= "04.00" and not applied else 0
    return (true + shifted).astype(np.uint16)


@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize("baseline", ["03.01", "04.00", "05.09", "05.11"])
def test_same_reflectance_whatever_the_baseline_and_the_provider(baseline: str, applied: bool) -> None:
    """Pitfall 9."""
    true = np.array([1, 250, 4000, 12000])
    properties = {BASELINE: baseline, APPLIED: applied, "datetime": "2019-01-01T00:00:00Z"}
    for flag in (APPLIED, applied):
        offset = dn_offset(properties, baseline_key=BASELINE, applied=flag)
        np.testing.assert_array_equal(reflectance(provider_dn(true, baseline, applied), offset), true)


@pytest.mark.parametrize(
    ("properties", "applied", "expected"),
    [
        ({BASELINE: "unknown", APPLIED: True}, APPLIED, 0),
        ({}, True, 0),
        ({BASELINE: "02.12"}, None, 0),
        ({BASELINE: "05.00"}, None, -1000),
        ({BASELINE: "02.12"}, APPLIED, 0),
        ({BASELINE: 4.0, APPLIED: "False"}, APPLIED, -1000),
    ],
)
def test_offset_is_decided_where_it_can_be(properties: dict[str, object], applied: str | bool, expected: int) -> None:
    """Pitfall 9."""
    assert dn_offset(properties, baseline_key=BASELINE, applied=applied) == expected


@pytest.mark.parametrize(
    ("properties", "applied", "name"),
    [
        ({BASELINE: "unknown", APPLIED: False}, APPLIED, "item/baseline-unknown"),
        ({BASELINE: "unknown"}, APPLIED, "item/baseline-unknown"),
        ({}, None, "item/baseline-unknown"),
        ({BASELINE: "05.09"}, APPLIED, "item/offset-flag-missing"),
        ({BASELINE: "05.09", APPLIED: "perhaps"}, APPLIED, "item/offset-flag"),
    ],
)
def test_offset_is_never_guessed(properties: dict[str, object], applied: str | bool | None, name: str) -> None:
    """Pitfall 9."""
    with pytest.raises(ItemError) as caught:
        dn_offset(properties, baseline_key=BASELINE, applied=applied)
    assert caught.value.name == name


@pytest.mark.parametrize(("applied", "band_offset"), [(True, -0.1), (False, 0.0)])
def test_band_offset_that_contradicts_is_refused(applied: bool, band_offset: float) -> None:
    """Pitfall 9."""
    with pytest.raises(ItemError, match="offset-contradiction"):
        dn_offset({BASELINE: "05.09"}, baseline_key=BASELINE, applied=applied, band_offset=band_offset)
    assert dn_offset({BASELINE: "05.09"}, baseline_key=BASELINE, applied=not applied, band_offset=band_offset) in (
        0,
        -1000,
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [("05.09", (5, 9)), ("N0509", (5, 9)), ("0400", (4, 0)), (4.0, (4, 0)), ("5.11", (5, 11)), ("99.99", (99, 99)),
     ("unknown", None), (None, None), ("", None)],
)  # fmt: skip
def test_baseline_is_read_in_every_spelling(text: object, expected: tuple[int, int] | None) -> None:
    assert parse_baseline(text) == expected


def test_nodata_is_masked_before_the_offset() -> None:
    """Pitfall 10."""
    assert reflectance(np.array([0, 1000], np.uint16), -1000).tolist() == [NODATA, 0]


def test_dark_pixels_stay_below_zero() -> None:
    """Pitfall 11."""
    assert reflectance(np.array([500], np.uint16), -1000).tolist() == [-500]


@settings(deadline=None)  # the first call compiles
@given(st.lists(st.integers(0, 65535), min_size=1), st.sampled_from([0, -1000]), st.sampled_from([0, 65535]))
def test_reflectance_equals_the_definition(dn: list[int], offset: int, nodata: int) -> None:
    expected = [NODATA if n == nodata else min(n + offset, 32767) for n in dn]
    assert reflectance(np.array(dn, np.uint16), offset, nodata=nodata).tolist() == expected


def test_reflectance_of_floats_is_refused() -> None:
    with pytest.raises(RasterError, match="not-integer"):
        reflectance(np.array([0.1], np.float32), 0)


def test_clear_classes() -> None:
    """Pitfall 12."""
    scl = np.arange(len(SCL_CLASSES), dtype=np.uint8)
    assert np.flatnonzero(clear_mask(scl)).tolist() == [2, 4, 5, 6, 7, 11]
    assert np.flatnonzero(clear_mask(scl, mask_snow=True)).tolist() == [2, 4, 5, 6, 7]
    assert np.flatnonzero(~observed(scl)).tolist() == [0]


@pytest.mark.parametrize("wrong", [np.array([4, 12], np.uint8), np.array([255], np.uint8), np.array([-1], np.int16)])
def test_scene_classes_that_do_not_exist_are_refused(wrong: np.ndarray) -> None:
    """Pitfall 12."""
    with pytest.raises(RasterError, match="scl-value") as caught:
        clear_mask(wrong)
    assert caught.value.value == wrong[-1]


def test_interpolated_scene_classes_are_refused() -> None:
    """Pitfall 12."""
    with pytest.raises(RasterError, match="not-integer"):
        clear_mask(np.array([4.5], np.float32))
