from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsprep.reading import Mosaic

SIDE = 9


@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0, 1), count=st.integers(0, 4))
def test_every_pixel_comes_from_the_first_granule_that_is_valid_there(seed: int, share: float, count: int) -> None:
    """Reading only the gap gives what laying whole granules on one another would give."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 100, (count, 2, SIDE, SIDE)).astype(np.int16)
    valid = rng.random((count, SIDE, SIDE)) < share
    mosaic = Mosaic((2, SIDE, SIDE), np.dtype("int16"), -1)
    given_by = []
    for number in range(count):
        part = mosaic.gap()
        if part is None:
            break
        given_by.append(mosaic.take(values[number][:, *part].copy(), valid[number][part].copy(), part))
    expected, first = np.full((2, SIDE, SIDE), -1, np.int16), np.full((SIDE, SIDE), -1)
    for number in reversed(range(count)):
        expected = np.where(valid[number], values[number], expected)
        first = np.where(valid[number], number, first)
    np.testing.assert_array_equal(mosaic.values, expected)
    np.testing.assert_array_equal(mosaic.valid, first >= 0)
    for number, mask in enumerate(given_by):
        np.testing.assert_array_equal(mask, first == number)


def test_pixels_that_do_not_fit_are_not_laid() -> None:
    mosaic = Mosaic((1, 2, 2), np.dtype("uint16"), 0)
    with pytest.raises(ValueError, match="cannot lay"):
        mosaic.take(np.ones((1, 2, 2), np.float32), np.ones((2, 2), bool), mosaic.everything)
    with pytest.raises(ValueError, match="cannot lay"):
        mosaic.take(np.ones((1, 2, 2), np.uint16), np.ones((2, 2), bool), (slice(0, 1), slice(0, 2)))
