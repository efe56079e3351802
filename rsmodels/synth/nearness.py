"""How near synthetic chips come to train chips: a generator that recites makes nothing new.

Distances are those of :mod:`rsmodels.metrics.nearest`. An image of turned conditions is turned back first: a recited
one lies as near to its train chip then as if it had not been turned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rsmodels.data.augment import ELEMENTS, inverse
from rsmodels.data.source import ChipSource
from rsmodels.metrics.nearest import Gallery
from rsmodels.training.load import Trained

IMAGE = "image"
AT_A_TIME = 256


def gallery_of(source: ChipSource, trained: Trained) -> Gallery:
    """The train chips of `source`, as the generator knows images."""
    field = trained.normaliser.field(IMAGE)
    return Gallery.of(source, source.of_split("train").tolist(), field, trained.normaliser)


def turned_back(plane: NDArray[Any], element: int) -> NDArray[Any]:
    """`plane` (..., y, x), turned by `element` of the dihedral group, as it was before."""
    back = inverse(element % ELEMENTS)
    return np.ascontiguousarray(np.rot90(plane[..., ::-1] if back >= 4 else plane, back % 4, axes=(-2, -1)))


def nearest_chips(
    gallery: Gallery,
    trained: Trained,
    images: Sequence[tuple[NDArray[Any], NDArray[np.bool_]]],
    elements: Sequence[int],
) -> list[tuple[float, str]]:
    """Distance of each image to the nearest train chip, and that chip; 1 and nothing where none compares.

    Parameters
    ----------
    images : ([bands], y, x) as a store holds it, and where it is valid (y, x).
    elements : by which their conditions were turned.
    """
    stored = np.stack([turned_back(image, element) for (image, _), element in zip(images, elements, strict=True)])
    there = np.stack([turned_back(valid, element)[None] for (_, valid), element in zip(images, elements, strict=True)])
    values, known = trained.normaliser.encode(IMAGE, stored)
    unit = trained.normaliser.unit(IMAGE, torch.from_numpy(values))
    found = gallery.nearest(unit, torch.from_numpy(known & there))
    pairs = zip(found.distances, found.ids, strict=True)
    return [(float(distance), name) if name else (1.0, "") for distance, name in pairs]


def apart(source: ChipSource, trained: Trained) -> NDArray[np.float64]:
    """(chip,) distance of each train chip to the nearest other one; infinite where none compares."""
    gallery = gallery_of(source, trained)
    parts = [np.empty(0)]
    for first in range(0, len(gallery), AT_A_TIME):
        part = slice(first, first + AT_A_TIME)
        images, known = gallery.thumbs[part], gallery.known[part, None].bool()
        parts.append(gallery.nearest(images, known, without=gallery.slots[part].tolist()).distances)
    return np.concatenate(parts)
