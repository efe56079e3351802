"""Chips and shards: the units that are planned, built and stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from rsprep.ground.boundary import owned_mask
from rsprep.ground.lattice import Lattice


@dataclass(frozen=True, kw_only=True, slots=True)
class Chip:
    """One chip that is planned. Names and grids are derived, so that a plan of many stays small."""

    lattice: Lattice
    row: int
    """Chips away from the equator."""
    col: int
    """Chips eastward from the lattice's anchor."""
    lon: float
    """Longitude of the centre, degrees."""
    lat: float
    """Latitude of the centre, degrees."""
    split: str
    """``train``, ``val`` or ``test``."""
    inside: bool
    """True when the whole chip lies in the AOI."""
    clipped: bool = False
    """True when a chip of the western zone covers some of its ground: blank what `Shard.owned` leaves out."""
    reject: str | None = None
    """Why the chip is given up before any pixel is read (``split-buffer``); None when it is to be built."""

    @property
    def chip_id(self) -> str:
        """Stable name: zone, column, row. Depends on chip size, resolution and snap, never on the AOI."""
        return self.lattice.chip_id(self.row, self.col)

    @property
    def epsg(self) -> int:
        return self.lattice.epsg

    @property
    def grid(self) -> GeoBox:
        return self.lattice.chip_geobox(self.row, self.col)


@dataclass(frozen=True, kw_only=True)
class Shard:
    """A fixed square block of the lattice: one task, one writer."""

    index: int
    """Place in the plan, and along the store's chip axis in steps of ``block_chips ** 2``."""
    lattice: Lattice
    west: Lattice
    """Lattice of the zone to the west, which has priority along the boundary."""
    block_row: int
    block_col: int
    block_chips: int
    """Chips along the block's side."""
    chips: tuple[Chip | None, ...]
    """One slot a chip, row by row from the north-west corner; None where nothing is planned."""

    @property
    def shard_id(self) -> str:
        return f"{self.lattice.zone.name}-b{self.block_col:04d}-{self.block_row:04d}"

    @property
    def epsg(self) -> int:
        return self.lattice.epsg

    @property
    def grid(self) -> GeoBox:
        """Pixel grid of the whole block, planned or not."""
        return self.lattice.block_geobox(self.block_row, self.block_col, self.block_chips)

    @property
    def planned(self) -> Iterator[tuple[int, Chip]]:
        """(slot, chip) of every planned chip, those given up by the split buffer included."""
        return ((slot, chip) for slot, chip in enumerate(self.chips) if chip is not None)

    @property
    def to_build(self) -> Iterator[tuple[int, Chip]]:
        """(slot, chip) of every chip whose pixels are wanted."""
        return ((slot, chip) for slot, chip in self.planned if chip.reject is None)

    @property
    def pending(self) -> int:
        """Chips whose pixels are wanted."""
        return sum(1 for _ in self.to_build)

    def owned(self, chip: Chip) -> NDArray[np.bool_] | None:
        """(y, x) True for pixels that no chip of the western zone covers; None when that is all of them."""
        return owned_mask(self.lattice, self.west, chip.row, chip.col) if chip.clipped else None
