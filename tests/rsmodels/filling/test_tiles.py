"""Tiles join without a seam, fit together whatever is filled at a time, and look at nothing that is hidden."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from rsmodels.errors import ModelError
from rsmodels.filling.tiles import Filled, Hole, fill_areas
from rsmodels.tiling.tiles import Box, Tiling


def mean_of_known(images: Tensor, mask: Tensor) -> Tensor:
    """A filler that differs as much as can be from tile to tile: each is filled with one number."""
    known = 1 - mask
    mean = (images * known).sum(dim=(2, 3), keepdim=True) / known.sum(dim=(2, 3), keepdim=True)
    return torch.where(mask > 0, mean.expand_as(images), images)


def area(values: NDArray[np.float32], hidden: NDArray[np.bool_], tiling: Tiling, part: Box | None = None) -> Hole:
    shape = hidden.shape[0], hidden.shape[1]
    part = part or (slice(0, shape[0]), slice(0, shape[1]))
    around = tiling.span(shape[0], part[0]), tiling.span(shape[1], part[1])
    return Hole(
        shape=shape,
        part=part,
        around=around,
        values=values[:, *around],
        known=~hidden[around],
        wanted=hidden[around],
    )


def planted(height: int = 150, width: int = 203) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """A steep slope, with a large hole over several tiles, and a small one."""
    y, x = np.mgrid[:height, :width]
    hidden = (y > 30) & (y < 130) & (x > 20) & (x < 180) & ((x + y) % 50 > 9)
    hidden |= (y < 5) & (x < 7)
    return np.stack([x / 10 + y / 7, np.sin(x / 9)]).astype(np.float32), hidden


def fill(values: NDArray[np.float32], hidden: NDArray[np.bool_], tiling: Tiling, batch: int = 4) -> Filled:
    return fill_areas([area(values, hidden, tiling)], mean_of_known, tiling, batch=batch)[0]


def test_no_seam_at_tile_borders() -> None:
    """With a filler that makes each tile one number, the steps at tile borders are none larger than those within."""
    values, _ = planted()
    hidden = np.ones(values.shape[1:], np.bool_)
    hidden[::40] = False  # a known row in each tile
    tiling = Tiling(size=64, overlap=32)
    made = fill(values, hidden, tiling)
    image = np.where(made.done, made.values[0], np.nan)
    steps = np.abs(np.diff(image, axis=1))
    width = values.shape[2]
    starts = tiling.starts(width, slice(0, width))
    borders = sorted({edge for start in starts for edge in (start, start + 64) if 0 < edge < width})
    at = np.array(borders) - 1
    elsewhere = np.setdiff1d(np.arange(width - 1), at)
    assert np.nanmax(steps[:, at]) <= np.nanmax(steps[:, elsewhere])
    assert np.nanmax(steps[:, at]) < 0.05 * (np.nanmax(image) - np.nanmin(image)) / 3
    hard = fill(values, hidden, Tiling(size=64, overlap=0))
    seams = np.abs(np.diff(np.where(hard.done, hard.values[0], np.nan), axis=1))
    assert np.nanmax(seams) > 10 * np.nanmax(steps[:, at])  # such a filler shows every seam where nothing is blended


def test_tiles_that_agree_are_blended_to_what_they_agree_on() -> None:
    values, hidden = planted()
    tiling = Tiling(size=64, overlap=16)
    (made,) = fill_areas([area(values, hidden, tiling)], lambda images, mask: images * 0 + 3.5, tiling)
    assert np.array_equal(made.done, hidden)
    assert np.abs(made.values[:, hidden] - 3.5).max() < 1e-5


@pytest.mark.parametrize("side", [37, 64, 100])
def test_parts_fit_together_bit_for_bit(side: int) -> None:
    values, hidden = planted()
    tiling = Tiling(size=48, overlap=12)
    whole = fill(values, hidden, tiling)
    for row in range(0, hidden.shape[0], side):
        for column in range(0, hidden.shape[1], side):
            part = slice(row, min(row + side, 150)), slice(column, min(column + side, 203))
            (made,) = fill_areas([area(values, hidden, tiling, part)], mean_of_known, tiling, batch=3)
            assert np.array_equal(made.done, whole.done[part])
            assert np.array_equal(made.values[:, made.done], whole.values[:, *part][:, made.done])


def test_the_filler_is_always_given_as_many_tiles_and_never_what_is_hidden() -> None:
    values, hidden = planted()
    spoilt = np.where(hidden, np.float32(np.nan), values)
    counts = []

    def watched(images: Tensor, mask: Tensor) -> Tensor:
        counts.append(len(images))
        assert images.isfinite().all()
        assert ((mask == 0) | (mask == 1)).all()
        return mean_of_known(images, mask)

    tiling = Tiling(size=48, overlap=12)
    told: list[int] = []
    (made,) = fill_areas([area(spoilt, hidden, tiling)], watched, tiling, batch=7, told=told.append)
    assert set(counts) == {7}
    assert len(counts) * 7 - 7 < sum(told) <= len(counts) * 7
    assert np.array_equal(made.values[:, made.done], fill(values, hidden, tiling).values[:, made.done])


def test_what_no_known_pixel_is_near_to_is_left() -> None:
    values, _ = planted(200, 200)
    hidden = np.zeros((200, 200), np.bool_)
    hidden[:150, :150] = True
    made = fill(values, hidden, Tiling(size=32, overlap=8))
    assert not made.done[:100, :100].any()
    assert made.done[149, 149]
    assert not (made.done & ~hidden).any()
    wide = fill(values, hidden, Tiling(size=256, overlap=64))
    assert np.array_equal(wide.done, hidden)


def test_images_smaller_than_a_tile_are_one_tile() -> None:
    values, hidden = planted(40, 30)
    hidden[20:25, 10:20] = True
    made = fill(values, hidden, Tiling(size=64, overlap=16))
    assert np.array_equal(made.done, hidden)


def test_numbers_that_are_not_finite_are_refused() -> None:
    values, hidden = planted()
    tiling = Tiling(size=64, overlap=16)
    with pytest.raises(ModelError, match="model/not-finite"):
        fill_areas([area(values, hidden, tiling)], lambda images, mask: images / 0, tiling)
