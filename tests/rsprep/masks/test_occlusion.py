"""Occlusion on arrays: what is hidden is exactly the fill, what is not is untouched."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rsprep.masks.occlusion import (
    Bounds,
    Placing,
    area_ratio,
    can_meet,
    cover_offsets,
    cut_patch,
    missing_pixels,
    occlude,
    place,
)

DTYPES = ("uint8", "int16", "uint16", "float32")


def picture(seed: int, dtype: str, shape: tuple[int, int, int] = (3, 12, 17)) -> NDArray[Any]:
    """Any bit pattern the dtype has, NaN and infinity among them."""
    count = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.random.default_rng(seed).integers(0, 256, count, np.uint8).view(dtype).reshape(shape)


def blob(shape: tuple[int, int] = (64, 48)) -> NDArray[np.uint8]:
    """A lopsided shape in the middle of a frame."""
    y, x = np.indices(shape)
    body = ((y - shape[0] / 2) / 20) ** 2 + ((x - shape[1] / 2) / 11) ** 2 < 1
    return np.asarray(body & ~((y < shape[0] / 2 - 4) & (x > shape[1] / 2)), np.uint8)


# -- laying a mask over an image ------------------------------------------------------------------


@given(seed=st.integers(0, 2**32 - 1), dtype=st.sampled_from(DTYPES), kind=st.sampled_from(["one", "bands", "pixels"]))
def test_outside_is_untouched_and_inside_is_the_fill(seed: int, dtype: str, kind: str) -> None:
    image, rng = picture(seed, dtype), np.random.default_rng(seed)
    before = image.tobytes()
    mask = (rng.random(image.shape[1:]) < rng.random()).astype(np.uint8)
    fill: Any = {"one": 7, "bands": [1, 2, 3], "pixels": picture(seed + 1, dtype)}[kind]
    occluded = occlude(image, mask, fill)
    assert (occluded.shape, occluded.dtype) == (image.shape, image.dtype)
    outside, inside = mask == 0, mask == 1
    assert occluded[:, outside].tobytes() == image[:, outside].tobytes()
    wanted = {"one": np.full_like(image, 7), "pixels": np.asarray(fill, dtype)}.get(kind)
    if wanted is None:
        wanted = np.ones_like(image) * np.array([1, 2, 3], dtype)[:, None, None]
    assert occluded[:, inside].tobytes() == wanted[:, inside].tobytes()
    assert image.tobytes() == before


@pytest.mark.parametrize("fill", [256, -1, 0.5, [1, 2, 300], float("nan")])
def test_a_fill_that_does_not_fit_is_refused(fill: Any) -> None:
    """numpy would wrap 256 round to 0."""
    with pytest.raises(ValueError, match="cannot hold"):
        occlude(picture(0, "uint8"), np.ones((12, 17), np.uint8), fill)


@pytest.mark.parametrize(
    ("mask", "fill"),
    [
        (np.ones((12, 16), np.uint8), 0),
        (np.ones((1, 12, 17), np.uint8), 0),
        (np.full((12, 17), 255, np.uint8), 0),
        (np.ones((12, 17), np.uint8), [1, 2]),
        (np.ones((12, 17), np.uint8), np.zeros((12, 17), np.uint8)),
    ],
)
def test_what_does_not_go_together_is_refused(mask: NDArray[Any], fill: Any) -> None:
    with pytest.raises(ValueError):
        occlude(picture(0, "uint8"), mask, fill)


def test_missing_pixels_count_in_no_ratio() -> None:
    image = np.zeros((2, 4, 5), np.int16)
    image[0, 0], image[1, 1] = -32768, -32768  # one band is enough
    missing = missing_pixels(image, -32768)
    assert missing.sum(axis=1).tolist() == [5, 5, 0, 0]
    mask = np.zeros((4, 5), np.uint8)
    mask[:3, :4] = 1
    assert area_ratio(mask) == 12 / 20
    assert area_ratio(mask, missing) == 4 / 10
    assert area_ratio(mask, np.ones((4, 5), np.bool_)) == 0
    floats = np.array([[[np.nan, 1.0]], [[2.0, 3.0]]], np.float32)
    assert missing_pixels(floats, None).tolist() == [[True, False]]
    assert missing_pixels(floats, 3.0).tolist() == [[True, True]]
    assert not missing_pixels(picture(0, "uint8"), None).any()


# -- placing --------------------------------------------------------------------------------------


def test_nothing_moved_is_the_seed() -> None:
    seed = blob((48, 48))
    rows, columns = np.flatnonzero(seed.any(axis=1)), np.flatnonzero(seed.any(axis=0))
    shape = (2 * (rows[-1] + 1 - rows[0]), 2 * (columns[-1] + 1 - columns[0]))
    share = int(seed.sum()) / (shape[0] * shape[1])
    still = Placing(rotate=0, shift=0, zoom=(1, 1))
    out = place(seed, shape, np.random.default_rng(0), Bounds(low=share, high=share), still)
    inner = seed[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    assert out.sum() == seed.sum()
    top, left = shape[0] // 4, shape[1] // 4
    assert (out[top : top + len(inner), left : left + inner.shape[1]] == inner).all()


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_a_turn_turns_the_way_it_says(turn: int) -> None:
    """Counter-clockwise for positive angles, whole turns without a loss."""
    seed = blob((40, 40))
    share = int(seed.sum()) / 1600

    class Fixed:
        def uniform(self, size: int) -> NDArray[np.float64]:
            return np.array([0.0, turn / 360 / 2 + 0.5, 0.5, 0.5])

    out = place(seed, (40, 40), Fixed(), Bounds(low=share, high=share), Placing(rotate=360, zoom=(1, 1)))  # type: ignore[arg-type]
    rows, columns = np.flatnonzero(seed.any(axis=1)), np.flatnonzero(seed.any(axis=0))
    inner = seed[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    rows, columns = np.flatnonzero(out.any(axis=1)), np.flatnonzero(out.any(axis=0))
    found = out[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    assert found.shape == np.rot90(inner, turn // 90).shape
    assert (found == np.rot90(inner, turn // 90)).mean() > 0.95


@given(seed=st.integers(0, 2**32 - 1), low=st.floats(0.05, 0.3), width=st.floats(0, 0.3))
def test_a_placed_mask_is_binary_and_as_large_as_drawn(seed: int, low: float, width: float) -> None:
    bounds = Bounds(low=low, high=low + width)

    def draw() -> NDArray[np.uint8]:
        return place(blob(), (100, 90), np.random.default_rng(seed), bounds, Placing(zoom=(0.1, 10)))

    out = draw()
    assert out.shape == (100, 90)
    assert set(np.unique(out)) <= {0, 1}
    assert bounds.low - 0.02 <= area_ratio(out) <= bounds.high + 0.02
    assert (draw() == out).all()


def test_draws_spread_over_bounds_angles_and_places() -> None:
    rng, bounds = np.random.default_rng(0), Bounds(low=0.15, high=0.6)
    masks = [place(blob(), (64, 64), rng, bounds, Placing()) for _ in range(300)]
    ratios = np.array([area_ratio(mask) for mask in masks])
    assert np.mean([bounds.hold(ratio) for ratio in ratios]) > 0.9
    np.testing.assert_allclose(np.quantile(ratios, (0.1, 0.5, 0.9)), (0.195, 0.375, 0.555), atol=0.04)  # uniform
    hit = np.mean(masks, axis=0)
    assert hit.min() > 0.05  # every pixel is hidden by some mask


def test_zoom_keeps_to_its_range() -> None:
    seed = np.zeros((50, 50), np.uint8)
    seed[20:25, 20:25] = 1
    placing = Placing(zoom=(0.5, 2), shift=0, rotate=0)
    out = place(seed, (100, 100), np.random.default_rng(0), Bounds(low=0.5, high=0.6), placing)
    assert out.sum() == 100
    assert not can_meet(25, (100, 100), Bounds(low=0.0101, high=0.6), placing)
    assert can_meet(25, (100, 100), Bounds(low=0.01, high=0.6), placing)
    assert not can_meet(25, (100, 100), Bounds(low=0, high=0.0006), placing)
    assert not can_meet(0, (100, 100), Bounds(low=0, high=1), placing)
    with pytest.raises(ValueError, match="empty"):
        place(np.zeros((4, 4), np.uint8), (4, 4), np.random.default_rng(0), Bounds(), placing)


def test_bounds_are_shares() -> None:
    assert [Bounds().hold(ratio) for ratio in (0.149, 0.15, 0.6, 0.601)] == [False, True, True, False]
    for low, high in ((0.6, 0.15), (-0.1, 0.5), (0.1, 1.5)):
        with pytest.raises(ValueError, match="shares"):
            Bounds(low=low, high=high)


# -- pasting --------------------------------------------------------------------------------------


@given(seed=st.integers(0, 2**32 - 1), cloudy=st.floats(0.5, 1))
def test_offsets_are_those_that_looking_at_each_finds(seed: int, cloudy: float) -> None:
    rng = np.random.default_rng(seed)
    cloud = (rng.random((14, 11)) < cloudy).astype(np.uint8)
    mask = np.zeros((9, 20), np.uint8)
    height, width = rng.integers(1, 5, 2).tolist()
    mask[3 : 3 + height, 7 : 7 + width] = rng.random((height, width)) < 0.7
    mask[3, 7] = 1
    ones = np.argwhere(mask)
    expected = {
        (row, column)
        for row in range(-9, 14)
        for column in range(-20, 11)
        if all(0 <= y + row < 14 and 0 <= x + column < 11 and cloud[y + row, x + column] for y, x in ones.tolist())
    }
    assert {tuple(offset) for offset in cover_offsets(mask, cloud).tolist()} == expected


def test_pasted_pixels_are_cloud_and_nothing_else() -> None:
    cloud = np.zeros((40, 50), np.uint8)
    cloud[5:35, 8:45] = 1
    scene = np.where(cloud, 240, 3).astype(np.uint8)[None].repeat(3, axis=0)
    image, mask = picture(0, "uint8", (3, 64, 48)), blob()
    mask[50:] = 0
    offsets = cover_offsets(mask[::2, ::2], cloud)
    assert len(offsets)
    small = image[:, ::2, ::2]
    for offset in offsets[[0, len(offsets) // 2, -1]].tolist():
        occluded = occlude(small, mask[::2, ::2], cut_patch(scene, tuple(offset), mask[::2, ::2], small))
        assert (occluded[:, mask[::2, ::2] == 1] == 240).all()
        assert (occluded[:, mask[::2, ::2] == 0] == small[:, mask[::2, ::2] == 0]).all()
    assert not len(cover_offsets(np.ones((64, 48), np.uint8), cloud))
    assert not len(cover_offsets(np.ones((31, 2), np.uint8), cloud))
