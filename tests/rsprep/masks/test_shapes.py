"""Seed masks: planted clouds come back whole, alone and where they are, and the rules leave out what they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from rsprep.masks.shapes import (
    CLOUD,
    UNKNOWN,
    Candidate,
    Frame,
    SeedRules,
    cut_seed,
    fill_holes,
    find_seeds,
    open_mask,
    shrink,
    view,
)

RULES = SeedRules(size=64, min_area=0.02, fill_holes=0)


def sky(height: int = 300, width: int = 300) -> NDArray[np.uint8]:
    return np.zeros((height, width), np.uint8)


def disc(mask: NDArray[np.uint8], row: float, column: float, radius: float, value: int = CLOUD) -> NDArray[np.uint8]:
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]]
    mask[(y - row) ** 2 + (x - column) ** 2 <= radius**2] = value
    return mask


def taken(mask: NDArray[np.uint8], rules: SeedRules) -> list[Candidate]:
    return [one for one in find_seeds(mask, rules) if not one.refused]


def seed(candidate: Candidate) -> NDArray[np.uint8]:
    assert candidate.cut is not None
    return candidate.cut.mask


def clouds(rng: np.random.Generator, side: int = 400, scale: float = 9) -> NDArray[np.uint8]:
    """A sky of ragged clouds of many sizes."""
    noise = ndimage.gaussian_filter(rng.normal(size=(side, side)), scale) * scale
    noise += ndimage.gaussian_filter(rng.normal(size=(side, side)), 2) * 0.3
    return np.asarray(noise > 0.35, np.uint8)


def test_a_cloud_that_fits_is_whole_alone_and_centred() -> None:
    mask = disc(disc(sky(), 100, 120, 15), 100, 142, 4)  # the small neighbour is in the same window
    found = taken(mask, RULES)
    assert len(found) == 1
    assert found[0].frame == Frame(row=68, column=88, side=64, anchor=(85, 120))
    assert (seed(found[0]) == disc(sky(64, 64), 32, 32, 15)).all()
    crowded = taken(mask, SeedRules(size=64, min_area=0.02, isolate=False))
    assert (seed(crowded[0]) == mask[68:132, 88:152]).all()


def test_seeds_are_of_0_and_1() -> None:
    for candidate in taken(clouds(np.random.default_rng(0)), RULES):
        assert seed(candidate).shape == (64, 64)
        assert seed(candidate).dtype == np.uint8
        assert set(np.unique(seed(candidate))) == {0, 1}


def test_clouds_that_meet_at_a_corner_are_one() -> None:
    mask = sky()
    mask[50:60, 50:60] = mask[60:70, 60:70] = 1
    assert [int(seed(one).sum()) for one in taken(mask, RULES)] == [200]


@pytest.mark.parametrize("shift", [(0, 0), (3, -2)])
def test_specks_and_blankets_are_left_out(shift: tuple[int, int]) -> None:
    speck = disc(sky(), 100 + shift[0], 100 + shift[1], 4)
    assert list(find_seeds(speck, RULES)) == []
    blanket = sky()
    blanket[100 + shift[0] :, 100 + shift[1] :][:63, :63] = 1
    (one,) = find_seeds(blanket, RULES)
    assert one.refused == "cloud on more than 0.8 of the window"


def test_a_cloud_that_goes_on_in_the_unknown_is_refused() -> None:
    mask = disc(sky(), 100, 100, 15)
    inside, beside, apart = mask.copy(), mask.copy(), mask.copy()
    inside[100, 100] = UNKNOWN
    beside[116, 100] = UNKNOWN
    apart[118, 100] = UNKNOWN
    for one in (inside, beside, disc(sky(), 10, 100, 15)):  # the last one leaves the scene
        (candidate,) = find_seeds(one, RULES)
        assert "goes on outside the scene" in candidate.refused
    assert len(taken(apart, RULES)) == 1


def test_a_cloud_near_the_edge_of_the_scene_is_padded_with_clear_sky() -> None:
    mask = disc(sky(), 20, 100, 15)
    (one,) = taken(mask, RULES)
    assert one.frame.row < 0
    assert (seed(one) == disc(sky(64, 64), 32, 32, 15)).all()


def test_small_holes_are_filled_large_ones_and_bays_are_not() -> None:
    shape = disc(sky(64, 64), 32, 32, 20)
    full = shape.copy()
    shape[20:23, 20:23] = 0
    shape[30:36, 30:36] = 0
    shape[32, :20] = 0
    filled = fill_holes(shape, 9)
    full[30:36, 30:36] = 0
    full[32, :20] = 0
    assert (filled == full).all()
    assert (fill_holes(shape, 0) == shape).all()


def test_opening_cuts_bridges_and_keeps_what_is_wide() -> None:
    mask = disc(disc(sky(), 100, 84, 14), 100, 116, 14)
    mask[99:101, 84:116] = 1
    assert len(taken(mask, RULES)) == 1
    found = taken(mask, SeedRules(size=64, min_area=0.02, opening=2))
    assert len(found) == 2
    parts = [seed(one).sum() for one in found]
    assert min(parts) > 0.97 * disc(sky(64, 64), 32, 32, 14).sum()


@pytest.mark.parametrize("radius", [1, 2, 3])
def test_opening_is_an_opening(radius: int) -> None:
    """Smaller, idempotent, increasing, and what scipy makes of the same octagon."""
    rng = np.random.default_rng(radius)
    mask = clouds(rng, 120, 4) > 0
    opened = open_mask(mask, radius)
    assert not (opened & ~mask).any()
    assert (open_mask(opened, radius) == opened).all()
    assert not (opened & ~open_mask(mask | (rng.random(mask.shape) < 0.1), radius)).any()
    octagon = np.pad(np.ones((1, 1), bool), radius)
    for step in range(radius):
        octagon = ndimage.binary_dilation(octagon, None if step % 2 else np.ones((3, 3)))
    assert (opened == ndimage.binary_opening(mask, octagon)).all()


# -- clouds wider than the window ------------------------------------------------------------------


def wide(rng: np.random.Generator) -> NDArray[np.uint8]:
    return clouds(rng, 500, 14)


def test_pieces_of_wide_clouds_are_cut_as_the_rules_say() -> None:
    mask = wide(np.random.default_rng(1))
    rules = SeedRules(size=64, min_area=0.05, max_cut=0.2, fill_holes=0)
    pieces = [one for one in taken(mask, rules) if one.cut is not None and one.cut.cut_share > 0]
    assert len(pieces) >= 5
    ground = np.zeros(mask.shape, int)
    for one in pieces:
        row, column = one.frame.row, one.frame.column
        assert 0 <= row <= 500 - 64
        assert 0 <= column <= 500 - 64
        ground[row : row + 64, column : column + 64] += seed(one)
        here = mask[row : row + 64, column : column + 64]
        assert not (seed(one) & ~here).any()  # at its place, nothing added
        assert seed(one).mean() >= 2 * rules.min_area - 1 / 64**2
        assert one.cut is not None
        assert one.cut.cut_share <= rules.max_cut
    assert ground.max() == 1  # no ground twice


def test_a_wide_cloud_without_a_good_window_comes_once_refused() -> None:
    mask = sky()
    mask[20:280, 20:280] = 1
    (one,) = find_seeds(mask, SeedRules(size=64, max_cut=0.3))
    assert one.refused == "wider than 64 pixels, and no window shows a piece that the rules take"
    (dropped,) = find_seeds(mask, SeedRules(size=64, large="drop"))
    assert dropped.refused == "wider than 64 pixels"


def test_share_of_the_outline_that_the_window_cuts() -> None:
    mask = sky()
    mask[100:120, 0:300] = 1
    frame = Frame(row=90, column=128, side=64, anchor=(100, 128))
    cut = cut_seed(view(mask, frame, RULES.margin), frame, RULES)
    assert cut.cut_share == pytest.approx(40 / (2 * 20 + 2 * 64))
    assert not cut.truncated


def test_shrinking_keeps_the_shape() -> None:
    mask = disc(sky(), 150, 150, 100)
    (one,) = taken(mask, SeedRules(size=64, large="shrink"))
    assert one.frame.side == 212  # 201 pixels and a twentieth of clear sky
    radius = 100.5 * 64 / 212
    middle = (150.5 - one.frame.row) * 64 / 212 - 0.5
    wanted = disc(sky(64, 64), middle, middle, radius)
    assert (seed(one) != wanted).sum() < 0.02 * wanted.sum()


def test_shrinking_leaves_one_part() -> None:
    shape = sky(200, 200)
    shape[20:80, 20:80] = shape[80, 80] = shape[81:140, 81:140] = 1  # connected by a pixel that is skipped
    shape[80:82, 78:82] = 0
    shape[79:82, 79] = 1
    assert ndimage.label(shrink(shape, 64), np.ones((3, 3)))[1] == 1


# -- a seed follows from its window ----------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    number=st.integers(0, 10_000),
    opening=st.integers(0, 2),
    large=st.sampled_from(["cut", "shrink"]),
    isolate=st.booleans(),
    holes=st.sampled_from([0, 20]),
)
def test_cut_again_from_its_window(number: int, opening: int, large: str, isolate: bool, holes: int) -> None:
    rng = np.random.default_rng(number)
    mask = clouds(rng, 200, 6)
    mask[rng.random(mask.shape) < 0.0005] = UNKNOWN
    rules = SeedRules(
        size=48, min_area=0.03, opening=opening, large=large, isolate=isolate, fill_holes=holes  # type: ignore[arg-type]
    )  # fmt: skip
    for candidate in find_seeds(mask, rules):
        if candidate.cut is None:
            continue
        again = cut_seed(view(mask, candidate.frame, rules.margin), candidate.frame, rules)
        assert (again.mask == candidate.cut.mask).all()
        assert (again.cut_share, again.truncated) == (candidate.cut.cut_share, candidate.cut.truncated)


def test_a_view_of_another_scene_is_noticed() -> None:
    frame = Frame(row=0, column=0, side=64, anchor=(10, 10))
    with pytest.raises(ValueError, match="no cloud at"):
        cut_seed(view(sky(), frame, RULES.margin), frame, RULES)
