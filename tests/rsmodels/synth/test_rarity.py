"""Rare classes gain by plain arithmetic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsmodels.data.raw import ChipFields
from rsmodels.data.source import ChipSource, field
from rsmodels.synth.rarity import apportioned, chip_weights, class_pixels, class_weights


def test_a_class_weighs_the_inverse_root_of_its_share() -> None:
    np.testing.assert_allclose(class_weights(np.array([96, 0, 4])), [1 / np.sqrt(0.96), 0, 5])
    assert class_weights(np.zeros(3, np.int64)).tolist() == [0, 0, 0]


def test_a_chip_weighs_the_mean_of_its_known_pixels() -> None:
    pixels = np.array([[90, 0], [6, 4], [0, 0], [0, 0]])
    common, rare = class_weights(np.array([96, 4]))
    np.testing.assert_allclose(chip_weights(pixels), [common, 0.6 * common + 0.4 * rare, 0, 0])


@given(
    weights=st.lists(st.floats(0, 100), min_size=1, max_size=12),
    most=st.integers(1, 16),
    share=st.floats(0, 1),
    seed=st.integers(0, 3),
)
def test_parts_are_whole_add_up_and_none_is_above_the_most(
    weights: list[float], most: int, share: float, seed: int
) -> None:
    count = round(share * most * len(weights))
    given = np.array(weights)
    parts = apportioned(given, count, most, seed)
    assert parts.sum() == count
    assert 0 <= parts.min() <= parts.max() <= most
    np.testing.assert_array_equal(parts, apportioned(given, count, most, seed))
    order = np.argsort(given, kind="stable")
    assert (np.diff(parts[order])[np.diff(given[order]) > 1e-9] >= 0).all()  # more weight, no fewer chips


def test_the_seed_decides_between_equals() -> None:
    found = {tuple(apportioned(np.ones(8), 3, 4, seed).tolist()) for seed in range(20)}
    assert len(found) > 5
    with pytest.raises(ValueError, match="9 of 8"):
        apportioned(np.ones(4), 9, 2, 0)


def test_pixels_of_each_class_are_counted_without_the_unknown_ones(tiny_dataset: Path) -> None:
    source = ChipSource.open(tiny_dataset)
    label = field(source, "landcover")
    slots = source.of_split("train")[:5]
    counted = class_pixels(source, label, slots)
    for row, slot in zip(counted, slots.tolist(), strict=True):
        codes = ChipFields(source, [label]).read(slot)[0]["landcover"]
        assert row.tolist() == [int((codes == code).sum()) for code in label.codes]
        assert row.sum() == (codes != 255).sum()
