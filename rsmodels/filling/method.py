"""Who fills: a trained inpainter, or one of OpenCV's methods, each with the scale that it wants its numbers on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2

from rsmodels.data.fields import Field
from rsmodels.data.fit import Scaling
from rsmodels.data.normalise import Normaliser
from rsmodels.filling.classic import navier_stokes, telea
from rsmodels.filling.settings import InpaintSettings
from rsmodels.filling.tiles import Filler
from rsmodels.tiling.numbers import Numbers, rescaled
from rsmodels.tiling.tiles import Tiling, make_tiling
from rsmodels.training.load import Trained, load

IMAGE = "image"
CLASSIC: dict[str, Filler] = {"telea": telea, "navier-stokes": navier_stokes}
_TILE = 256


@dataclass(frozen=True, kw_only=True, eq=False)
class Method:
    """A filler, and how it is to be used."""

    name: str
    fill: Filler
    identity: str
    """Of the checkpoint, or of OpenCV's release: what else the pixels depend on."""
    tiling: Tiling
    batch: int
    trained: Trained | None = None

    @property
    def bands(self) -> tuple[str, ...] | None:
        """Names of those that the model takes, one empty name for an image without; None for a method of any bands."""
        return None if self.trained is None else self.trained.normaliser.field(IMAGE).bands or ("",)

    def normaliser(self, numbers: Numbers, scale: float | None = None, offset: float = 0.0) -> Normaliser:
        """From stored numbers to those that the filler takes, and back.

        Parameters
        ----------
        scale, offset : from stored numbers to those that the model learned; without a scale they must be of its type.

        Raises
        ------
        ModelError : ``other-numbers`` where they are of another type and no scale is given.
        """
        if self.trained is None:  # these bring each band to its own range
            count = len(numbers.bands or ("",))
            field = Field(name=IMAGE, variable=IMAGE, kind="optical", bands=numbers.bands)
            low, high = (-1.0,) * count, (1.0,) * count
            plain = Scaling(field=field, dtype=numbers.dtype, fill=numbers.fill, nodata=numbers.nodata)
            return Normaliser(scalings={IMAGE: replace(plain, low=low, high=high)})
        return Normaliser(scalings={IMAGE: rescaled(self.trained.normaliser[IMAGE], numbers, scale, offset)})


def method_of(settings: InpaintSettings) -> Method:
    """The filler that `settings` ask for.

    Raises
    ------
    ModelError : ``not-an-inpainter``, ``no-checkpoint``, ``torn-checkpoint``, ``no-gpu``, ``overlap``.
    """
    if settings.method is not None:
        tiling = make_tiling(settings.tile or _TILE, settings.overlap)
        fill, identity = CLASSIC[settings.method], f"OpenCV {cv2.__version__}"
        return Method(name=settings.method, fill=fill, identity=identity, tiling=tiling, batch=1)
    trained = load(str(settings.checkpoint), device=settings.device)
    trained.require("inpainting")
    return Method(
        name=trained.settings.model,
        fill=trained.inpaint,
        identity=trained.manifest_hash,
        tiling=make_tiling(settings.tile or trained.chip_px, settings.overlap),
        batch=settings.batch,
        trained=trained,
    )
