"""Train, validation and test by spatial block.

The globe is cut into blocks of about `block_km`, in rows of latitude with a whole number of columns
each, so that blocks close at 180° and know nothing of zones, chip sizes or AOIs. A hash of the block's
name decides its split; a chip belongs to the block that holds its centre. Around a block of higher
priority (test before val before train) chips of lower priority are given up wherever a chip of that
block could come nearer than the buffer. Both rules look at positions only: a chip keeps its split when
the AOI grows.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from rsprep.config import Split
from rsprep.errors import ConfigError
from rsprep.zones import METRES_PER_DEGREE, ZONE_WIDTH, Zone

SPLITS = ("train", "val", "test")
"""In rising order of priority."""
BUFFER_REASON = "split-buffer"
_SCALE_MARGIN = 1.002
"""A UTM zone shows ground lengths at 0.9996 to 1.001 of their size, a little more beyond its edges."""
_EDGE_STEP = 0.02
"""Degrees between points along a block's edge: a parallel bends 5 cm away between them."""


@dataclass(frozen=True)
class Blocks:
    """The blocks of the globe for one size."""

    block_km: float

    @property
    def n_rows(self) -> int:
        return max(1, round(180 * METRES_PER_DEGREE / (self.block_km * 1000)))

    def n_cols(self, row: ArrayLike) -> NDArray[np.int64]:
        """Whole columns in a row, so that all are about as wide as high at the row's middle."""
        middle = -90 + (np.asarray(row, float) + 0.5) * 180 / self.n_rows
        around = 360 * METRES_PER_DEGREE * np.cos(np.radians(middle))
        return np.maximum(1, np.round(around / (self.block_km * 1000))).astype(np.int64)

    def block_of(self, lon: ArrayLike, lat: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(row, col) of the blocks that hold points given in degrees."""
        row = np.floor((np.asarray(lat, float) + 90) / 180 * self.n_rows).astype(np.int64)
        row = np.clip(row, 0, self.n_rows - 1)
        n = self.n_cols(row)
        col = np.floor(np.mod(np.asarray(lon, float) + 180, 360) / 360 * n).astype(np.int64)
        return row, np.minimum(col, n - 1)

    def bounds(self, row: int, col: int) -> tuple[float, float, float, float]:
        """West, south, east, north in degrees."""
        height, width = 180 / self.n_rows, 360 / int(self.n_cols(row))
        return -180 + col * width, -90 + row * height, -180 + (col + 1) * width, -90 + (row + 1) * height

    def around(self, row: int, col: int) -> set[tuple[int, int]]:
        """A block and all that come nearer to it than about one block."""
        west, _, east, _ = self.bounds(row, col)
        found = set()
        for other in range(max(0, row - 1), min(self.n_rows, row + 2)):
            n = int(self.n_cols(other))
            first, last = (int(np.floor((edge + 180) / 360 * n)) for edge in (west, east))
            found |= {(other, column % n) for column in range(first - 2, last + 3)}
        return found


def block_id(row: int, col: int) -> str:
    """Name of a block, ``b0123-0456``."""
    return f"b{row:04d}-{col:04d}"


def split_of_block(name: str, settings: Split) -> int:
    """Index into `SPLITS` for a block, from a hash of the seed and the block's name."""
    digest = hashlib.blake2b(f"{settings.seed}/{name}".encode(), digest_size=8).digest()
    uniform = int.from_bytes(digest, "big") / 2**64
    train, val, _ = settings.fractions
    return 0 if uniform < train else 1 if uniform < train + val or settings.fractions[2] == 0 else 2


def assign(
    zone: Zone, boxes: NDArray[np.float64], lon: NDArray[np.float64], lat: NDArray[np.float64], settings: Split
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Split of every chip, and whether the buffer gives it up.

    Parameters
    ----------
    zone : zone of the chips.
    boxes : (n, 4) west, south, east, north of the chips in the zone's CRS, metres; squares of one size.
    lon, lat : (n,) centres in degrees.
    settings : fractions, block size, buffer and seed.

    Returns
    -------
    split : (n,) index into `SPLITS`.
    given_up : (n,) True where a chip of a higher split could come nearer than the buffer.

    Raises
    ------
    ConfigError : ``block-too-small``, when blocks would be nothing but buffer.
    """
    if len(boxes) == 0:
        return np.empty(0, np.int64), np.empty(0, bool)
    side = float(boxes[0, 2] - boxes[0, 0])
    check_blocks(side, settings)
    blocks = Blocks(settings.block_km)
    names, inverse = np.unique(np.stack(blocks.block_of(lon, lat), axis=-1), axis=0, return_inverse=True)
    of_block = np.array([split_of_block(block_id(*name), settings) for name in names.tolist()])
    split = of_block[inverse.ravel()]
    given_up = np.zeros(len(boxes), bool)
    if settings.buffer_m == 0:
        return split, given_up  # chips never overlap, which is all that no buffer asks for
    nearby = set().union(*(blocks.around(*name) for name in names.tolist()))
    tree = shapely.STRtree(shapely.box(*boxes.T))
    # half a diagonal: that far a chip can reach out of the block that holds its centre
    reach = (settings.buffer_m + side / np.sqrt(2)) * _SCALE_MARGIN
    pad = min(60.0, 1 + 1.5 * reach / (METRES_PER_DEGREE * np.cos(np.radians(np.abs(lat).max()))))
    for priority in (1, 2):
        higher = [name for name in sorted(nearby) if split_of_block(block_id(*name), settings) == priority]
        shapes = [shape for name in higher for shape in _outlines(zone, blocks.bounds(*name), pad)]
        if shapes:
            reached = np.unique(tree.query(shapes, predicate="dwithin", distance=reach)[1])
            given_up[reached] |= split[reached] < priority
    return split, given_up


def check_blocks(side: float, settings: Split) -> None:
    """Refuse blocks in which hardly a chip of `side` metres would keep clear of the buffer."""
    least = 2 * (side + settings.buffer_m)
    if settings.block_km * 1000 < least:
        raise ConfigError(
            "block-too-small",
            f"split blocks must be at least twice as wide as a chip and the buffer together ({least / 1000:g} km)",
            value=f"split.block_km = {settings.block_km:g}",
            remedy="raise split.block_km, or lower split.buffer_m or --chip-size",
        )


def _outlines(zone: Zone, bounds: tuple[float, float, float, float], pad: float) -> list[shapely.Polygon]:
    """A block in the zone's CRS: the part within `pad` degrees of the zone, none when it is elsewhere."""
    west, south, east, north = bounds
    south, north = max(south, -85.0), min(north, 85.0)
    first = float(zone.offset_of(west))
    shapes = []
    for turn in (-360.0, 0.0):
        left, right = max(first + turn, -pad), min(first + turn + east - west, ZONE_WIDTH + pad)
        if left >= right:
            continue
        box = shapely.segmentize(shapely.box(left + zone.west_edge, south, right + zone.west_edge, north), _EDGE_STEP)
        x, y = zone.project(*shapely.get_coordinates(box).T)
        shapes.append(shapely.Polygon(np.stack([x, y], axis=-1)))
    return shapes
