"""Filling one raster: look at the mask, fill window by window, put together. Whatever is done is not done again."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from rsmodels.filling.method import IMAGE, Method
from rsmodels.filling.rasters import Scene
from rsmodels.filling.tiles import fill_areas
from rsmodels.filling.writing import Patch, write_filled
from rsmodels.tiling.tiles import Box
from rsprep.files import appearing

Told = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class Todo:
    """What there is to do in a raster, found by looking at its mask."""

    parts: tuple[Box, ...]
    """Windows with a hidden pixel."""
    pixels: int
    """That are hidden."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """What became of a raster; counts are pixels."""

    hidden: int
    filled: int
    left: int
    """Hidden, with data, and too far from any known pixel."""
    nodata: int
    """Hidden, without data, and kept so."""


def look(scene: Scene, window: int) -> Todo:
    """Read the whole mask.

    Raises
    ------
    InputError : as :meth:`rsmodels.filling.rasters.Mask.read`.
    """
    parts, pixels = [], 0
    for part in scene.parts(window):
        hidden = int(scene.mask.read(part).sum())
        pixels += hidden
        if hidden:
            parts.append(part)
    return Todo(parts=tuple(parts), pixels=pixels)


def fill_scene(
    scene: Scene,
    todo: Todo,
    method: Method,
    *,
    window: int,
    work: Path,
    out: Path,
    filled: Path,
    told: Told = lambda count: None,
) -> Done:
    """Fill a raster; what a former call left in `work` is taken from there.

    Parameters
    ----------
    window : pixels along the side of a window; memory grows with its square, the result does not depend on it.
    work : folder for what is done; it is taken away in the end.
    out, filled : files to write, see :func:`rsmodels.filling.writing.write_filled`.
    told : is told how many hidden pixels are done with.

    Raises
    ------
    ModelError : ``not-finite``.
    """
    work.mkdir(parents=True, exist_ok=True)
    counts = np.zeros(4, np.int64)
    for part in todo.parts:
        file = _file(work, part)
        if not file.is_file():
            _fill_part(scene, part, method, file)
        with np.load(file) as kept:
            counts += kept["counts"]
            told(int(kept["counts"][0]))

    def patches() -> Iterator[tuple[Box, Patch | None]]:
        for part in scene.parts(window):
            yield part, _patch(_file(work, part), part)

    write_filled(scene, out, filled, patches())
    shutil.rmtree(work, ignore_errors=True)
    return Done(**dict(zip(("hidden", "filled", "left", "nodata"), counts.tolist(), strict=True)))


def _file(work: Path, part: Box) -> Path:
    return work / f"{part[0].start}-{part[1].start}.npz"


def _fill_part(scene: Scene, part: Box, method: Method, file: Path) -> None:
    area = scene.area(part, method.tiling)
    hidden = scene.mask.read(part)
    wanted = area.wanted[area.inner]
    (made,) = fill_areas([area], method.fill, method.tiling, batch=method.batch)
    stored = scene.normaliser.to_store(IMAGE, torch.from_numpy(made.values[None]))[0]
    done = made.done
    counts = (hidden.sum(), done.sum(), (wanted & ~done).sum(), (hidden & ~wanted).sum())
    with appearing(file) as partial, partial.open("wb") as stream:
        np.savez_compressed(stream, where=np.packbits(done), pixels=stored[:, done], counts=np.array(counts, np.int64))


def _patch(file: Path, part: Box) -> Patch | None:
    if not file.is_file():
        return None
    shape = tuple(side.stop - side.start for side in part)
    with np.load(file) as kept:
        where = np.unpackbits(kept["where"], count=shape[0] * shape[1]).reshape(shape).astype(bool)
        return where, kept["pixels"]
