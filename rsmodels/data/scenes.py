"""One class a chip: what a whole picture shows, as a column of the store tells it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rsmodels.data.fields import IGNORE
from rsmodels.errors import ModelError
from rsprep.store.schema import Variable

SCENE: Final = "scene"
USUAL_COLUMN: Final = "label"
"""Where the field ``scene`` is looked for when no column is named: the folder of a picture, in an occlusion corpus."""


def scene_classes(labels: NDArray[Any], column: str, where: str) -> tuple[str, ...]:
    """The labels of some chips, each once and in alphabetical order; chips without one are left out.

    Raises
    ------
    ModelError : ``no-scenes`` where no chip has a label, or more than the 255 that can be told apart.
    """
    found = sorted(set(labels.astype(str).tolist()) - {""})
    if not 0 < len(found) <= IGNORE:
        raise ModelError(
            "no-scenes",
            f"the column {column} of {where} names no classes of scenes",
            value=f"{len(found):,} labels",
            remedy=f"give a data set with 1 to {IGNORE} labels, as `rsprep occlude` takes them from folders",
        )
    return tuple(found)


def scene_indices(labels: NDArray[Any], classes: Sequence[str]) -> NDArray[np.int64]:
    """Class index of each label; ``IGNORE`` for none, and for one that is not among `classes`."""
    index = {name: number for number, name in enumerate(classes)}
    return np.array([index.get(label, IGNORE) for label in labels.astype(str).tolist()], np.int64)


def scene_variable(column: str) -> Variable:
    """Stands in for a variable of the store: a class index instead of pixels."""
    return Variable(name=column, bands=None, band_dim=None, dtype="int64", fill=IGNORE)
