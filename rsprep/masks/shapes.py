"""Seed masks: connected shapes of thick cloud, each alone in a square window.

A mask here is (y, x) uint8: 0 clear, 1 thick cloud, 255 unknown. Everything about a seed follows from the
mask within its window and a thin ring around it, so a seed that was planned on a whole scene is cut again,
bit for bit, from the few pixels around it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

import numba
import numpy as np
from numpy.typing import NDArray

from rsprep.masks.components import Components, find_components

CLEAR: Final = 0
CLOUD: Final = 1
UNKNOWN: Final = 255
Large = Literal["cut", "shrink", "drop"]
_PIECE: Final = 2
"""A piece of a larger cloud has so many times the minimum area: less is a scrap in a corner of its window."""


@dataclass(frozen=True, kw_only=True)
class SeedRules:
    """What becomes a seed, and what it looks like."""

    size: int = 256
    """Pixels along the side of a seed."""
    min_area: float = 0.05
    """Least share of the seed's pixels that are cloud."""
    max_area: float = 0.8
    """Largest share of them."""
    max_cut: float = 0.15
    """Largest share of its outline that a piece of a larger cloud may owe to the window that cuts it out."""
    opening: int = 0
    """Bridges between clouds that are not wider than twice this many pixels are cut; 0 leaves them."""
    fill_holes: int = 16
    """Holes of up to so many pixels are filled."""
    large: Large = "cut"
    """Clouds wider than the window: cut into windows, shrunk until they fit, or dropped."""
    isolate: bool = True
    """Whether other clouds in the window are left out."""

    @property
    def margin(self) -> int:
        """Pixels around a window that decide what is in it: one of neighbours, and the reach of the opening."""
        return 1 + 2 * self.opening

    @property
    def min_pixels(self) -> int:
        """`min_area` in pixels."""
        return max(1, math.ceil(self.min_area * self.size**2))


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Where a seed lies in its scene."""

    row: int
    """Row of the window's upper-left pixel; below 0 where the window sticks out of the scene."""
    column: int
    side: int
    """Pixels of the scene along the window's side: the seed's size, or more where it is shrunk."""
    anchor: tuple[int, int]
    """Row and column of the shape's first pixel; tells it from other shapes in the window."""


@dataclass(frozen=True, kw_only=True)
class Cut:
    """A shape as its window shows it."""

    mask: NDArray[np.uint8]
    """(size, size) of 0 and 1."""
    cut_share: float
    """Share of the outline that the window's frame has cut, 0 to 1."""
    truncated: bool
    """Whether the cloud goes on where nothing is known: beyond the scene, or in pixels without data."""

    @property
    def area_ratio(self) -> float:
        """Share of the pixels that are cloud."""
        return float(self.mask.mean())


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A shape of a scene that is large enough, and why it is left out, if it is."""

    frame: Frame
    cut: Cut | None
    """None where no window of a large cloud would do."""
    refused: str = ""


def view(mask: NDArray[np.uint8], frame: Frame, margin: int) -> NDArray[np.uint8]:
    """The window of `frame` with `margin` pixels around it; what lies outside of the mask is unknown."""
    side = frame.side + 2 * margin
    out = np.full((side, side), UNKNOWN, np.uint8)
    top, left = frame.row - margin, frame.column - margin
    rows = slice(max(0, top), max(0, min(mask.shape[0], top + side)))
    columns = slice(max(0, left), max(0, min(mask.shape[1], left + side)))
    part = mask[rows, columns]
    y, x = rows.start - top, columns.start - left
    out[y : y + part.shape[0], x : x + part.shape[1]] = part
    return out


def cut_seed(seen: NDArray[np.uint8], frame: Frame, rules: SeedRules) -> Cut:
    """Cut the shape of `frame` out of its view.

    Parameters
    ----------
    seen : (side + 2 · margin, side + 2 · margin) as :func:`view` gives it.

    Raises
    ------
    ValueError
        Where the anchor is no cloud: the view is not that of the scene the frame was found in.
    """
    margin = rules.margin
    # The window with one pixel around it: what the opening had to see beyond is of no more use.
    ringed = slice(margin - 1, seen.shape[0] - margin + 1)
    cloud = open_mask(seen == CLOUD, rules.opening)[ringed, ringed]
    inside = np.ascontiguousarray(cloud[1:-1, 1:-1])
    parts = find_components(inside)
    part = parts.at(frame.anchor[0] - frame.row, frame.anchor[1] - frame.column)
    if part < 0:
        raise ValueError(f"there is no cloud at {frame.anchor}")
    shape = _alone(parts, part, inside.shape) if rules.isolate else inside.astype(np.uint8)
    shape = fill_holes(shape, rules.fill_holes)
    outline, cut, truncated = _outline(np.pad(shape, 1), cloud, seen[ringed, ringed] == UNKNOWN)
    if frame.side != rules.size:
        shape = shrink(shape, rules.size)
    return Cut(mask=shape, cut_share=cut / outline, truncated=bool(truncated))


def refusal(cut: Cut, rules: SeedRules) -> str:
    """Why the rules leave a shape out, in one text for all of a kind; empty where they take it."""
    if cut.truncated:
        return "the cloud goes on outside the scene or in pixels without data"
    if cut.area_ratio > rules.max_area:
        return f"cloud on more than {rules.max_area:g} of the window"
    if cut.area_ratio < rules.min_area:
        return f"cloud on less than {rules.min_area:g} of the window"
    if cut.cut_share > rules.max_cut:
        return f"the window cuts more than {rules.max_cut:g} of the outline"
    return ""


def find_seeds(mask: NDArray[np.uint8], rules: SeedRules) -> Iterator[Candidate]:
    """All shapes of a scene that have the minimum area, in the order of their first pixels.

    A shape that fits is centred in its window. One that is wider is cut into windows (`rules.large`):
    windows are tried every half a side, those that cut least of the outline first, and no two pieces
    share ground; where none is good enough the shape comes once, refused.

    Parameters
    ----------
    mask : (y, x) uint8 of 0 clear, 1 thick cloud, 255 unknown.
    """
    shapes = find_components(open_mask(mask == CLOUD, rules.opening))
    widths = np.maximum(shapes.box[:, 2] - shapes.box[:, 0], shapes.box[:, 3] - shapes.box[:, 1])
    enough = shapes.area >= rules.min_pixels
    wide = enough & (widths > rules.size)
    pieces = _pieces(mask, shapes, wide, rules) if rules.large == "cut" else {}
    for shape in np.flatnonzero(enough).tolist():
        if not wide[shape] or rules.large == "shrink":
            frame = _centred(shapes, shape, rules)
            cut = cut_seed(view(mask, frame, rules.margin), frame, rules)
            yield Candidate(frame=frame, cut=cut, refused=refusal(cut, rules))
        elif pieces.get(shape):
            yield from pieces[shape]
        else:
            yield Candidate(frame=_centred(shapes, shape, rules), cut=None, refused=_too_wide(rules))


def open_mask(mask: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """Morphological opening of a mask by an octagon; what lies outside of it is clear."""
    steps = ["cross" if step % 2 else "square" for step in range(radius)]
    for step in steps:
        mask = ~_grow(~mask, step, outside=True)
    for step in steps:
        mask = _grow(mask, step, outside=False)
    return mask


def fill_holes(shape: NDArray[np.uint8], largest: int) -> NDArray[np.uint8]:
    """A shape with its holes of up to `largest` pixels filled; what reaches the frame is no hole."""
    if largest <= 0:
        return shape
    gaps = find_components(shape == 0, diagonal=False)
    rows, columns = shape.shape
    framed = (gaps.box[:, :2] == 0).any(axis=1) | (gaps.box[:, 2] == rows) | (gaps.box[:, 3] == columns)
    filled = shape.copy()
    for gap in np.flatnonzero(~framed & (gaps.area <= largest)).tolist():
        top, left, bottom, right = gaps.box[gap].tolist()
        filled[top:bottom, left:right] |= gaps.raster(gap)
    return filled


def shrink(shape: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """A square mask at another number of pixels, nearest; of what falls apart the largest part stays."""
    nearest = ((np.arange(size) + 0.5) * (shape.shape[0] / size)).astype(np.int64)
    smaller = np.ascontiguousarray(shape[np.ix_(nearest, nearest)])
    parts = find_components(smaller)
    return _alone(parts, int(parts.area.argmax()), smaller.shape) if len(parts) else smaller


def _too_wide(rules: SeedRules) -> str:
    wide = f"wider than {rules.size} pixels"
    return wide if rules.large == "drop" else f"{wide}, and no window shows a piece that the rules take"


def _centred(shapes: Components, shape: int, rules: SeedRules) -> Frame:
    top, left, bottom, right = shapes.box[shape].tolist()
    width = max(bottom - top, right - left)
    # A shape that must be shrunk keeps a twentieth of clear sky around it.
    side = rules.size if width <= rules.size or rules.large != "shrink" else math.ceil(width * 1.05)
    row, column = shapes.anchor[shape].tolist()
    return Frame(row=(top + bottom - side) // 2, column=(left + right - side) // 2, side=side, anchor=(row, column))


def _pieces(
    mask: NDArray[np.uint8], shapes: Components, wide: NDArray[np.bool_], rules: SeedRules
) -> dict[int, list[Candidate]]:
    """Pieces of wide shapes, those of the least cut outline first, no ground twice."""
    found = []
    window = slice(rules.margin, rules.margin + rules.size)
    for row, column in _windows(shapes, wide, mask.shape, rules.size):
        frame = Frame(row=row, column=column, side=rules.size, anchor=(row, column))
        seen = view(mask, frame, rules.margin)
        parts = find_components(open_mask(seen == CLOUD, rules.opening)[window, window])
        for part in np.flatnonzero(parts.area >= _PIECE * rules.min_pixels).tolist():
            y, x = (parts.anchor[part] + (row, column)).tolist()
            owner = shapes.at(y, x)
            if not wide[owner]:
                continue
            frame = Frame(row=row, column=column, side=rules.size, anchor=(y, x))
            cut = cut_seed(seen, frame, rules)
            if not refusal(cut, rules):
                box = (parts.box[part] + (row, column, row, column)).tolist()
                # Little cut, much cloud: of two pieces with the same share cut the larger comes first.
                found.append((cut.cut_share / cut.area_ratio, (y, x), owner, box, Candidate(frame=frame, cut=cut)))
    found.sort(key=lambda one: one[:2])
    taken = np.empty((0, 4), np.int64)
    pieces: dict[int, list[Candidate]] = {}
    for _, _, owner, box, candidate in found:
        top, left, bottom, right = box
        apart = (taken[:, 2] <= top) | (taken[:, 0] >= bottom) | (taken[:, 3] <= left) | (taken[:, 1] >= right)
        if apart.all():
            taken = np.vstack([taken, box])
            pieces.setdefault(owner, []).append(candidate)
    return pieces


def _windows(shapes: Components, wide: NDArray[np.bool_], extent: tuple[int, int], size: int) -> list[tuple[int, int]]:
    """Upper-left pixels of the windows, every half a side, that lie within the scene and near a wide shape."""
    step = max(1, size // 2)
    windows = set()
    for top, left, bottom, right in shapes.box[wide].tolist():
        for row in range(max(0, top // step - 1) * step, min(bottom, extent[0] - size + 1), step):
            for column in range(max(0, left // step - 1) * step, min(right, extent[1] - size + 1), step):
                windows.add((row, column))
    return sorted(windows)


def _alone(parts: Components, part: int, extent: tuple[int, int]) -> NDArray[np.uint8]:
    out = np.zeros(extent, np.uint8)
    top, left, bottom, right = parts.box[part].tolist()
    out[top:bottom, left:right] = parts.raster(part)
    return out


def _grow(mask: NDArray[np.bool_], step: str, *, outside: bool) -> NDArray[np.bool_]:
    """A mask grown by one pixel, to 4 neighbours (cross) or to 8 (square)."""
    padded = np.pad(mask, 1, constant_values=outside)
    tall = padded[:-2] | padded[1:-1] | padded[2:]
    if step == "square":
        return np.asarray(tall[:, :-2] | tall[:, 1:-1] | tall[:, 2:])
    return np.asarray(tall[:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:])


@numba.njit(cache=True, nogil=True)
def _outline(shape: Any, cloud: Any, unknown: Any) -> Any:
    """Sides of pixels along a shape's outline, those where the cloud goes on, and whether it meets the unknown.

    All three are (side + 2, side + 2): a window and the ring of pixels around it.
    """
    outline, cut, truncated = 0, 0, False
    rows, columns = shape.shape
    for y in range(1, rows - 1):
        for x in range(1, columns - 1):
            if shape[y, x] == 0:
                continue
            for dy in range(-1, 2):
                for dx in range(-1, 2):
                    yy, xx = y + dy, x + dx
                    truncated = truncated or unknown[yy, xx]
                    if (dy == 0) != (dx == 0) and shape[yy, xx] == 0:
                        outline += 1
                        ringed = yy == 0 or xx == 0 or yy == rows - 1 or xx == columns - 1
                        cut += ringed and cloud[yy, xx]
    return outline, cut, truncated
