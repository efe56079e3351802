"""All bugs, and the rows of the list of pitfalls that have none."""

from __future__ import annotations

from collections.abc import Mapping

from tests.planted import ground, imagery, learning, storing
from tests.planted.planting import Plant

ROWS = range(1, 54)
"""Numbers of the list of pitfalls."""
PLANTS: tuple[Plant, ...] = (*storing.PLANTS, *imagery.PLANTS, *ground.PLANTS, *learning.PLANTS)
NOT_OURS: Mapping[int, str] = {}
"""Rows that do not apply, with the reason."""
