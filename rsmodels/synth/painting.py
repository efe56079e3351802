"""Where a generator's image counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from rsmodels.data.fields import Field


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
