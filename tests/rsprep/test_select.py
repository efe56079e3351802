"""Selection of finished chips at the seal."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rsprep.config import Select
from rsprep.select import dominant_class, select


def chip(
    name: str, valid: float | None = 1.0, cloud: float | None = 0.0, shares: dict[int, float] | None = None
) -> dict[str, Any]:
    return {"chip_id": name, "valid_fraction": valid, "s2_cloud_fraction": cloud, "class_shares": shares}


def test_limits_are_inclusive_and_say_the_numbers() -> None:
    chips = [
        chip("fine", 0.9, 0.2),
        chip("cloudy", 0.95, 0.83),
        chip("thin", 0.412, 0.0),
        chip("close", 0.9, 0.2004),
        chip("closer", 0.9, 0.2 + 1e-8),
    ]
    assert select(chips, Select(min_valid=0.9, max_cloud=0.2)) == {
        "close": "cloud 0.2004 > 0.20",
        "closer": "cloud 0.200000010 > 0.20",
        "cloudy": "cloud 0.83 > 0.20",
        "thin": "valid 0.41 < 0.90",
    }


def test_unknown_fractions_are_not_numbers() -> None:
    chips = [chip("a", None, 0.0), chip("b", 1.0, float("nan"))]
    assert select(chips, Select()) == {}
    reasons = select(chips, Select(min_valid=0.5, max_cloud=0.5))
    assert "unknown" in reasons["a"]
    assert "unknown" in reasons["b"]


def test_dominant_class() -> None:
    assert dominant_class({1: 0.2, 4: 0.7, 0: 0.1}) == 4
    assert dominant_class({4: 0.5, 1: 0.5}) == 1
    assert dominant_class({}) is dominant_class(None) is dominant_class({3: 0.0}) is None


def test_quotas() -> None:
    chips = [chip(f"c{n}", shares={4: 0.6, 1: 0.4}) for n in range(10)]
    chips += [chip(f"d{n}", shares={7: 1.0}) for n in range(5)] + [chip("e")]
    reasons = select(chips, Select(quotas={4: 3}))
    full = [name for name, reason in reasons.items() if reason == "quota of class 4 is full (3)"]
    assert len(full) == 7
    assert all(name.startswith("c") for name in full)
    assert reasons["e"] == "no land-cover labels, so it fills no quota"
    assert len(reasons) == 8


def test_a_chip_that_fails_a_limit_fills_no_quota() -> None:
    chips = [chip(f"c{n}", valid=0.0 if n < 8 else 1.0, shares={4: 1.0}) for n in range(10)]
    assert len(select(chips, Select(min_valid=0.5, quotas={4: 2}))) == 8


@given(st.permutations(list(range(12))), st.integers(0, 12), st.integers(0, 5))
def test_order_of_arrival_does_not_matter(order: list[int], wanted: int, seed: int) -> None:
    chips = [chip(f"c{n:02d}", valid=n / 12, shares={n % 2: 1.0}) for n in range(12)]
    limits = Select(min_valid=0.2, quotas={0: wanted})
    assert select([chips[n] for n in order], limits, seed=seed) == select(chips, limits, seed=seed)


def test_the_seed_changes_who_fills_a_quota() -> None:
    chips = [chip(f"c{n}", shares={4: 1.0}) for n in range(50)]
    random.Random(3).shuffle(chips)
    assert len({frozenset(select(chips, Select(quotas={4: 5}), seed=seed)) for seed in range(5)}) > 1
