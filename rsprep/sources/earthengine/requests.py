"""Which pixels are asked for in one request: pure planning under the limits of the service.

Limits of ``computePixels`` as documented for the Earth Engine REST API: 48 MB of uncompressed pixels and 32,768
pixels along each side. A pixel counts with one byte more than its number has, for the mask that goes with it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from odc.geo.geobox import GeoBox

from rsprep.errors import RasterError
from rsprep.granule import Asset
from rsprep.reading.control import ControlCache
from rsprep.reading.spec import BandSpec
from rsprep.reading.window import Needed, needed
from rsprep.sources.earthengine.hrefs import split_href

MAX_BYTES = 40_000_000
"""Largest request that is made; the service refuses 48 MB (48 × 2²⁰), and how it rounds is its own affair."""
MAX_SIDE = 32_768
"""Most rows or columns of one request."""
MASK_BYTES = 1
TRIED = 100
"""Numbers of parts along a row that are compared; no window of a block needs as many."""


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A part of a lattice that is asked for in one request."""

    rows: slice
    columns: slice

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start


@dataclass(frozen=True, kw_only=True)
class Group:
    """Bands of one image on one lattice, which are asked for together."""

    image: str
    whole: GeoBox
    part: Needed
    bands: tuple[str, ...]
    indices: tuple[int, ...]
    """Which of the assets of the read they are."""
    tiles: tuple[Tile, ...]
    """One request each."""


def group_assets(
    assets: Sequence[Asset], spec: BandSpec, controls: ControlCache
) -> tuple[list[Group], tuple[int, ...]]:
    """What to ask for so that the target of `controls` has all it needs, and which assets do not touch it.

    Raises
    ------
    RasterError : ``not-earthengine`` or ``no-lattice``.
    """
    members: dict[tuple[str, GeoBox], list[tuple[int, str]]] = {}
    for index, asset in enumerate(assets):
        image, band = split_href(asset.href)
        members.setdefault((image, lattice_of(asset)), []).append((index, band))
    groups: list[Group] = []
    absent: list[int] = []
    for (image, whole), those in members.items():
        indices, bands = tuple(index for index, _ in those), tuple(band for _, band in those)
        part = needed(whole, spec, controls)
        if part is None:
            absent += indices
            continue
        tiles = plan(part.rows, part.columns, [np.dtype(spec.dtype).itemsize] * len(bands))
        groups.append(Group(image=image, whole=whole, part=part, bands=bands, indices=indices, tiles=tiles))
    return groups, tuple(absent)


def lattice_of(asset: Asset) -> GeoBox:
    """The lattice of a band, as the service gave it when the image was found; RasterError ``no-lattice``."""
    if asset.grid is None:
        raise RasterError(
            "no-lattice",
            "the lattice of this band is not known",
            value=asset.href,
            remedy="search again: granules of Earth Engine carry the lattices of their bands",
        )
    return asset.grid


def pixel_bytes(itemsizes: Sequence[int]) -> int:
    """Bytes that one pixel of bands with these sizes counts for."""
    return sum(size + MASK_BYTES for size in itemsizes)


def plan(rows: slice, columns: slice, itemsizes: Sequence[int]) -> tuple[Tile, ...]:
    """Cut a window into as few tiles as the limits allow, all of nearly the same size.

    Parameters
    ----------
    rows, columns : the window, in pixels of the lattice; both hold at least one.
    itemsizes : bytes of one number of each band that is asked for.

    Returns
    -------
    Tiles that cover each pixel of the window once, row by row.
    """
    height, width = rows.stop - rows.start, columns.stop - columns.start
    budget = MAX_BYTES // pixel_bytes(itemsizes)
    if height < 1 or width < 1 or budget < 1:
        raise ValueError(f"nothing to plan: {height} x {width} pixels, {len(itemsizes)} bands")
    down, across = _division(height, width, budget)
    return tuple(
        Tile(rows=row_part, columns=column_part)
        for row_part in _cut(rows, down)
        for column_part in _cut(columns, across)
    )


def _division(height: int, width: int, budget: int) -> tuple[int, int]:
    """Parts along each side: the fewest in all, and of those the squarest."""
    fewest = math.ceil(width / min(MAX_SIDE, budget))
    most = min(width, max(fewest, math.ceil(width * height / budget)), fewest + TRIED)
    best: tuple[int, float, int, int] | None = None
    for across in range(fewest, most + 1):
        part = math.ceil(width / across)
        down = math.ceil(height / min(MAX_SIDE, budget // part))
        rank = (down * across, abs(math.log(part * down / height)), down, across)
        best = rank if best is None else min(best, rank)
    if best is None:
        raise AssertionError("every window has a division")
    return best[2], best[3]


def _cut(whole: slice, parts: int) -> list[slice]:
    length = whole.stop - whole.start
    edges = [whole.start + length * number // parts for number in range(parts + 1)]
    return [slice(first, last) for first, last in itertools.pairwise(edges)]
