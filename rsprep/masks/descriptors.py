"""Numbers that describe the shape of a mask: how large, how compact, how elongated, how ragged.

Outline and holes come from the counts of the 16 patterns that 2 × 2 pixels can show (bit quads; Gray 1971,
IEEE Trans. Computers 20, 551-561; the outline's unbiased weights follow from Cauchy's formula over four
directions), everything else from the moments and the convex hull of the pixels as unit squares.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numba
import numpy as np
from numpy.typing import NDArray

from rsprep.masks.components import find_components

# Length of the outline that 2 × 2 pixels stand for. Corners cut at half a pixel make a line of any slope too
# long by the same mean factor, 8 (√2 − 1) / π, which is divided out.
_STRAIGHT: Final = math.pi / (8 * (math.sqrt(2) - 1))
_CORNER: Final = _STRAIGHT / math.sqrt(2)


@dataclass(frozen=True, kw_only=True)
class Descriptors:
    """The shape of one mask; lengths in pixels."""

    area_ratio: float
    """Share of the pixels that are set."""
    perimeter: float
    """Length of all outlines, those of holes too. Right on average over directions: within 1 % for a disc, a
    twentieth too short for a square along the axes."""
    compactness: float
    """4π · area / perimeter²: 1 for a disc, less for whatever is elongated, ragged or has holes."""
    eccentricity: float
    """Of the ellipse with the same second moments: 0 for a disc, towards 1 for a line."""
    orientation: float
    """Direction of that ellipse's long axis in degrees, counter-clockwise from the rows' direction, (−90, 90]."""
    extent: float
    """Share of the upright bounding box that is set."""
    solidity: float
    """Share of the convex hull that is set."""
    holes: int
    """Clear regions that are enclosed."""
    equivalent_diameter: float
    """Of the disc with the same area."""

    def as_dict(self) -> Mapping[str, float]:
        """Name to value."""
        return asdict(self)


def describe(mask: NDArray[Any]) -> Descriptors:
    """Describe the set pixels of a mask.

    Parameters
    ----------
    mask : (y, x) bool or numbers; what is not 0 is set.

    Raises
    ------
    ValueError
        For a mask without a set pixel.
    """
    cells = np.ascontiguousarray(mask != 0)
    rows, columns = np.nonzero(cells)
    if not len(rows):
        raise ValueError("an empty mask has no shape")
    area = len(rows)
    straight, corner, euler = _quads(np.pad(cells, 1))
    perimeter = straight * _STRAIGHT + corner * _CORNER
    eccentricity, orientation = _ellipse(rows, columns)
    box = (int(np.ptp(rows)) + 1) * (int(np.ptp(columns)) + 1)
    return Descriptors(
        area_ratio=area / cells.size,
        perimeter=perimeter,
        compactness=min(1.0, 4 * math.pi * area / perimeter**2),
        eccentricity=eccentricity,
        orientation=orientation,
        extent=area / box,
        solidity=area / _hull_area(rows, columns),
        holes=len(find_components(cells)) - euler,
        equivalent_diameter=math.sqrt(4 * area / math.pi),
    )


def _ellipse(rows: NDArray[np.int64], columns: NDArray[np.int64]) -> tuple[float, float]:
    """Eccentricity and direction of the ellipse with the pixels' second moments."""
    y, x = rows - rows.mean(), columns - columns.mean()
    # A pixel is a unit square: a twelfth is its own second moment.
    xx, yy, xy = float((x * x).mean()) + 1 / 12, float((y * y).mean()) + 1 / 12, -float((x * y).mean())
    middle, spread = (xx + yy) / 2, math.hypot((xx - yy) / 2, xy)
    eccentricity = math.sqrt(max(0.0, 1 - (middle - spread) / (middle + spread)))
    # Adding 0 turns −0 into 0, which would be the other end of the half circle.
    # Adding 0 turns −0 into 0, which would be the other end of the half circle.
    return eccentricity, math.degrees(0.5 * math.atan2(2 * xy + 0.0, xx - yy))


def _hull_area(rows: NDArray[np.int64], columns: NDArray[np.int64]) -> float:
    """Area of the convex hull of pixels as unit squares; at least their number."""
    lines, first = np.unique(rows, return_index=True)
    last = np.append(first[1:], len(rows)) - 1
    left, right = columns[first], columns[last] + 1
    # Upper and lower corner of the first and the last pixel of each row, sorted along y then x.
    sides = [np.concatenate([np.stack([lines + down, side], axis=1) for down in (0, 1)]) for side in (left, right)]
    points = np.unique(np.concatenate(sides), axis=0).astype(np.float64)
    hull = _hull(points)
    x, y = hull[:, 1], hull[:, 0]
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


@numba.njit(cache=True, nogil=True)
def _quads(cells: Any) -> Any:
    """Straight pieces and corners of the outline, and parts less holes, of a mask with a clear margin."""
    straight, corner, ends, bays, touching = 0, 0, 0, 0, 0
    for y in range(cells.shape[0] - 1):
        for x in range(cells.shape[1] - 1):
            a, b, c, d = cells[y, x], cells[y, x + 1], cells[y + 1, x], cells[y + 1, x + 1]
            count = int(a) + int(b) + int(c) + int(d)
            if count == 1:
                corner, ends = corner + 1, ends + 1
            elif count == 3:
                corner, bays = corner + 1, bays + 1
            elif count == 2:
                if a == d:
                    corner, touching = corner + 2, touching + 1
                else:
                    straight += 1
    return straight, corner, (ends - bays - 2 * touching) // 4


@numba.njit(cache=True, nogil=True)
def _hull(points: Any) -> Any:
    """Convex hull of points that are sorted: one side on the way there, the other on the way back."""
    count = len(points)
    hull = np.empty((2 * count, 2))
    size, kept = 0, 1
    for step in range(2 * count - 1):
        if step == count:
            kept = size
        point = points[step if step < count else 2 * count - 2 - step]
        while size > kept and _turn(hull[size - 2], hull[size - 1], point) <= 0:
            size -= 1
        hull[size] = point
        size += 1
    return hull[: size - 1]


@numba.njit(cache=True, nogil=True)
def _turn(one: Any, other: Any, point: Any) -> Any:
    return (other[0] - one[0]) * (point[1] - one[1]) - (other[1] - one[1]) * (point[0] - one[0])
