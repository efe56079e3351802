"""Recoloured chips: a train chip without its colours, coloured anew, and brought to the colours of another chip.

The network gives likely colours; what makes one image differ from the next is the reference: another train chip of the
same scene, or with the same largest class, at another date or under another light. Its mean and spread of both opponent
colours of Lab become those of the image (Reinhard et al. 2001). Lightness, and so all structure, stays; labels stay.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rsmodels.data.fields import Field
from rsmodels.data.scenes import USUAL_COLUMN
from rsmodels.data.source import ChipSource, field
from rsmodels.lab import to_lab, to_rgb
from rsmodels.synth.schema import clear_of
from rsprep.store.schema import Column

IMAGE: Final = "image"
STRETCH: Final = 3.0
"""Most that the spread of a colour is widened or narrowed: a reference of one shade would take all contrast."""
TINY: Final = 1e-4
REFERENCE = Column(name="reference_id", kind="string", meaning="chip whose colours it was brought to")
LABEL = Column(name=USUAL_COLUMN, kind="string", meaning="scene of the parent")


def kept_fields(source: ChipSource, image: Field) -> tuple[Field, ...]:
    """What describes the ground of a chip, and stays when its image is recoloured: all variables but other images."""
    left_out = {image.variable, clear_of(source, (image,))}
    names = [one.name for one in source.schema.variables if one.name not in left_out]
    found = [field(source, name, name) for name in names]
    return tuple(one for one in found if one.kind != "optical")


def has_scenes(source: ChipSource) -> bool:
    """True where each chip has a scene: a column that a recoloured chip takes over."""
    return any(column.name == USUAL_COLUMN for column in source.schema.columns)


def columns_of(source: ChipSource) -> tuple[Column, ...]:
    """Columns that recoloured chips have besides those of all synthetic ones."""
    return (REFERENCE, LABEL) if has_scenes(source) else (REFERENCE,)


def groups_of(source: ChipSource, slots: NDArray[np.int64], pixels: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """(chip,) number of the group of each chip: its scene, else its largest class, else one group for all.

    Only chips of one group lend each other their colours: water does not take those of a forest.

    Parameters
    ----------
    pixels : (chip, class) of each class, as :func:`rsmodels.synth.rarity.class_pixels` counts them; None without any.
    """
    if has_scenes(source):
        at = np.searchsorted(source.chips.slot, slots)
        return np.unique(source.column(USUAL_COLUMN)[at], return_inverse=True)[1].astype(np.int64)
    return np.zeros(len(slots), np.int64) if pixels is None else pixels.argmax(axis=1)


def reference_for(slot: int, seed: int, slots: NDArray[np.int64], groups: NDArray[np.int64]) -> int:
    """Slot of the chip that lends its colours to the one in `slot`: another of its group, or itself if it is alone."""
    own = groups[np.searchsorted(slots, slot)]
    others = slots[(groups == own) & (slots != slot)]
    return int(others[np.random.default_rng((seed, slot)).integers(len(others))]) if len(others) else slot


def colour_figures(rgb: Tensor, valid: Tensor) -> NDArray[np.float32]:
    """Mean and spread of a and b (2, 2) over the valid pixels of an image (3, y, x) of 0 to 1; NaN where none is."""
    opponents = to_lab(rgb[None])[0, 1:, valid]
    if not opponents.shape[1]:
        return np.full((2, 2), np.nan, np.float32)
    return torch.stack([opponents.mean(dim=1), opponents.std(dim=1, correction=0)], dim=1).numpy()


def lightened(images: Tensor, parents: Tensor) -> Tensor:
    """Images (n, 3, y, x) of 0 to 1 with the lightness, and so the structure, of `parents`."""
    return to_rgb(torch.cat([to_lab(parents)[:, :1], to_lab(images)[:, 1:]], dim=1))


def brought_to(rgb: Tensor, valid: Tensor, wanted: NDArray[np.float32], strength: float) -> Tensor:
    """An image (3, y, x) of 0 to 1 with the mean and spread of a and b (2, 2) that are `wanted`.

    Parameters
    ----------
    valid : (y, x) bool: pixels that count.
    wanted : of :func:`colour_figures`; NaN leaves the image as it is.
    strength : how far, from 0 to 1.
    """
    if not np.isfinite(wanted).all() or not strength or not bool(valid.any()):
        return rgb
    lab = to_lab(rgb[None])[0]
    mean, spread = torch.from_numpy(colour_figures(rgb, valid)).T[..., None, None]
    to_mean, to_spread = torch.from_numpy(wanted).T[..., None, None]
    factor = (to_spread / spread.clamp_min(TINY)).clamp(1 / STRETCH, STRETCH)
    moved = (lab[1:] - mean) * factor + to_mean
    lab = torch.cat([lab[:1], torch.lerp(lab[1:], moved, strength)])
    return to_rgb(lab[None])[0]
