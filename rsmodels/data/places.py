"""One place a chip: what two views of the same ground have in common, as a column of the store tells it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rsprep.store.schema import Variable

PLACE: Final = "place"
ELSEWHERE: Final = -1
"""Index of a place that is not among those that are told apart: any that was not trained on."""
USUAL_COLUMNS: Final = ("source", "chip_id")
"""Where the field ``place`` is looked for: the chip that an occlusion corpus was made of, else the chip's own name."""


def place_names(found: NDArray[Any]) -> tuple[str, ...]:
    """Names of the places of some chips, each once and in order. There may be as many as there are chips."""
    return tuple(sorted(set(found.astype(str).tolist()) - {""}))


def place_indices(found: NDArray[Any], places: Sequence[str]) -> NDArray[np.int64]:
    """Index of each chip's place; ``ELSEWHERE`` for one that is not among `places`."""
    index = {name: number for number, name in enumerate(places)}
    return np.array([index.get(name, ELSEWHERE) for name in found.astype(str).tolist()], np.int64)


def place_variable(column: str) -> Variable:
    """Stands in for a variable of the store: an index instead of pixels."""
    return Variable(name=column, bands=None, band_dim=None, dtype="int64", fill=ELSEWHERE)
