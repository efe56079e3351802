"""What an edit comes to for one chip: its mask and its noise, before and after."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from rsmodels.data.fields import Field
from rsmodels.editing.masks import Mask, class_index, read_mask, region_of, replaced, require_class
from rsmodels.editing.settings import ALL, EditSettings
from rsmodels.errors import ModelError
from rsmodels.synth.checks import require_noise
from rsmodels.training.load import Trained


@dataclass(frozen=True, kw_only=True, eq=False)
class Asked:
    """An edit, checked."""

    label: Field
    mask: tuple[Mask, Mask]
    """Before and after."""
    redrawn: tuple[int, ...]
    """Indices of the classes with other noise; of all that the mask has where the whole noise is another."""
    noise: tuple[Tensor, Tensor] | None
    """(1, ...) before and after; None for a generator without noise."""
    whole: bool
    """True where the whole noise is another, that of unknown classes included."""

    @property
    def region(self) -> NDArray[np.bool_]:
        """(y, x) True where the edit was asked for."""
        region = region_of(*self.mask, self.label, self.redrawn)
        return np.ones_like(region) if self.whole else region


def asked_of(trained: Trained, label: Field, mask: Mask, unknown: int, settings: EditSettings) -> Asked:
    """The edit that `settings` ask for.

    Parameters
    ----------
    mask : of the chip.
    unknown : code of pixels whose class is not known.

    Raises
    ------
    ModelError : as :func:`rsmodels.editing.edit.edit`.
    """
    after = mask if settings.mask is None else read_mask(settings.mask, label, mask, unknown)
    after = replaced(after, label, settings.replace)
    whole = settings.redraw == (ALL,)
    if whole:
        redrawn = tuple(i for i, code in enumerate(label.codes) if (after == code).any())
    else:
        redrawn = tuple(dict.fromkeys(class_index(label, name) for name in settings.redraw))
    for index in redrawn:
        require_class(after, label, index, "redraw")
    if not settings.redraw and np.array_equal(mask, after):
        raise nothing("the mask is the one that the chip has, and no class is to be redrawn")
    noise = _noise(trained, settings, redrawn)
    return Asked(label=label, mask=(mask, after), redrawn=redrawn, noise=noise, whole=whole)


def _noise(trained: Trained, settings: EditSettings, redrawn: tuple[int, ...]) -> tuple[Tensor, Tensor] | None:
    if not settings.redraw:
        if trained.noise is None:
            return None
        before = trained.noise.seeded([settings.seed])
        return before, before
    form = require_noise(trained, f"redraw: {', '.join(settings.redraw)}")
    if settings.seed == settings.new_seed:
        raise ModelError(
            "same-seed",
            "the redrawn noise is the one that is there: both have one seed",
            value=settings.seed,
            remedy="give another --new-seed",
        )
    before, other = form.seeded([settings.seed]), form.seeded([settings.new_seed])
    if settings.redraw == (ALL,):
        return before, other
    if not form.by_class:
        raise ModelError(
            "noise-not-by-class",
            f"{trained.settings.model} draws one noise for the whole image, not one a class",
            value=", ".join(settings.redraw),
            remedy=f"--redraw {ALL}, or a generator such as csebgan",
        )
    return before, form.redrawn(before, other, redrawn)


def nothing(cause: str) -> ModelError:
    """An edit that changes nothing."""
    return ModelError(
        "nothing-to-edit",
        cause,
        value="",
        remedy="--redraw CLASS, --replace CLASS=CLASS or --mask FILE with something that differs",
    )
