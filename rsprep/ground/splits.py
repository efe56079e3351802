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
from rsprep.ground.lattice import Lattice
from rsprep.ground.zones import METRES_PER_DEGREE, Zone

SPLITS = ("train", "val", "test")
"""In rising order of priority."""
BUFFER_REASON = "split-buffer"
_SCALE_MARGIN = 1.002
"""A UTM zone shows ground lengths at 0.9996 to 1.001 of their size, a little more beyond its edges."""
_MOST_CHIPS = 8
"""Buffers that span more chips than this are kept by blocks alone."""
_BATCH = 20_000
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
    lattice: Lattice,
    row: NDArray[np.int64],
    col: NDArray[np.int64],
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    settings: Split,
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Split of every chip, and whether the buffer gives it up.

    Parameters
    ----------
    lattice : lattice of the chips.
    row, col : (n,) places of the chips on it.
    lon, lat : (n,) their centres in degrees.
    settings : fractions, block size, buffer and seed.

    Returns
    -------
    split : (n,) index into `SPLITS`.
    given_up : (n,) True where a chip of a higher split could come nearer than the buffer.

    Raises
    ------
    ConfigError : ``block-too-small``, when blocks would be nothing but buffer.
    """
    check_blocks(lattice.side, settings)
    split = splits_at(lon, lat, settings)
    if len(row) == 0 or settings.buffer_m == 0:
        # chips never overlap, which is all that no buffer asks for
        return split, np.zeros(len(row), bool)
    given_up = _near_higher_block(lattice, lattice.bounds(row, col), lon, lat, split, settings)
    # that test allows for chips anywhere; where all chips nearby are on this lattice, their places are known
    at = np.flatnonzero(given_up & _alone(lattice, row, lon, lat, settings))
    given_up[at] = _near_higher_chip(lattice, row[at], col[at], split[at], settings)
    return split, given_up


def splits_at(lon: NDArray[np.float64], lat: NDArray[np.float64], settings: Split) -> NDArray[np.int64]:
    """Index into `SPLITS` of the blocks that hold points given in degrees, (n,)."""
    names, inverse = _unique_pairs(*Blocks(settings.block_km).block_of(lon, lat))
    drawn = np.array([split_of_block(block_id(*name), settings) for name in names.tolist()], np.int64)
    return drawn[inverse]


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


def _near_higher_block(
    lattice: Lattice,
    boxes: NDArray[np.float64],
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    split: NDArray[np.int64],
    settings: Split,
) -> NDArray[np.bool_]:
    """True where a chip centred somewhere in a block of a higher split could come nearer than the buffer."""
    blocks = Blocks(settings.block_km)
    own = _unique_pairs(*blocks.block_of(lon, lat))[0].tolist()
    nearby = sorted(set().union(*(blocks.around(*name) for name in own)))
    # half a diagonal: that far a chip can reach out of the block that holds its centre
    reach = (settings.buffer_m + lattice.side / np.sqrt(2)) * _SCALE_MARGIN
    pad = min(60.0, 1 + 1.5 * reach / (METRES_PER_DEGREE * np.cos(np.radians(np.abs(lat).max()))))
    tree = shapely.STRtree(shapely.box(*boxes.T))
    near = np.zeros(len(boxes), bool)
    for priority in (1, 2):
        higher = [name for name in nearby if split_of_block(block_id(*name), settings) == priority]
        shapes = [shape for name in higher for shape in _outlines(lattice.zone, blocks.bounds(*name), pad)]
        if shapes:
            reached = np.unique(tree.query(shapes, predicate="dwithin", distance=reach)[1])
            near[reached] |= split[reached] < priority
    return near


def _alone(
    lattice: Lattice, row: NDArray[np.int64], lon: NDArray[np.float64], lat: NDArray[np.float64], settings: Split
) -> NDArray[np.bool_]:
    """True where only chips of the same lattice can come nearer than the buffer: off zone edges and equator.

    Nowhere true when the buffer spans many chips: looking at each would cost more than it saves.
    """
    chips = _buffer_chips(lattice, settings)
    if chips > _MOST_CHIPS:
        return np.zeros(len(row), bool)
    # chips of the next zone have their centres at most two sides (gap fillers) on this side of the edge
    metres = 1.05 * (settings.buffer_m + 3.5 * lattice.side)
    margin = metres / (METRES_PER_DEGREE * np.cos(np.radians(lat)))
    offset = lattice.zone.offset_of(lon)
    alone: NDArray[np.bool_] = (offset > margin) & (offset < lattice.zone.width - margin) & (row > chips)
    return alone


def _unique_pairs(row: NDArray[np.int64], col: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct (row, col) pairs of indices below 2**31, and for each given pair which one it is."""
    codes, inverse = np.unique((row << 32) | col, return_inverse=True)  # many times faster than by rows
    return np.stack([codes >> 32, codes & 0xFFFFFFFF], axis=-1), inverse


def _buffer_chips(lattice: Lattice, settings: Split) -> int:
    """How many rows or columns away a chip may be that is nearer than the buffer."""
    return int(settings.buffer_m * _SCALE_MARGIN // lattice.side) + 1


def _near_higher_chip(
    lattice: Lattice, row: NDArray[np.int64], col: NDArray[np.int64], split: NDArray[np.int64], settings: Split
) -> NDArray[np.bool_]:
    """True where some place of the lattice nearer than the buffer is of a higher split."""
    chips = _buffer_chips(lattice, settings)
    d_row, d_col = (step.ravel() - chips for step in np.indices((2 * chips + 1, 2 * chips + 1)))
    gap = lattice.side * np.hypot(np.maximum(np.abs(d_row) - 1, 0), np.maximum(np.abs(d_col) - 1, 0))
    close = gap < settings.buffer_m * _SCALE_MARGIN
    near = np.zeros(len(row), bool)
    for start in range(0, len(row), _BATCH):
        part = slice(start, start + _BATCH)
        rows, cols = row[part, None] + d_row[close], col[part, None] + d_col[close]
        unique, inverse = _unique_pairs(rows.ravel(), cols.ravel())
        lon, lat = lattice.zone.unproject(*lattice.centres(unique[:, 0], unique[:, 1]))
        others = splits_at(lon, lat, settings)[inverse].reshape(rows.shape)
        near[part] = others.max(axis=1) > split[part]
    return near


def _outlines(zone: Zone, bounds: tuple[float, float, float, float], pad: float) -> list[shapely.Polygon]:
    """A block in the zone's CRS: the part within `pad` degrees of the zone, none when it is elsewhere."""
    west, south, east, north = bounds
    south, north = max(south, -85.0), min(north, 85.0)
    first = float(zone.offset_of(west))
    shapes = []
    for turn in (-360.0, 0.0):
        left, right = max(first + turn, -pad), min(first + turn + east - west, zone.width + pad)
        if left >= right:
            continue
        box = shapely.segmentize(shapely.box(left + zone.west_edge, south, right + zone.west_edge, north), _EDGE_STEP)
        x, y = zone.project(*shapely.get_coordinates(box).T)
        shapes.append(shapely.Polygon(np.stack([x, y], axis=-1)))
    return shapes
