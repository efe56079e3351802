"""Odd but valid inputs are taken, and understood."""

from __future__ import annotations

import pytest

from tests.inputs import areas, asked, catalogs, corpora, datasets, models
from tests.inputs.table import ODD, Kit

GROUPS = (areas, asked, catalogs, corpora, datasets, models)
"""The modules that enter cases."""


@pytest.mark.parametrize("key", ODD)
def test_is_taken(key: str, kit: Kit) -> None:
    ODD[key].check(kit)


def test_there_are_enough() -> None:
    assert len(ODD) >= 60
