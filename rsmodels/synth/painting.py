"""What a parent lends to an image, and where the image that a model makes of it counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from rsmodels.data.fields import Field
from rsmodels.data.source import ChipSource
from rsmodels.synth.recolour import kept_fields
from rsmodels.training.load import Trained

IMAGE = "image"


def recolours(trained: Trained) -> bool:
    """True for a model that colours the images of parents anew, false for one that paints conditions."""
    return trained.kind == "colorization"


def lent_fields(trained: Trained, source: ChipSource) -> tuple[Field, ...]:
    """What is read of a parent: a generator's conditions; of a colorizer the image itself, and all that stays."""
    if recolours(trained):
        return (*trained.fields, *kept_fields(source, trained.fields[0]))
    return tuple(field for field in trained.fields if field.name != IMAGE)


def stored_fields(trained: Trained, source: ChipSource) -> tuple[Field, ...]:
    """What a synthetic chip holds: the image, then what it was made from or what stays beside it."""
    return (trained.fields[0], *(field for field in lent_fields(trained, source) if field.name not in (IMAGE, "grey")))


def painted_where(conditions: Sequence[Field], valid: Mapping[str, Tensor]) -> Tensor:
    """(B, 1, y, x) bool: True where the image that is made of `conditions` counts.

    That is where all of them are known. A generator of a class map alone also counts where the class is unknown: it has
    learned what lies between the labelled regions from the images there, and gaps in their shape would tell whoever
    trains on its images where the labels are.

    Parameters
    ----------
    conditions : of the generator.
    valid : field to (B, 1, y, x), where each is known.
    """
    known = [valid[field.name] for field in conditions]
    if all(field.kind == "classes" for field in conditions):
        return torch.ones_like(known[0])
    return torch.stack(known).all(dim=0)
