"""Tiles lie on one lattice, cover what they are asked for, and are blended to what they agree on."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsmodels.errors import ModelError
from rsmodels.tiling.tiles import Blend, Tiling, common, make_tiling, within


@given(
    length=st.integers(1, 700),
    size=st.integers(16, 96),
    share=st.floats(0, 0.5),
    ends=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_tiles_cover_every_part(length: int, size: int, share: float, ends: tuple[float, float]) -> None:
    tiling = Tiling(size=size, overlap=int(size * share))
    first = int(min(ends) * (length - 1))
    part = slice(first, max(first + 1, int(max(ends) * length)))
    starts = tiling.starts(length, part)
    span = tiling.span(length, part)
    assert span.start <= part.start
    assert part.stop <= span.stop <= length
    assert all(later - earlier <= size - tiling.overlap for earlier, later in pairwise(starts))
    assert set(starts) <= set(tiling.starts(length, slice(0, length)))
    weight = tiling.weight((min(size, length), 1))
    assert weight.min() > 0
    assert weight.max() <= 1


def test_boxes_are_counted_from_another() -> None:
    assert within((slice(5, 9), slice(7, 8)), (slice(4, 20), slice(7, 30))) == (slice(1, 5), slice(0, 1))


def test_what_boxes_share() -> None:
    assert common((slice(0, 9), slice(3, 5)), (slice(4, 20), slice(0, 30))) == (slice(4, 9), slice(3, 5))


def test_tiles_that_agree_give_what_they_agree_on_and_no_tile_nothing() -> None:
    tiling = Tiling(size=16, overlap=4)
    blend = Blend(tiling, (slice(5, 30), slice(0, 20)), 2)
    for box in tiling.boxes((50, 20), (slice(5, 20), slice(0, 20))):
        blend.add(box, np.full((2, 16, 16), 3.5, np.float32), 0.3)
    values, reached = blend.result()
    assert reached[:23].all()
    assert not reached[23:].any()  # tiles begin at 0 and 12 here: the last ends at 28
    assert np.abs(values[:, reached] - 3.5).max() < 1e-5


def test_tiles_share_a_quarter_and_at_most_half() -> None:
    assert make_tiling(64, None).overlap == 16
    with pytest.raises(ModelError, match="model/overlap"):
        make_tiling(64, 33)
