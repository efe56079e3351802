"""What JSON has no number for is null."""

from __future__ import annotations

import json
import math

from rsmodels.records import as_json, number


def test_numbers_that_are_none() -> None:
    text = as_json({"a": float("nan"), "b": [1.5, float("inf")], "c": {"d": (-math.inf, 2)}, "e": "nan"})
    assert json.loads(text, parse_constant=lambda word: 1 / 0) == {
        "a": None, "b": [1.5, None], "c": {"d": [None, 2]}, "e": "nan",
    }  # fmt: skip
    assert math.isnan(number(None))
    assert number(3) == 3.0
