"""Connected shapes against an independent labelling, and the table of runs as a raster of labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from rsprep.masks.components import find_components

MASKS = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=24))


@settings(max_examples=150, deadline=None)
@given(mask=MASKS, diagonal=st.booleans())
def test_agrees_with_scipy(mask: np.ndarray, diagonal: bool) -> None:
    labels, count = ndimage.label(mask, np.ones((3, 3)) if diagonal else None)
    found = find_components(mask, diagonal=diagonal)
    assert len(found) == count
    assert found.area.tolist() == np.bincount(labels.ravel(), minlength=count + 1)[1:].tolist()
    at = [[found.at(y, x) + 1 for x in range(mask.shape[1])] for y in range(mask.shape[0])]
    assert at == labels.tolist()  # numbered alike: as their first pixels come
    for shape, box in enumerate(ndimage.find_objects(labels)):
        assert found.box[shape].tolist() == [box[0].start, box[1].start, box[0].stop, box[1].stop]
        assert (found.raster(shape) == (labels[box] == shape + 1)).all()
        first = np.argwhere(labels == shape + 1)[0]
        assert found.anchor[shape].tolist() == first.tolist()


def test_a_spiral_is_one_shape() -> None:
    """The worst case for a labelling by rows: every row's runs join only far away."""
    mask = np.zeros((41, 41), bool)
    y = x = 20
    for turn in range(1, 20):
        for dy, dx in [(0, 1), (1, 0)] if turn % 2 else [(0, -1), (-1, 0)]:
            for _ in range(2 * turn):
                mask[y, x] = True
                y, x = min(40, max(0, y + dy)), min(40, max(0, x + dx))
    assert len(find_components(mask)) == ndimage.label(mask, np.ones((3, 3)))[1]


def test_uint8_is_taken_as_it_is() -> None:
    cells = np.array([[0, 1, 255], [0, 0, 0], [7, 0, 0]], np.uint8)
    assert find_components(cells).area.tolist() == [2, 1]
    assert find_components(np.asfortranarray(cells)).area.tolist() == [2, 1]


@pytest.mark.parametrize("mask", [np.zeros((3, 3), np.int16), np.zeros((2, 3, 3), np.uint8)])
def test_other_arrays_are_refused(mask: np.ndarray) -> None:
    with pytest.raises(ValueError, match="a mask is"):
        find_components(mask)
