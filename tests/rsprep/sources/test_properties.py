from __future__ import annotations

from typing import Any

import pytest

from rsprep.sources.product_rules import Sentinel1Product
from rsprep.sources.properties import first_difference, in_stac_words, kept_properties


def _rules(**changes: Any) -> Sentinel1Product:
    words: dict[str, Any] = {
        "collection": "s1", "assets": {"VV": "VV"}, "units": "power", "calibration": "gamma0",
        "dtype": "float32", "nodata": 0, **changes,
    }  # fmt: skip
    return Sentinel1Product.model_validate(words)


@pytest.mark.parametrize(
    ("where", "told", "difference"),
    [
        ({}, {}, None),
        ({"mode": "IW"}, {"mode": "IW"}, None),
        ({"mode": "IW"}, {"mode": "EW"}, "mode: EW"),
        ({"mode": "IW"}, {}, "mode: None"),
        ({"mode": "IW", "res": 10}, {"mode": "IW", "res": 10.0}, None),
        ({"mode": "IW", "res": 10}, {"mode": "IW", "res": 40}, "res: 40"),
        ({"sar:polarizations": "VH"}, {"sar:polarizations": ["VV", "VH"]}, None),
        ({"sar:polarizations": "VH"}, {"sar:polarizations": ["VV"]}, "sar:polarizations: ['VV']"),
        ({"flag": True}, {"flag": True}, None),
        ({"flag": True}, {"flag": 1}, "flag: 1"),
        ({"count": 1}, {"count": True}, "count: True"),
    ],
)
def test_items_that_differ_are_told_apart(where: Any, told: Any, difference: str | None) -> None:
    assert first_difference(told, _rules(where=where)) == difference


def test_a_property_is_known_under_both_names() -> None:
    rules = _rules(properties={"sar:instrument_mode": "instrumentMode"}, where={"sar:instrument_mode": "IW"})
    told = in_stac_words({"instrumentMode": "IW"}, rules)
    assert first_difference(told, rules) is None
    assert first_difference(told, _rules(where={"instrumentMode": "IW"})) is None
    assert kept_properties(told, rules) == {"sar:instrument_mode": "IW"}


def test_a_property_that_the_provider_lacks_is_not_made_up() -> None:
    rules = _rules(properties={"platform": "SPACECRAFT"})
    assert kept_properties(in_stac_words({"platform": "sentinel-1a"}, rules), rules) == {"platform": "sentinel-1a"}
    assert kept_properties(in_stac_words({}, rules), rules) == {}
