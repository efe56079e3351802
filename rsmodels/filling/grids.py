"""Which pixel of a mask lies on which pixel of an image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from rsmodels.errors import ModelError
from rsmodels.tiling.tiles import Box

_PIXEL = 0.01
"""Of an image's pixel: what two lattices may lie apart and still count as one."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Size and place of a raster."""

    path: Path
    shape: tuple[int, int]
    """(y, x)."""
    crs: Any
    """None without one."""
    transform: Affine | None
    """From (column, row) of a pixel's outer edge to the ground; None without a place."""

    @property
    def placed(self) -> bool:
        return self.transform is not None

    def __str__(self) -> str:
        size = f"{self.path}: {self.shape[1]} × {self.shape[0]} pixels"
        if self.transform is None:
            return size
        a = self.transform
        return f"{size} of {a.a:g} × {-a.e:g} from ({a.c:.10g}, {a.f:.10g}) in {self.crs or 'no CRS'}"


@dataclass(frozen=True, kw_only=True)
class Nesting:
    """Each pixel of a mask covers `times` × `times` whole pixels of the image."""

    times: int
    shift: tuple[int, int]
    """(y, x) pixels of the image by which its first pixel lies within the first of the mask, or beyond it."""

    def window(self, box: Box) -> Box:
        """The pixels of the mask that cover a part of the image."""
        rows, columns = (
            slice((side.start + shift) // self.times, (side.stop - 1 + shift) // self.times + 1)
            for side, shift in zip(box, self.shift, strict=True)
        )
        return rows, columns

    def spread(self, mask: NDArray[Any], box: Box) -> NDArray[Any]:
        """The mask of a window as the image's pixels have it: (y, x) of `box`."""
        for axis, (side, shift) in enumerate(zip(box, self.shift, strict=True)):
            pixels = (np.arange(side.start, side.stop) + shift) // self.times
            mask = mask.take(pixels - pixels[0], axis=axis) if self.times > 1 else mask
        return mask


def nesting(image: Grid, mask: Grid) -> Nesting:
    """How `mask` lies on `image`.

    A mask has the image's grid, or one whose pixels hold whole pixels of it, as the scene classification of Sentinel-2
    does, and covers it. A mask without a place fits by its size.

    Raises
    ------
    ModelError : ``mask-grid`` for any other.
    """
    if image.transform is None or mask.transform is None:
        if image.shape != mask.shape:
            raise _other(image, mask, "the mask has another size")
        return Nesting(times=1, shift=(0, 0))
    if image.crs != mask.crs:
        raise _other(image, mask, "the mask has another CRS")
    onto = ~mask.transform * image.transform
    times = round(1 / onto.a) if 0 < onto.a <= 1 + 1e-6 else 0
    longest = max(image.shape)
    straight = times > 0 and all(
        abs(one) * times * longest < _PIXEL for one in (onto.a - 1 / times, onto.e - 1 / times, onto.b, onto.d)
    )
    if not straight:
        raise _other(image, mask, "the mask's pixels do not hold whole pixels of the image")
    shift = onto.f * times, onto.c * times
    if any(abs(one - round(one)) > _PIXEL for one in shift):
        raise _other(image, mask, "the mask lies a part of a pixel beside the image")
    found = Nesting(times=times, shift=(round(shift[0]), round(shift[1])))
    whole = found.window((slice(0, image.shape[0]), slice(0, image.shape[1])))
    if any(side.start < 0 or side.stop > length for side, length in zip(whole, mask.shape, strict=True)):
        raise _other(image, mask, "the mask does not cover the image")
    return found


def _other(image: Grid, mask: Grid, cause: str) -> ModelError:
    remedy = "give a mask of the image's size"
    if image.transform is not None:
        remedy = "bring it to the image's grid first, as with `gdalwarp -r near -tr … -te … -t_srs …`"
    return ModelError("mask-grid", f"{cause}: it must lie on the image's grid", value=f"{mask}; {image}", remedy=remedy)
