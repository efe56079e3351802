"""Parts of an image filled tile by tile: who is given what, and how much each tile counts.

Where tiles overlap, each one counts by its cosine (:mod:`rsmodels.tiling.tiles`), and by how much of it was known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rsmodels.tiling.tiles import Area, Blend, Box, Flags, Tiling, common, require_finite, within

Filler = Callable[[Tensor, Tensor], Tensor]
"""Takes images (B, C, y, x) and a mask (B, 1, y, x) of 1 where hidden; returns the images (B, C, y, x), filled."""
LEAST_WEIGHT = 0.1
"""Of a tile in which hardly a pixel is known, against one in which all are."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Hole(Area):
    """A part of an image that is to be filled; known are pixels that are neither hidden nor without data."""

    wanted: Flags
    """(y, x) True where a pixel is to be filled."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Filled:
    """What became of the part of an area."""

    values: NDArray[np.float32]
    """(C, y, x); meaningful where `done`."""
    done: Flags
    """(y, x) True where a pixel was filled. Wanted ones that no tile with a known pixel reaches are left."""


@dataclass(eq=False)
class _Canvas:
    """An area and its tiles."""

    area: Hole
    tiling: Tiling
    blend: Blend = field(init=False)

    def __post_init__(self) -> None:
        self.blend = Blend(self.tiling, self.area.part, len(self.area.values))

    def tiles(self) -> Iterator[Box]:
        """The tiles that have something to fill within the part and something known to fill it from."""
        area = self.area
        for box in self.tiling.boxes(area.shape, area.part):
            wanted = area.wanted[within(common(box, area.part), area.around)]
            if wanted.any() and area.known[within(box, area.around)].any():
                yield box

    def add(self, box: Box, filled: NDArray[np.float32]) -> None:
        """Put a filled tile (C, y, x) to the others."""
        known = self.area.known[within(box, self.area.around)]
        self.blend.add(box, filled, max(float(known.mean()), LEAST_WEIGHT))

    def result(self) -> Filled:
        values, reached = self.blend.result()
        return Filled(values=values, done=reached & self.area.wanted[self.area.inner])


def fill_areas(
    areas: Sequence[Hole],
    fill: Filler,
    tiling: Tiling,
    *,
    batch: int = 1,
    told: Callable[[int], None] = lambda count: None,
) -> list[Filled]:
    """Fill parts of images of one shape, tile by tile.

    Parameters
    ----------
    areas : with the same number of channels.
    batch : tiles that the filler is given at a time: always so many, some again where they run out, since the last
        digits of a network's numbers depend on how many it is given.
    told : is told how many tiles were filled.

    Raises
    ------
    ModelError : ``not-finite`` where the filler makes numbers that are not finite.
    """
    canvases = [_Canvas(area, tiling) for area in areas]
    waiting: list[tuple[_Canvas, Box]] = []
    for canvas in canvases:
        for box in canvas.tiles():
            waiting.append((canvas, box))
            if len(waiting) == batch:
                _fill(waiting, fill, batch)
                told(len(waiting))
                waiting = []
    if waiting:
        _fill(waiting, fill, batch)
        told(len(waiting))
    return [canvas.result() for canvas in canvases]


def _fill(tiles: Sequence[tuple[_Canvas, Box]], fill: Filler, batch: int) -> None:
    padded = [*tiles, *[tiles[-1]] * (batch - len(tiles))]
    cut = [(canvas.area, within(box, canvas.area.around)) for canvas, box in padded]
    known = np.stack([area.known[box] for area, box in cut])[:, None]
    images = np.stack([area.values[:, *box] for area, box in cut])
    images = np.where(known, images, np.float32(0))
    filled = fill(torch.from_numpy(images), torch.from_numpy((~known).astype(np.float32)))
    made = filled.detach().cpu().float().numpy()
    for (canvas, box), one in zip(tiles, made, strict=False):
        require_finite(one, box)
        canvas.add(box, one)
