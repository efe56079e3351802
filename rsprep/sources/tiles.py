"""The list of DEM tiles that were published: sea has none, and only the list tells sea from a gap."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import dataclass

import shapely

from rsprep.errors import CatalogError

_NAME = re.compile(r"([NS])(\d{2})_(\d{2})_([EW])(\d{3})_(\d{2})")
"""South-west corner in a Copernicus DEM tile name, whole degrees and hundredths: ``N54_00_W084_00``."""


@dataclass(frozen=True, kw_only=True)
class TileList:
    """South-west corners of the tiles of land, in hundredths of a degree (integers compare exactly)."""

    corners: frozenset[tuple[int, int]]
    """(south, west) × 100; of tiles that were published, and of land whose tiles were not."""
    tile_degrees: float
    """Side of a tile in degrees."""

    @classmethod
    def parse(cls, text: str, *, tile_degrees: float, source: str, withheld: Collection[str] = ()) -> TileList:
        """Read a list with one tile name a line; `source` names it in errors.

        Parameters
        ----------
        withheld : corners as in ``N40E045`` of land for which no tile may have been published. They count as if they
            were listed, so that a gap there is a fault and never the sea.

        Raises
        ------
        CatalogError : ``bad-tile-list`` where a line names no tile, or there is none: an error page or a cut
            download taken as a list would turn land into sea.
        """
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        matches = [(_NAME.search(line), line) for line in lines]
        bad = [line for match, line in matches if match is None]
        if bad or not lines:
            raise CatalogError(
                "bad-tile-list",
                f"{source} is not a list of DEM tiles",
                value=bad[0] if bad else "(empty)",
                remedy="each line names a tile, as in Copernicus_DSM_COG_10_N54_00_W084_00_DEM",
            )
        land = [_NAME.fullmatch(f"{name[:3]}_00_{name[3:]}_00") for name in withheld]
        corners = frozenset(_corner(match) for match in [*(match for match, _ in matches), *land] if match is not None)
        return cls(corners=corners, tile_degrees=tile_degrees)

    def land(self, area: shapely.Geometry) -> list[shapely.Polygon]:
        """Cells of the tile grid inside `area` (lon/lat) that have land: a DEM gap there is a fault."""
        return [shapely.box(*bounds) for corner, bounds in self._cells(area) if corner in self.corners]

    def sea(self, area: shapely.Geometry) -> list[shapely.Polygon]:
        """Cells of the tile grid inside `area` (lon/lat) that never had a tile: 0 m there is the truth."""
        return [shapely.box(*bounds) for corner, bounds in self._cells(area) if corner not in self.corners]

    def _cells(self, area: shapely.Geometry) -> list[tuple[tuple[int, int], tuple[float, float, float, float]]]:
        side = self.tile_degrees
        cells = []
        for part in shapely.get_parts(area):
            west, south, east, north = part.bounds
            for row in range(math.floor(south / side), math.ceil(north / side)):
                for column in range(math.floor(west / side), math.ceil(east / side)):
                    bounds = (column * side, row * side, (column + 1) * side, (row + 1) * side)
                    if part.intersects(shapely.box(*bounds)):
                        cells.append(((round(row * side * 100), round(column * side * 100)), bounds))
        return sorted(set(cells))


def _corner(match: re.Match[str]) -> tuple[int, int]:
    north, lat, lat_part, east, lon, lon_part = match.groups()
    south = (int(lat) * 100 + int(lat_part)) * (1 if north == "N" else -1)
    west = (int(lon) * 100 + int(lon_part)) * (1 if east == "E" else -1)
    return south, west
