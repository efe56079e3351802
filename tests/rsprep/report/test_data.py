"""Records that contradict themselves are refused."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import numpy as np
import pytest

from rsprep.report.data import MAX_EXAMPLES, Counts, LandClass, Quicklook, State, group_problems
from tests.rsprep.report.samples import chip_table


def test_counts_add_up() -> None:
    assert Counts(planned=10, committed=6, rejected=1, quarantined=1).pending == 2
    with pytest.raises(ValueError, match="do not add up"):
        Counts(planned=3, committed=4)


def test_columns_have_one_entry_a_chip() -> None:
    with pytest.raises(ValueError, match="column lon has 3 entries for 12 chips"):
        dataclasses.replace(chip_table(), lon=np.zeros(3))
    with pytest.raises(ValueError, match="corners must be"):
        dataclasses.replace(chip_table(), corners=np.zeros((12, 4)))
    with pytest.raises(ValueError, match="unknown chip state 'done'"):
        dataclasses.replace(chip_table(), state=cast("Any", ("done",) * 12))


def test_quicklook_is_rgb_bytes() -> None:
    with pytest.raises(ValueError, match=r"expected \(y, x, 3\) uint8"):
        Quicklook(chip_id="a", caption="", layers={"s2": np.zeros((4, 4, 3), dtype=np.float32)})


def test_problems_are_counted_whole_and_named_in_part() -> None:
    states: tuple[State, ...] = (*("rejected",) * 50, *("quarantined",) * 2, *("committed",) * 8)
    reasons = ("cloud",) * 30 + ("data",) * 20 + ("",) * 10
    problems = group_problems(dataclasses.replace(chip_table(60), state=states, reason=reasons))
    assert [(p.state, p.reason, p.count) for p in problems] == [
        ("quarantined", "no reason recorded", 2),
        ("rejected", "cloud", 30),
        ("rejected", "data", 20),
    ]
    assert len(problems[1].examples) == MAX_EXAMPLES


@pytest.mark.parametrize("colour", ["red", "#12345", "#12345g", "#123456;background:url(x)"])
def test_class_colour_is_hexadecimal(colour: str) -> None:
    """The colour goes into a style attribute: nothing but a colour may pass."""
    with pytest.raises(ValueError, match="#rrggbb"):
        LandClass(name="water", colour=colour)
