"""Which chips of equal images stay, and when the generator is refused."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from rsmodels.synth.equal import MOST_ALIKE, NOT_TOLD_APART, SAME_CONDITIONS, refuse_equal
from rsprep.errors import BuildError


class Journal:
    """Chips as (image, conditions, noise)."""

    def __init__(self, *chips: tuple[Any, ...]) -> None:
        self._chips = chips

    def chips(self, state: str) -> Any:
        assert state == "committed"
        for number, (image, conditions, *noise) in enumerate(self._chips):
            stats = {"image": image, "conditions": conditions, "noise": (noise or [None])[0], "valid_fraction": 1.0}
            yield SimpleNamespace(chip_id=f"chip{number}", stats=stats)


def left_out(*chips: tuple[Any, ...]) -> dict[str, str]:
    return refuse_equal(Journal(*chips))  # type: ignore[arg-type]  # all that it looks at


MANY = [(f"image {k}", f"mask {k}") for k in range(100)]


def test_of_equal_conditions_one_chip_stays() -> None:
    assert left_out(("a", "x"), ("b", "y"), ("a", "x"), ("a", "x")) == dict.fromkeys(
        ("chip2", "chip3"), SAME_CONDITIONS
    )


def test_a_few_maps_that_are_not_told_apart_are_left_out_all_of_them() -> None:
    """One image for two labels is wrong for one of them at least."""
    few = [("grey", "all water"), ("grey", "all trees"), ("grey", "all water")]
    assert left_out(*few, *MANY) == dict.fromkeys(("chip0", "chip1", "chip2"), NOT_TOLD_APART)


def test_many_of_them_are_an_error_and_equal_chips_do_not_dilute_it() -> None:
    many = [("grey", f"other {k}") for k in range(6)]
    assert len(many) > MOST_ALIKE * len(many + MANY)
    again = [("image 0", "mask 0")] * 1000
    with pytest.raises(BuildError, match=r"(?s)equal-chips.*chip0 and chip1"):
        left_out(*many, *MANY, *again)


def test_noise_without_effect_is_an_error() -> None:
    with pytest.raises(BuildError, match=r"(?s)equal-samples.*chip0 and chip1"):
        left_out(("a", "x", 1), ("a", "x", 2))
