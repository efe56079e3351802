"""The image that a generator makes of one chip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from rsmodels.data.batch import ChipBatch, ChipKey
from rsmodels.errors import ModelError
from rsmodels.synth.painting import painted_where
from rsmodels.training.load import Trained

IMAGE = "image"


@dataclass(frozen=True, kw_only=True, eq=False)
class Painted:
    """An image that was generated."""

    stored: NDArray[Any]
    """([bands], y, x) as a store holds it."""
    unit: Tensor
    """(bands, y, x) on 0 to 1."""
    batch: ChipBatch
    """The conditions, and the image under ``image``; `valid` of the image is where it counts."""


def painted(trained: Trained, raw: Mapping[str, NDArray[Any]], noise: Tensor | None) -> Painted:
    """The image of one chip's conditions.

    Parameters
    ----------
    raw : field to values ([bands], y, x) as they are stored.
    noise : (1, ...); None for a generator without noise.

    Raises
    ------
    ModelError : ``not-finite``.
    """
    conditions = [field for field in trained.fields if field.name != IMAGE]
    encoded = {field.name: trained.normaliser.encode(field.name, raw[field.name][None]) for field in conditions}
    batch = ChipBatch(
        values={name: torch.from_numpy(values) for name, (values, _) in encoded.items()},
        valid={name: torch.from_numpy(valid) for name, (_, valid) in encoded.items()},
        chips=(ChipKey(0, 0),),
    )
    image = trained.generate(batch, noise).float()
    if not bool(image.isfinite().all()):
        raise ModelError(
            "not-finite",
            "the generator made numbers that are not finite",
            value=str(trained.path),
            remedy="give another checkpoint",
        )
    valid = painted_where(conditions, batch.valid)
    stored = trained.normaliser.to_store(IMAGE, image, valid)[0]
    whole = replace(batch, values={**batch.values, IMAGE: image}, valid={**batch.valid, IMAGE: valid})
    return Painted(stored=stored, unit=trained.normaliser.unit(IMAGE, image)[0], batch=whole)
