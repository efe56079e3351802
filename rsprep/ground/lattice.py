"""The lattice of chips of one UTM zone: where every possible chip lies, whatever the AOI."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from affine import Affine
from numpy.typing import ArrayLike, NDArray
from odc.geo.geobox import GeoBox

from rsprep.ground.zones import Zone

EQUATOR_SOUTH = 10_000_000.0
"""Northing of the equator in southern zones, metres."""


@dataclass(frozen=True, kw_only=True)
class Lattice:
    """All possible chips of one zone.

    Columns count eastward. Rows count away from the equator: northward in northern zones, southward in
    southern ones. So indices are never negative inside a zone and depend on nothing but the lattice.
    """

    epsg: int
    chip_px: int
    """Pixels along a chip's side."""
    resolution: float
    """Metres along a pixel's side."""
    x_anchor: float = 0.0
    """Western edge of column 0, metres."""
    y_anchor: float = 0.0
    """Edge of row 0 that faces the equator, metres."""
    wider_west: bool = False
    """True where it serves the ground of the zone to the west, too; see :func:`rsprep.ground.zones.zones_served`."""
    wider_east: bool = False
    """Likewise to the east."""

    @classmethod
    def make(cls, zone: Zone, chip_px: int, resolution: float, offset: tuple[float, float] = (0.0, 0.0)) -> Lattice:
        """Lattice whose pixel edges are at `offset` (x, y; metres) modulo the resolution.

        Row 0 touches the equator from its own side, to within a pixel when the resolution does not
        divide 10,000 km, so that no chip ever lies in both hemispheres.
        """
        x_offset, y_offset = (value % resolution for value in offset)
        if zone.south:
            # the hair keeps an exact multiple from being floored to the one below it
            steps = math.floor((EQUATOR_SOUTH - y_offset) / resolution + 1e-9)
            y_offset += steps * resolution
        return cls(
            epsg=zone.epsg,
            chip_px=chip_px,
            resolution=resolution,
            x_anchor=x_offset,
            y_anchor=y_offset,
            wider_west=zone.wider_west,
            wider_east=zone.wider_east,
        )

    @property
    def zone(self) -> Zone:
        plain = Zone.from_epsg(self.epsg)
        return Zone(plain.number, plain.south, self.wider_west, self.wider_east)

    @property
    def side(self) -> float:
        """Metres along a chip's side."""
        return self.chip_px * self.resolution

    @property
    def _up(self) -> int:
        return -1 if self.zone.south else 1

    def cell_of(self, x: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(row, col) of the chips that hold points given in metres."""
        col = np.floor((np.asarray(x, float) - self.x_anchor) / self.side).astype(np.int64)
        distance = self._up * (np.asarray(y, float) - self.y_anchor)
        return np.floor(distance / self.side).astype(np.int64), col

    def centres(self, row: ArrayLike, col: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Easting and northing of the chips' centres, metres."""
        x = self.x_anchor + (np.asarray(col, float) + 0.5) * self.side
        y = self.y_anchor + self._up * (np.asarray(row, float) + 0.5) * self.side
        return x, y

    def bounds(self, row: ArrayLike, col: ArrayLike, n: int = 1) -> NDArray[np.float64]:
        """(…, 4) west, south, east, north of blocks of `n` × `n` chips, given by their first row and column."""
        west = self.x_anchor + np.asarray(col, float) * self.side
        near = self.y_anchor + self._up * np.asarray(row, float) * self.side
        far = near + self._up * n * self.side
        return np.stack([west, np.minimum(near, far), west + n * self.side, np.maximum(near, far)], axis=-1)

    def block_geobox(self, block_row: int, block_col: int, n: int) -> GeoBox:
        """Grid of a block of `n` × `n` chips; block (0, 0) starts with chip (0, 0)."""
        west, _, _, north = (float(edge) for edge in self.bounds(block_row * n, block_col * n, n))
        affine = Affine(self.resolution, 0, west, 0, -self.resolution, north)
        return GeoBox((n * self.chip_px, n * self.chip_px), affine, self.epsg)

    def chip_geobox(self, row: int, col: int) -> GeoBox:
        """Pixel grid of one chip."""
        return self.block_geobox(row, col, 1)

    def slot(self, row: int, col: int, n: int) -> int:
        """Place of a chip in its block of `n` × `n`, counted row by row from the north-west corner."""
        inner = row % n if self.zone.south else n - 1 - row % n
        return inner * n + col % n

    def chip_id(self, row: int, col: int) -> str:
        """``33N-<column>-<row>``, of one width for all chips of this size."""
        digits = max(4, len(str(math.ceil(EQUATOR_SOUTH / self.side))))
        return f"{self.zone.name}-{col:0{digits}d}-{row:0{digits}d}"
