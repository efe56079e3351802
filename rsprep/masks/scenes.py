"""Masks of whole scenes as arrays: cutting into chips, counting classes, decoding colours, dealing out splits.

Chips do not overlap; their grid starts at the scene's upper-left corner. What is left at the right and at
the bottom is counted like everything else: no pixel gets lost between the scenes and the chips.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numba
import numpy as np
from numpy.typing import NDArray

from rsprep.errors import RasterError

Edge = Literal["drop", "pad"]
Rgb = tuple[int, int, int]
MOST_STRANGE = 8
"""Unknown colours that are told of one picture."""


@dataclass(frozen=True, kw_only=True)
class Cut:
    """How one scene falls into chips."""

    height: int
    """Pixels of the scene."""
    width: int
    size: int
    """Pixels along a chip's side."""
    edge: Edge = "drop"
    """drop: only whole chips; pad: chips that stick out of the scene at the right and at the bottom as well."""

    @property
    def rows(self) -> int:
        """Rows of chips."""
        return self._whole(self.height)

    @property
    def columns(self) -> int:
        """Columns of chips."""
        return self._whole(self.width)

    def _whole(self, side: int) -> int:
        return -(-side // self.size) if self.edge == "pad" else side // self.size

    def span(self, row: int) -> slice:
        """Pixel rows of the scene under one row of chips; fewer than `size` at a padded edge."""
        return slice(row * self.size, min((row + 1) * self.size, self.height))

    @property
    def strips(self) -> tuple[slice, ...]:
        """Pixel rows, a row of chips at a time and then what is left: together the whole scene."""
        first = self.rows * self.size
        rest = (slice(first, self.height),) if first < self.height else ()
        return (*(self.span(row) for row in range(self.rows)), *rest)


@dataclass(frozen=True, kw_only=True, eq=False)
class Counts:
    """Pixels of every code in the chips of one scene, and in what is left of it."""

    cells: NDArray[np.int64]
    """(row, column, 256) of chips; padding is not counted."""
    rest: NDArray[np.int64]
    """(256,) outside of all chips."""

    @property
    def total(self) -> NDArray[np.int64]:
        """(256,) of the whole scene."""
        return np.asarray(self.cells.sum(axis=(0, 1)) + self.rest)


def blank_counts(cut: Cut) -> Counts:
    """Counts to begin with."""
    return Counts(cells=np.zeros((cut.rows, cut.columns, 256), np.int64), rest=np.zeros(256, np.int64))


def count_strip(counts: Counts, index: int, codes: NDArray[np.uint8], cut: Cut) -> None:
    """Add one of ``cut.strips`` to `counts`.

    Parameters
    ----------
    counts : from :func:`blank_counts`.
    index : which strip.
    codes : (y, x) its codes, as wide as the scene.
    """
    span = cut.strips[index]
    if codes.shape != (span.stop - span.start, cut.width):
        raise ValueError(f"strip {index} of {cut} has another shape than {codes.shape}")
    found = np.zeros((cut.columns + 1, 256), np.int64)
    _count(codes, cut.size, found)
    if index < cut.rows:
        counts.cells[index] = found[:-1]
        counts.rest[:] += found[-1]
    else:
        counts.rest[:] += found.sum(axis=0)


def fold(counts: NDArray[np.int64], table: NDArray[np.int16], codes: Sequence[int]) -> NDArray[np.int64]:
    """Counts of codes as counts of what a table makes of them: (..., 256) to (..., len(codes)), in their order."""
    return np.stack([counts[..., table == code].sum(axis=-1) for code in codes], axis=-1)


def decode_palette(picture: NDArray[np.uint8], palette: Mapping[Rgb, int]) -> tuple[NDArray[np.uint8], tuple[Rgb, ...]]:
    """Codes of a mask that is stored as a colour picture.

    Parameters
    ----------
    picture : (3, y, x) red, green and blue.
    palette : colour to code.

    Returns
    -------
    codes : (y, x); 0 where the colour is none of the palette.
    strange : colours that are none of the palette, at most `MOST_STRANGE`; their pixels have no code.
    """
    if picture.ndim != 3 or picture.shape[0] != 3 or picture.dtype != np.uint8:
        raise ValueError(f"expected (3, y, x) uint8, got {picture.shape} {picture.dtype}")
    colours = np.array([(red << 16) | (green << 8) | blue for red, green, blue in palette], np.int32)
    codes = np.zeros(picture.shape[1:], np.uint8)
    strange = np.full(MOST_STRANGE, -1, np.int32)
    _decode(picture, colours, np.array(list(palette.values()), np.uint8), codes, strange)
    return codes, tuple((int(one) >> 16, int(one) >> 8 & 255, int(one) & 255) for one in strange if one >= 0)


def recode(codes: NDArray[np.uint8], table: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Codes of any shape through a (256,) table; raises RasterError for one that has no entry there (below 0)."""
    found = table[codes]
    if found.min(initial=0) < 0:
        raise RasterError(
            "code-without-class",
            "the mask holds a code that its class table does not name",
            value=int(codes[found < 0].flat[0]),
            remedy="the mask was changed after the plan was made: start again with another OUT",
        )
    return found.astype(np.uint8)


def inverse_frequency(pixels: NDArray[Any]) -> NDArray[np.float64]:
    """Weights 1/n of classes, with mean 1 over the classes that occur.

    Parameters
    ----------
    pixels : (class,) pixels of each class, the unknown left out.

    Returns
    -------
    (class,); 0 for a class without a pixel, of which nothing can be said.
    """
    present = pixels > 0
    inverse = np.where(present, 1.0 / np.where(present, pixels, 1), 0.0)
    return inverse / inverse[present].mean() if present.any() else inverse


def median_frequency(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Weights median(f)/f of classes, with f the share of a class in the chips that it occurs in.

    Source: Eigen and Fergus 2015, doi:10.1109/ICCV.2015.304, section on segmentation.

    Parameters
    ----------
    counts : (chip, class) pixels, the unknown left out.

    Returns
    -------
    (class,); 0 for a class without a pixel.
    """
    pixels = counts.sum(axis=0, dtype=np.float64)
    present = pixels > 0
    around = ((counts > 0) * counts.sum(axis=1, keepdims=True)).sum(axis=0, dtype=np.float64)
    share = np.where(present, pixels / np.where(present, around, 1), np.nan)
    return np.where(present, np.median(share[present]) / share, 0.0) if present.any() else np.zeros(len(pixels))


def deal(sizes: Mapping[str, int], ratio: Sequence[float], seed: int) -> dict[str, int]:
    """Deal units (scenes, or blocks of one) out to splits so that the chips come near to `ratio`.

    Large units go first, each to the split that it fills least; units of about the same size are
    drawn in an order that comes from a hash of seed and name. So the outcome depends neither on the order in which
    units are named nor on anything but them, and a split gets large units as well as small ones.
    No split stays empty as long as there are units for it.

    Parameters
    ----------
    sizes : name of a unit to its chips; a unit without any goes where the most room is.
    ratio : share of each split, at least 0 and not all 0; a split with 0 gets nothing.
    seed : another seed deals out differently.

    Returns
    -------
    Name to index of the split, in the order of `sizes`.
    """
    wanted = [index for index, share in enumerate(ratio) if share > 0]
    given = dict.fromkeys(wanted, 0)
    order = sorted(sizes, key=lambda name: (-sizes[name].bit_length(), _hash(seed, name), name))
    filled = [name for name in order if sizes[name]]
    found: dict[str, int] = {}
    for place, name in enumerate(order):
        empty = [index for index in wanted if not given[index]]
        choice = empty if sizes[name] and len(filled) - place <= len(empty) and empty else wanted
        best = min(choice, key=lambda index: ((given[index] + sizes[name]) / ratio[index], index))
        given[best] += sizes[name]
        found[name] = best
    return {name: found[name] for name in sizes}


def _hash(seed: int, name: str) -> bytes:
    return hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()


@numba.njit(cache=True, nogil=True)
def _count(codes: NDArray[np.uint8], size: int, found: NDArray[np.int64]) -> None:
    last = found.shape[0] - 1
    for y in range(codes.shape[0]):
        for x in range(codes.shape[1]):
            found[min(x // size, last), codes[y, x]] += 1


@numba.njit(cache=True, nogil=True)
def _decode(
    picture: NDArray[np.uint8],
    colours: NDArray[np.int32],
    values: NDArray[np.uint8],
    codes: NDArray[np.uint8],
    strange: NDArray[np.int32],
) -> None:
    before, code = np.int32(-1), np.uint8(0)
    for y in range(codes.shape[0]):
        for x in range(codes.shape[1]):
            here = (np.int32(picture[0, y, x]) << 16) | (np.int32(picture[1, y, x]) << 8) | np.int32(picture[2, y, x])
            if here != before:  # masks are made of runs
                before, code = here, np.uint8(0)
                known = False
                for k in range(len(colours)):
                    if colours[k] == here:
                        code, known = values[k], True
                        break
                if not known:
                    for k in range(len(strange)):
                        if strange[k] == here:
                            break
                        if strange[k] < 0:
                            strange[k] = here
                            break
            codes[y, x] = code
