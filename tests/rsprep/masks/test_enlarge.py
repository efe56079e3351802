"""Enlarging and averaging: planes stay planes, values stay within bounds, no data spreads no further than it must."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsprep.masks.enlarge import enlarge, fit


@given(
    seed=st.integers(0, 1000),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    dtype=st.sampled_from(["uint8", "int16", "float32"]),
)
def test_values_stay_within_those_there_were(seed: int, height: int, width: int, dtype: str) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (2, height, width)).astype(dtype)
    out = enlarge(image, (height + seed % 7, 3 * width), np.zeros((height, width), np.bool_), None)
    assert (out.dtype, out.shape) == (image.dtype, (2, height + seed % 7, 3 * width))
    for before, after in zip(image, out, strict=True):
        assert before.min() <= after.min() <= after.max() <= before.max()
    same = enlarge(image, (height, width), np.zeros((height, width), np.bool_), None)
    assert (same == image).all()


def test_a_plane_stays_a_plane() -> None:
    y, x = np.indices((20, 30)) + 0.5
    image = (3 * y + 5 * x)[None]
    out = enlarge(image, (40, 90), np.zeros((20, 30), np.bool_), None)
    y, x = np.indices((40, 90)) + 0.5
    expected = 3 * y / 2 + 5 * x / 3
    assert np.abs(out[0] - expected)[2:-2, 3:-3].max() < 1e-9


def test_what_has_no_data_weighs_on_nothing() -> None:
    image = np.full((1, 4, 4), 100, np.int16)
    image[0, 1, 1] = -32768
    out = enlarge(image, (16, 16), image[0] == -32768, -32768)
    assert set(np.unique(out)) == {-32768, 100}
    assert (out[0, 4:8, 4:8] == -32768).all()
    assert (out[0, 12:, 12:] == 100).all()
    floats = np.full((1, 2, 2), np.nan, np.float32)
    floats[0, 1, 1] = 1
    assert np.isnan(enlarge(floats, (4, 4), np.isnan(floats[0]), None)).sum() == 15


def test_nothing_is_made_smaller() -> None:
    with pytest.raises(ValueError, match="enlarge"):
        enlarge(np.zeros((1, 4, 4)), (3, 8), np.zeros((4, 4), np.bool_), None)


@given(seed=st.integers(0, 1000), height=st.integers(1, 12), width=st.integers(1, 12))
def test_averages_keep_the_sum_over_the_ground(seed: int, height: int, width: int) -> None:
    image = np.random.default_rng(seed).uniform(0, 9, (2, 12, 12))
    out = fit(image, (height, width), np.zeros((12, 12), np.bool_), None)
    assert out.mean(axis=(1, 2)) == pytest.approx(image.mean(axis=(1, 2)))
    if 12 % height == 12 % width == 0:
        parts = image.reshape(2, height, 12 // height, width, 12 // width).mean(axis=(2, 4))
        assert np.abs(out - parts).max() < 1e-12


def test_parts_of_pixels_weigh_as_much_as_they_are() -> None:
    """3 pixels become 2: each new one holds one and a half."""
    out = fit(np.array([[[0.0, 6.0, 12.0]]]), (1, 2), np.zeros((1, 3), np.bool_), None)
    assert out.ravel().tolist() == pytest.approx([2, 10])
    lost = fit(np.array([[[1, 6, 12]]], np.int16), (1, 2), np.array([[True, False, False]]), -1)
    assert lost.ravel().tolist() == [-1, 10]
    whole = fit(np.full((1, 400, 400), 77, np.uint8), (256, 256), np.zeros((400, 400), np.bool_), None)
    assert (whole == 77).all()
