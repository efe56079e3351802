"""Let rare classes gain: which train chips lend their conditions how often, by the classes that they show.

A class weighs the inverse root of its share of the train pixels: one that has a hundredth of them ten times as much as
one that had all. A chip weighs the mean over its pixels, unknown ones left out. So a rare class gains without the
common ones being lost, which the plain inverse would come near to.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rsmodels.data.fields import Field
from rsmodels.data.raw import ChipFields
from rsmodels.data.source import ChipSource


def class_pixels(source: ChipSource, label: Field, slots: NDArray[np.int64]) -> NDArray[np.int64]:
    """(chip, class) pixels of each class of the field `label` in the chips in `slots`; unknown ones are not counted."""
    reader = ChipFields(source, [label])
    counts = np.zeros((len(slots), len(label.codes)), np.int64)
    for row, slot in zip(counts, slots.tolist(), strict=True):
        codes, pixels = np.unique(reader.read(slot)[0][label.name], return_counts=True)
        here = dict(zip(codes.tolist(), pixels.tolist(), strict=True))
        row[:] = [here.get(code, 0) for code in label.codes]
    return counts


def class_weights(pixels: NDArray[np.int64]) -> NDArray[np.float64]:
    """(class,) the inverse root of each class's share of `pixels` (class,); 0 for a class without any."""
    shares = pixels / max(int(pixels.sum()), 1)
    return np.divide(1.0, np.sqrt(shares), out=np.zeros(len(pixels)), where=pixels > 0)


def chip_weights(pixels: NDArray[np.int64]) -> NDArray[np.float64]:
    """(chip,) mean weight of the known pixels of each chip, from :func:`class_pixels`; 0 for a chip without any."""
    total = pixels @ class_weights(pixels.sum(axis=0))
    return np.asarray(total / np.maximum(pixels.sum(axis=1), 1))


def apportioned(weights: NDArray[np.float64], count: int, most: int, seed: int) -> NDArray[np.int64]:
    """`count` in whole parts in proportion to `weights`, none above `most`: the largest remainders are rounded up.

    What those at `most` cannot take goes to the others, again in proportion. `seed` decides between equal remainders.

    Raises
    ------
    ValueError : `count` is more than all together can take.
    """
    if count > most * len(weights):
        raise ValueError(f"{count} of {most * len(weights)} possible")
    parts = np.zeros(len(weights), np.int64)
    free = np.ones(len(weights), np.bool_)
    while True:
        left = count - int(parts[~free].sum())
        among = np.where(free, weights, 0.0)
        if not among.any():  # all that have a weight are full
            among = free.astype(np.float64)
        among = among / among.max() if among.any() else among
        ideal = left * among / max(among.sum(), 1.0)
        full = free & (ideal >= most)
        if not full.any():
            break
        parts[full], free[full] = most, False
    parts[free] = np.floor(ideal[free]).astype(np.int64)
    rest = count - int(parts.sum())
    shuffled = np.random.default_rng(seed).permutation(np.flatnonzero(free))
    order = shuffled[np.argsort(-(ideal - parts)[shuffled], kind="stable")]
    parts[order[:rest]] += 1
    return parts
