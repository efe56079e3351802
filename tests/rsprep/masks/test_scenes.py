"""Masks of scenes as arrays: no pixel gets lost, no colour is guessed, no split goes without."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsprep.errors import RasterError
from rsprep.masks.scenes import (
    MOST_STRANGE,
    Cut,
    Edge,
    blank_counts,
    count_strip,
    deal,
    decode_palette,
    fold,
    inverse_frequency,
    median_frequency,
    recode,
)
from rsprep.products.crosswalk import load_crosswalk

SIDES = st.integers(1, 70)


def counted(codes: np.ndarray[Any, Any], cut: Cut) -> Any:
    counts = blank_counts(cut)
    for index, span in enumerate(cut.strips):
        count_strip(counts, index, codes[span], cut)
    return counts


@given(
    height=SIDES, width=SIDES, size=st.integers(1, 40), edge=st.sampled_from(["drop", "pad"]), seed=st.integers(0, 99)
)
def test_every_pixel_is_counted_once_and_where_it_lies(
    height: int, width: int, size: int, edge: Edge, seed: int
) -> None:
    codes = np.random.default_rng(seed).integers(0, 256, (height, width)).astype(np.uint8)
    cut = Cut(height=height, width=width, size=size, edge=edge)
    counts = counted(codes, cut)
    assert (counts.total == np.bincount(codes.ravel(), minlength=256)).all()
    for row in range(cut.rows):
        for column in range(cut.columns):
            chip = codes[row * size : (row + 1) * size, column * size : (column + 1) * size]
            assert (counts.cells[row, column] == np.bincount(chip.ravel(), minlength=256)).all()
    assert sum(span.stop - span.start for span in cut.strips) == height
    if edge == "pad":
        assert counts.rest.sum() == 0
    else:
        assert (counts.cells.sum(axis=-1) == size * size).all()


def test_a_strip_of_another_shape_is_refused() -> None:
    cut = Cut(height=10, width=10, size=4)
    with pytest.raises(ValueError, match="another shape"):
        count_strip(blank_counts(cut), 2, np.zeros((4, 10), np.uint8), cut)


def test_counts_follow_the_codes_that_they_become() -> None:
    counts = np.zeros((2, 256), np.int64)
    counts[0, [0, 3, 7]] = 5, 6, 7
    table = np.full(256, -1, np.int16)
    table[[0, 3, 7]] = 255, 1, 1
    assert fold(counts, table, (1, 255)).tolist() == [[13, 5], [0, 0]]


# -- colours --------------------------------------------------------------------------------------


@given(seed=st.integers(0, 99), runs=st.integers(1, 9))
def test_colours_of_gid_15_come_back_as_codes(seed: int, runs: int) -> None:
    palette = load_crosswalk("gid-15").palette
    back = {code: rgb for rgb, code in palette.items()}
    codes = np.random.default_rng(seed).integers(0, 16, (9, 5)).astype(np.uint8).repeat(runs, axis=1)
    picture = np.array([[back[code] for code in row] for row in codes.tolist()], np.uint8).transpose(2, 0, 1)
    decoded, strange = decode_palette(np.ascontiguousarray(picture), palette)
    assert strange == ()
    assert (decoded == codes).all()


def test_a_colour_that_is_nearly_right_is_told_not_guessed() -> None:
    picture = np.zeros((3, 1, 6), np.uint8)
    picture[:, 0, :3] = np.array([[200, 0, 0], [199, 0, 0], [200, 0, 1]]).T
    picture[:, 0, 5] = 199, 0, 0
    codes, strange = decode_palette(picture, {(200, 0, 0): 1, (0, 0, 0): 9})
    assert codes.tolist() == [[1, 0, 0, 9, 9, 0]]
    assert strange == ((199, 0, 0), (200, 0, 1))


def test_strange_colours_are_told_up_to_a_number() -> None:
    picture = np.arange(300, dtype=np.uint16).astype(np.uint8).reshape(3, 10, 10)
    _, strange = decode_palette(picture, {})
    assert len(strange) == len(set(strange)) == MOST_STRANGE
    with pytest.raises(ValueError, match="uint8"):
        decode_palette(picture.astype(np.uint16), {})  # type: ignore[arg-type]  # on purpose


def test_codes_without_a_class_raise() -> None:
    table = np.full(256, -1, np.int16)
    table[[0, 255]] = 7, 0
    assert recode(np.array([[255, 0]], np.uint8), table).tolist() == [[0, 7]]
    with pytest.raises(RasterError, match="code-without-class") as caught:
        recode(np.array([0, 4], np.uint8), table)
    assert caught.value.value == 4


# -- weights --------------------------------------------------------------------------------------


def test_inverse_frequency_by_hand() -> None:
    weights = inverse_frequency(np.array([100, 50, 0]))
    assert weights.tolist() == pytest.approx([2 / 3, 4 / 3, 0])
    assert inverse_frequency(np.array([0, 0])).tolist() == [0, 0]


def test_median_frequency_by_hand() -> None:
    # Class 0 is half of both chips, class 1 a quarter of the two, class 2 half of the second, class 3 nowhere.
    counts = np.array([[50, 50, 0, 0], [50, 0, 50, 0]])
    assert median_frequency(counts).tolist() == pytest.approx([1, 1, 1, 0])
    counts = np.array([[80, 20, 0, 0], [80, 0, 20, 0]])
    assert median_frequency(counts).tolist() == pytest.approx([0.25, 1, 1, 0])
    assert median_frequency(np.zeros((0, 2))).tolist() == [0, 0]


@given(pixels=st.lists(st.integers(0, 10**9), min_size=1, max_size=20))
def test_inverse_frequency_has_mean_one_and_rarer_weighs_more(pixels: list[int]) -> None:
    counts = np.array(pixels)
    weights = inverse_frequency(counts)
    if counts.any():
        assert weights[counts > 0].mean() == pytest.approx(1)
        assert (weights * counts)[counts > 0] == pytest.approx((weights * counts)[counts > 0][0])
    assert (weights[counts == 0] == 0).all()


# -- splits ---------------------------------------------------------------------------------------

UNITS = st.dictionaries(st.text("abcdef0123", min_size=1), st.integers(0, 50), min_size=1, max_size=60)


@given(sizes=UNITS, seed=st.integers(0, 5), ratio=st.sampled_from([(4, 1, 1), (7, 2, 1), (1, 0, 1), (1, 0, 0)]))
def test_units_are_dealt_whole_and_no_split_stays_empty(
    sizes: dict[str, int], seed: int, ratio: tuple[int, ...]
) -> None:
    dealt = deal(sizes, ratio, seed)
    assert list(dealt) == list(sizes)
    assert deal(dict(reversed(sizes.items())), ratio, seed) == dealt
    given_out = [sum(size for name, size in sizes.items() if dealt[name] == split) for split in range(3)]
    wanted = [split for split in range(3) if ratio[split]]
    assert {dealt[name] for name in sizes} <= set(wanted)
    filled = sum(size > 0 for size in sizes.values())
    assert sum(given_out[split] > 0 for split in wanted) == min(filled, len(wanted))
    # A unit never makes its split fuller than the fullest would have to be: within one largest unit of the share.
    largest, total = max(sizes.values()), sum(sizes.values())
    if filled > 10 * len(wanted):
        for split in wanted:
            assert abs(given_out[split] - total * ratio[split] / sum(ratio)) <= 2 * largest


def test_many_scenes_come_near_the_ratio() -> None:
    generator = np.random.default_rng(1)
    for seed in range(10):
        sizes = {f"scene{index}": int(size) for index, size in enumerate(generator.integers(1, 25, 40))}
        dealt = deal(sizes, (4, 1, 1), seed)
        total = sum(sizes.values())
        shares = [sum(sizes[name] for name in sizes if dealt[name] == split) / total for split in range(3)]
        assert shares == pytest.approx([4 / 6, 1 / 6, 1 / 6], abs=0.02)


def test_another_seed_deals_otherwise() -> None:
    sizes = {f"scene{index}": 5 for index in range(30)}
    assert len({tuple(deal(sizes, (4, 1, 1), seed).values()) for seed in range(5)}) == 5


def test_one_giant_goes_to_the_largest_split() -> None:
    dealt = deal({"giant": 100, "a": 1, "b": 1}, (4, 1, 1), 0)
    assert dealt["giant"] == 0
    assert {dealt["a"], dealt["b"]} == {1, 2}
