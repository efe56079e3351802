"""Who fills: a trained inpainter, or one of OpenCV's methods, each with the scale that it wants its numbers on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from rsmodels.data.fields import Field
from rsmodels.data.fit import Scaling
from rsmodels.data.normalise import Normaliser
from rsmodels.errors import ModelError
from rsmodels.filling.classic import navier_stokes, telea
from rsmodels.filling.settings import InpaintSettings
from rsmodels.filling.tiles import Filler, Tiling
from rsmodels.training.load import Trained, load

IMAGE = "image"
CLASSIC: dict[str, Filler] = {"telea": telea, "navier-stokes": navier_stokes}
_TILE = 256


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """What the numbers of an image are, as they are stored."""

    bands: tuple[str, ...] | None
    """Names; None for an image without a band axis."""
    dtype: str
    fill: float
    """What stands where there is nothing."""
    nodata: float | None
    """The same where it means no-data; None where every number is one."""


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
    def image(self) -> Field | None:
        """The image as the model learned it; None for a method that takes any."""
        return None if self.trained is None else self.trained.normaliser.field(IMAGE)

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
        learned = self.trained.normaliser[IMAGE]
        if scale is None and _range(numbers.dtype) != _range(learned.dtype):
            raise ModelError(
                "other-numbers",
                f"the model learned from numbers of type {learned.dtype}",
                value=numbers.dtype,
                remedy="say with --scale (and --offset) how these become those, as --scale 1 where they are the same",
            )
        by = 1.0 if scale is None else scale
        low, high = (tuple((one - offset) / by for one in ends) for ends in (learned.low, learned.high))
        here = replace(
            learned,
            dtype=numbers.dtype, fill=numbers.fill, nodata=numbers.nodata, scale=learned.scale * by, low=low, high=high,
        )  # fmt: skip
        return Normaliser(scalings={IMAGE: here})


def method_of(settings: InpaintSettings) -> Method:
    """The filler that `settings` ask for.

    Raises
    ------
    ModelError : ``not-an-inpainter``, ``no-checkpoint``, ``torn-checkpoint``, ``no-gpu``, ``overlap``.
    """
    if settings.method is not None:
        tiling = _tiling(settings, _TILE)
        fill, identity = CLASSIC[settings.method], f"OpenCV {cv2.__version__}"
        return Method(name=settings.method, fill=fill, identity=identity, tiling=tiling, batch=1)
    trained = load(str(settings.checkpoint), device=settings.device)
    trained.require("inpainting")
    return Method(
        name=trained.settings.model,
        fill=trained.inpaint,
        identity=trained.manifest_hash,
        tiling=_tiling(settings, trained.chip_px),
        batch=settings.batch,
        trained=trained,
    )


def _tiling(settings: InpaintSettings, usual: int) -> Tiling:
    size = settings.tile or usual
    overlap = size // 4 if settings.overlap is None else settings.overlap
    if 2 * overlap > size:
        raise ModelError(
            "overlap",
            f"tiles of {size} pixels can share at most {size // 2} with a neighbour",
            value=overlap,
            remedy="give a smaller --overlap, or a larger --tile",
        )
    return Tiling(size=size, overlap=overlap)


def bands_of(method: Method, there: Sequence[str], wanted: Sequence[str] | None, where: str) -> tuple[int, ...]:
    """Positions of the bands that are filled among those of an image, in the order in which the filler takes them.

    Parameters
    ----------
    there : names of the image's bands.
    wanted : names, or numbers from 1 on; None: the model's by name where all have it, else all that there are.
    where : name of the image, for the error.

    Raises
    ------
    ModelError : ``bands`` for a band that is not there, or another number of bands than the model takes.
    """
    learned = None if method.image is None else method.image.bands or ("",)
    if wanted is None and learned is not None and set(learned) <= set(there):
        return tuple(list(there).index(name) for name in learned)
    numbered = {str(number): number - 1 for number in range(1, len(there) + 1)}
    numbered |= {name: position for position, name in enumerate(there)}
    chosen = [numbered.get(name, -1) for name in wanted] if wanted is not None else list(range(len(there)))
    count = len(chosen) if learned is None else len(learned)
    if -1 in chosen or not chosen or len(set(chosen)) != len(chosen) or len(chosen) != count:
        takes = "" if learned is None else f"; the model takes {len(learned)}: {', '.join(learned)}"
        raise ModelError(
            "bands",
            f"the image has the bands {', '.join(there)}{takes}",
            value=f"{where}: {', '.join(wanted) if wanted is not None else f'{len(there)} bands'}",
            remedy="name as many as are taken with --bands, by name or by number, each once",
        )
    return tuple(chosen)


def _range(dtype: str) -> int | str:
    """Types that hold the same numbers: 16 bit with and without a sign are one."""
    kind = np.dtype(dtype)
    return kind.itemsize if kind.kind in "iu" else "float"
