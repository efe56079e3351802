"""Colouring one raster: window by window, tile by tile, put together. Whatever is done is not done again."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rsmodels.colouring.painter import Painter
from rsmodels.colouring.rasters import Grey
from rsmodels.colouring.writing import write_coloured
from rsmodels.generators.colorization import CHANNELS
from rsmodels.generators.colorization_settings import IMAGE
from rsmodels.tiling.tiles import Area, Blend, Box, Flags, require_finite, within
from rsprep.files import appearing

_EDGE = 1.001
"""Of the network's range of -1 to 1: rounding does not count as beyond."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """What became of a raster; counts are pixels."""

    pixels: int
    coloured: int
    nodata: int
    beyond: int
    """Coloured, with a number outside the range that the model learned: it was cut off."""


def colour_scene(
    scene: Grey,
    painter: Painter,
    *,
    window: int,
    work: Path,
    out: Path,
    told: Callable[[int], None] = lambda count: None,
) -> Done:
    """Colour a raster; what a former call left in `work` is taken from there.

    Parameters
    ----------
    window : pixels along the side of a window; memory grows with its square, the result does not depend on it.
    work : folder for what is done; it is taken away in the end.
    out : file to write, see :func:`rsmodels.colouring.writing.write_coloured`.
    told : is told how many pixels are done with.

    Raises
    ------
    ModelError : ``not-finite``.
    """
    work.mkdir(parents=True, exist_ok=True)
    counts = np.zeros(4, np.int64)
    for part in scene.parts(window):
        file = _file(work, part)
        if not file.is_file():
            _colour_part(scene, part, painter, file)
        with np.load(file) as kept:
            counts += kept["counts"]
            told(int(kept["counts"][0]))

    def parts() -> Iterator[tuple[Box, NDArray[Any]]]:
        for part in scene.parts(window):
            with np.load(_file(work, part)) as kept:
                yield part, kept["pixels"]

    write_coloured(scene, out, parts(), by=f"{painter.settings.model} {painter.trained.manifest_hash[:16]}")
    shutil.rmtree(work, ignore_errors=True)
    return Done(**dict(zip(("pixels", "coloured", "nodata", "beyond"), counts.tolist(), strict=True)))


def colour_area(area: Area, painter: Painter) -> tuple[NDArray[np.float32], Flags]:
    """Normalised colours (3, y, x) of an area's part, and (y, x) True where a pixel has data.

    The network is always given as many tiles, some again where they run out, since the last digits of its numbers
    depend on how many it is given. Tiles without data are left out.

    Raises
    ------
    ModelError : ``not-finite``.
    """
    tiling, blend = painter.tiling, Blend(painter.tiling, area.part, CHANNELS)
    boxes = [box for box in tiling.boxes(area.shape, area.part) if area.known[within(box, area.around)].any()]
    for first in range(0, len(boxes), painter.batch):
        some = boxes[first : first + painter.batch]
        cut = [within(box, area.around) for box in [*some, *[some[-1]] * (painter.batch - len(some))]]
        values = np.stack([area.values[:, *box] for box in cut])
        made = painter.colour(values, np.stack([area.known[box] for box in cut])[:, None])
        for box, tile in zip(some, made, strict=False):
            require_finite(tile, box)
            blend.add(box, tile)
    values, reached = blend.result()
    return values, reached & area.known[area.inner]


def _file(work: Path, part: Box) -> Path:
    return work / f"{part[0].start}-{part[1].start}.npz"


def _colour_part(scene: Grey, part: Box, painter: Painter, file: Path) -> None:
    area = scene.area(part, painter.tiling)
    values, known = colour_area(area, painter)
    # Blended as the numbers that come out: these are the network's colours, moved and stretched.
    stored = scene.scales.made.to_store(IMAGE, torch.from_numpy(values[None]))[0]
    stored = np.where(known, stored, stored.dtype.type(scene.fill))
    beyond = (np.abs(area.values[:, *area.inner]) > _EDGE).any(axis=0) & known
    counts = np.array([known.size, known.sum(), (~known).sum(), beyond.sum()], np.int64)
    with appearing(file) as partial, partial.open("wb") as stream:
        np.savez_compressed(stream, pixels=stored, counts=counts)
