"""Who colours: a trained network, what it starts from, and the scales of the numbers on either side of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rsmodels.colouring.settings import ColorizeSettings
from rsmodels.data.fit import Scaling
from rsmodels.data.normalise import Normaliser
from rsmodels.errors import ModelError
from rsmodels.generators.colorization_settings import GREY, IMAGE, LIGHTNESS, ColorizationSettings
from rsmodels.lab import to_lab
from rsmodels.tiling.numbers import Numbers, bands_of, rescaled
from rsmodels.tiling.tiles import Flags, Tiling, make_tiling
from rsmodels.training.load import Trained, load

COLOURS = ("red", "green", "blue")


@dataclass(frozen=True, kw_only=True, eq=False)
class Scales:
    """From the numbers of a file to those of the network, and from its colours back."""

    seen: Normaliser
    """The field GREY: of one band or of three."""
    made: Normaliser
    """The field IMAGE: red, green and blue."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Painter:
    """A colorization network, and how it is to be used."""

    trained: Trained
    tiling: Tiling
    batch: int
    keep_lightness: bool

    @property
    def settings(self) -> ColorizationSettings:
        return cast(ColorizationSettings, self.trained.settings)

    @property
    def starts_from(self) -> str:
        """The band that it learned to colour, or ``lightness``."""
        return self.settings.grey

    def bands_of(self, there: Sequence[str], wanted: Sequence[str] | None, where: str) -> tuple[int, ...]:
        """Positions of the band that is coloured, or of red, green and blue whose lightness is.

        Raises
        ------
        ModelError : ``bands``, see :func:`rsmodels.tiling.numbers.bands_of`.
        """
        if self.starts_from != LIGHTNESS:
            return bands_of((self.starts_from,), there, wanted, where)
        if len(wanted or there) == 1:
            return bands_of((LIGHTNESS,), there, wanted, where)
        learned = self.trained.normaliser.field(IMAGE).bands or COLOURS
        if wanted is None and not set(learned) <= set(there) and set(COLOURS) <= set(there):
            wanted = COLOURS
        return bands_of(learned, there, wanted, where)

    def scales(self, numbers: Numbers, settings: ColorizeSettings) -> Scales:
        """Of a file, from whose one band or three bands colours are made, by the scale or range that `settings` give.

        Of a single band that a model for lightness is given, a number is the grey of which all three colours have it.

        Raises
        ------
        ModelError : ``other-numbers``, see :func:`rsmodels.tiling.numbers.rescaled`.
        """
        learned, scale, offset = self.trained.normaliser, settings.scale, settings.offset
        if settings.range is not None:
            start = learned[IMAGE if self.starts_from == LIGHTNESS else GREY]
            low, high = settings.range
            scale = (start.high[0] - start.low[0]) / (high - low)
            offset = start.low[0] - low * scale
        made = rescaled(learned[IMAGE], numbers, scale, offset)
        seen = made if self.starts_from == LIGHTNESS else rescaled(learned[GREY], numbers, scale, offset)
        return Scales(
            seen=Normaliser(scalings={GREY: _of_bands(seen, numbers)}), made=Normaliser(scalings={IMAGE: made})
        )

    def colour(self, values: NDArray[np.float32], known: Flags) -> NDArray[np.float32]:
        """(B, 3, y, x) normalised red, green and blue of tiles as :attr:`Scales.seen` scales them.

        Parameters
        ----------
        values : (B, 1 or 3, y, x).
        known : (B, 1, y, x) False where there is no data.
        """
        grey = self._grey(torch.from_numpy(values)) * torch.from_numpy(known)
        return self.trained.colours_of(grey, keep_lightness=self.keep_lightness).numpy()

    def _grey(self, values: Tensor) -> Tensor:
        """(B, 1, y, x) of -1 to 1, as :meth:`rsmodels.generators.colorization.ColorizationTask.grey` has it."""
        if self.starts_from != LIGHTNESS:
            return values.clamp(-1.0, 1.0)
        return to_lab((values * 0.5 + 0.5).clamp(0.0, 1.0).expand(-1, 3, -1, -1))[:, :1]


def painter_of(settings: ColorizeSettings) -> Painter:
    """The network that `settings` ask for.

    Raises
    ------
    ModelError : ``not-a-colorizer``, ``no-checkpoint``, ``torn-checkpoint``, ``no-gpu``, ``overlap``;
        ``no-lightness-to-keep`` where the network does not colour lightness, or not in Lab.
    """
    trained = load(settings.checkpoint, device=settings.device)
    trained.require("colorization")
    learned = cast(ColorizationSettings, trained.settings)
    keep = learned.keep_lightness if settings.keep_lightness is None else settings.keep_lightness
    if keep and (learned.space != "lab" or learned.grey != LIGHTNESS):
        raise ModelError(
            "no-lightness-to-keep",
            "lightness is kept of networks that colour lightness, in Lab",
            value=f"{settings.checkpoint}: grey {learned.grey}, space {learned.space}",
            remedy="leave --keep-lightness out, or give another checkpoint",
        )
    return Painter(
        trained=trained,
        tiling=make_tiling(settings.tile or trained.chip_px, settings.overlap),
        batch=settings.batch,
        keep_lightness=keep,
    )


def _of_bands(scaling: Scaling, numbers: Numbers) -> Scaling:
    """The scaling of what is looked at: the range is the same for all bands of an image."""
    count = len(numbers.bands or ("",))
    field = replace(scaling.field, name=GREY, bands=numbers.bands)
    return replace(scaling, field=field, low=scaling.low[:count], high=scaling.high[:count])
