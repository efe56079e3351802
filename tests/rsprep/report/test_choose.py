"""Which chips are shown: always the same ones, of every kind, and the worst among them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from rsprep.report.choose import choose, describe
from rsprep.report.data import ChipTable
from tests.rsprep.report.samples import CLASSES, chip_table


def shuffled(table: ChipTable, seed: int) -> ChipTable:
    order = np.random.default_rng(seed).permutation(len(table))
    moved: dict[str, Any] = {
        name: tuple(column[i] for i in order) if isinstance(column, tuple) else column[order]
        for name, column in vars(table).items()
    }
    return ChipTable(**moved)


def test_same_chips_in_whatever_order_they_were_finished() -> None:
    table = chip_table(60)
    ids = [table.chip_id[choice.index] for choice in choose(table)]
    again = shuffled(table, 3)
    assert [again.chip_id[choice.index] for choice in choose(again)] == ids
    assert len(ids) == len(set(ids)) == 12


def test_worst_chips_are_shown_and_said() -> None:
    table = chip_table(60)
    assert table.s2_cloud_fraction is not None
    assert table.valid_fraction is not None
    by_why = {choice.why: choice.index for choice in choose(table) if choice.why}
    committed = np.flatnonzero(table.committed)
    assert by_why["cloudiest"] == committed[np.argmax(table.s2_cloud_fraction[committed])]
    assert by_why["least valid"] == committed[np.argmin(table.valid_fraction[committed])]
    assert "cloudiest" in describe(table, choose(table)[-2], CLASSES)


def test_only_committed_chips() -> None:
    table = chip_table(60)
    assert all(table.state[choice.index] == "committed" for choice in choose(table, 60))
    assert len(choose(table, 60)) == 58


def test_rare_split_and_rare_class_are_not_missed() -> None:
    """99 of 100 chips are train and water; the only test chip and the only built chip are shown."""
    table = chip_table(100)
    shares = np.tile([0.9, 0.1, 0.0, 0.0], (100, 1))
    shares[37] = [0.0, 0.1, 0.0, 0.9]
    splits = ["train"] * 100
    splits[52] = "test"
    chosen = {c.index for c in choose(dataclasses.replace(table, class_shares=shares, split=tuple(splits)), 8)}
    assert {37, 52} <= chosen


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_as_many_as_asked_for(n: int) -> None:
    assert len(choose(chip_table(30), n)) == n


def test_without_cloud_validity_and_classes() -> None:
    table = dataclasses.replace(chip_table(30), s2_cloud_fraction=None, valid_fraction=None, class_shares=None)
    chosen = choose(table)
    assert len(chosen) == 12
    assert {choice.why for choice in chosen} == {""}
    assert {table.split[choice.index] for choice in chosen} == {"train", "val", "test"}
    assert describe(table, chosen[0], CLASSES) == table.split[chosen[0].index]


def test_negative_number() -> None:
    with pytest.raises(ValueError, match="-1 chips"):
        choose(chip_table(), -1)
