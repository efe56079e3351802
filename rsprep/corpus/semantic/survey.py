"""What the masks of all scenes hold, chip by chip, before a chip is made: codes checked, classes counted."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rsprep.corpus.files import is_coloured, read_strips
from rsprep.corpus.inputs import listed
from rsprep.corpus.pictures import PictureInfo
from rsprep.corpus.semantic.classes import Coding
from rsprep.corpus.semantic.pairs import Scene
from rsprep.errors import InputError
from rsprep.job.progress import Progress
from rsprep.masks.scenes import Cut, Edge, Rgb, blank_counts, count_strip, decode_palette, fold

_MOST_SHOWN = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class Surveyed:
    """One scene, its grid of chips and the classes in them."""

    scene: Scene
    cut: Cut
    cells: NDArray[np.int64]
    """(row, column, code) pixels in each chip, in the order of `Coding.codes`; padding is unknown."""
    rest: NDArray[np.int64]
    """(code,) pixels outside of all chips."""

    @property
    def unknown(self) -> NDArray[np.float64]:
        """(row, column) share of each chip of which nothing is known."""
        return np.asarray(self.cells[..., -1] / self.cut.size**2)

    @property
    def padding(self) -> int:
        """Pixels of chips that lie outside of the scene; they are counted as unknown."""
        return int(self.cells.sum() + self.rest.sum()) - self.cut.height * self.cut.width


def survey(
    scenes: Sequence[Scene], coding: Coding, *, size: int, edge: Edge, by_palette: bool, progress: Progress
) -> tuple[Surveyed, ...]:
    """Read all masks, a strip of rows at a time; in the order of `scenes`.

    Parameters
    ----------
    size, edge : how scenes are cut, see :class:`rsprep.masks.scenes.Cut`.
    by_palette : look the codes of palette masks up by their colours.

    Raises
    ------
    InputError : ``unknown-code`` or ``unknown-colour``, with the files of all scenes where there is one.
    """
    progress.stage("check masks", total=len(scenes), unit="scenes")
    found: list[Surveyed] = []
    strange: dict[str, dict[object, list[str]]] = {"code": defaultdict(list), "colour": defaultdict(list)}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for one, codes, colours in pool.map(lambda scene: _look(scene, coding, size, edge, by_palette), scenes):
            found.append(one)
            name = one.scene.mask.path.name
            for kind, values in (("code", codes), ("colour", colours)):
                for value in values:
                    strange[kind][value].append(name)
            progress.advance()
    _refuse_strange(strange, coding)
    return tuple(found)


def _look(
    scene: Scene, coding: Coding, size: int, edge: Edge, by_palette: bool
) -> tuple[Surveyed, list[int], tuple[Rgb, ...]]:
    cut = Cut(height=scene.height, width=scene.width, size=size, edge=edge)
    counts = blank_counts(cut)
    codes: set[int] = set()
    colours: dict[Rgb, None] = {}
    for index, (strip, beyond, unnamed) in enumerate(code_strips(scene.mask, cut.strips, coding, by_palette)):
        count_strip(counts, index, strip, cut)
        codes |= set(beyond)
        colours |= dict.fromkeys(unnamed)
    filled_in = {0} if codes or colours else set()
    codes |= set(np.flatnonzero((counts.total > 0) & (coding.table < 0)).tolist()) - filled_in
    cells = fold(counts.cells, coding.table, coding.codes)
    if not codes and not colours:
        cells[..., -1] += size * size - cells.sum(axis=-1)
    rest = fold(counts.rest, coding.table, coding.codes)
    return Surveyed(scene=scene, cut=cut, cells=cells, rest=rest), sorted(codes), tuple(colours)


def code_strips(
    mask: PictureInfo, strips: Sequence[slice], coding: Coding, by_palette: bool
) -> Iterator[tuple[NDArray[np.uint8], tuple[int, ...], tuple[Rgb, ...]]]:
    """Codes of a mask, strip by strip, whatever it is stored as: (y, x), still those of the masks' own table.

    Each comes with the numbers that are no codes (below 0 or above 255) and the colours that the palette
    does not have; their pixels are 0.
    """
    coloured = is_coloured(mask) or (by_palette and mask.mode == "palette")
    for values in read_strips(mask, strips, colours=by_palette):
        if coloured:
            codes, unnamed = decode_palette(values, coding.source.palette)
            yield codes, (), unnamed
        elif values.dtype == np.uint8:
            yield values[0], (), ()
        else:
            inside = (values[0] >= 0) & (values[0] <= 255)
            beyond = tuple(np.unique(values[0][~inside])[:_MOST_SHOWN].tolist())
            yield np.where(inside, values[0], 0).astype(np.uint8), beyond, ()


def _refuse_strange(strange: dict[str, dict[object, list[str]]], coding: Coding) -> None:
    for kind, found in strange.items():
        if not found:
            continue
        files = list(dict.fromkeys(name for names in found.values() for name in names))
        raise InputError(
            "unknown-code" if kind == "code" else "unknown-colour",
            f"the class table {coding.source.name!r} does not name every {kind} of the masks",
            value=f"{', '.join(str(value) for value in list(found)[:_MOST_SHOWN])} in {listed(files)}",
            remedy="give the table that the masks were drawn with: --classes NAME or FILE.yaml",
        )
