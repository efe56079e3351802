"""What a hole in the elevation model means: sea where no tile was ever published, a fault anywhere else.

The Copernicus DEM is a surface model (DSM: treetops and roofs, not the ground), and its heights count
from the EGM2008 geoid. Its tiles are one degree square; a tile owns the lattice points on its west
and north edges, not those on its east and south edges.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from rsprep.errors import CatalogError, RasterError
from rsprep.granule import Granule

SURFACE: Final = "DSM"
VERTICAL_DATUM: Final = "EGM2008"
SEA_LEVEL: Final = 0.0
SLACK: Final = 0.01
"""Share of a tile that may stick out of the footprint of its item: lattices are half a pixel off the degree."""


def require_tiles(land: Sequence[shapely.Polygon], granules: Sequence[Granule]) -> None:
    """Refuse to go on without a tile that exists.

    Parameters
    ----------
    land : cells of the tile grid for which a tile was published, in longitude and latitude.
    granules : the DEM tiles that the source found.

    Raises
    ------
    CatalogError
        When no granule covers a cell. Filling it with 0 m would turn land into sea.
    """
    found = shapely.union_all([granule.footprint for granule in granules]) if granules else shapely.Point()
    for cell in land:
        if cell.difference(found).area > SLACK * cell.area:
            west, south, east, north = cell.bounds
            raise CatalogError(
                "dem-tile-missing",
                "the source has no DEM tile here, though the list of published tiles has one",
                value=f"{west:g},{south:g},{east:g},{north:g}",
                remedy="complete the catalog, or take another DEM source; only sea is filled with 0 m",
            )


def fill_sea(
    elevation: NDArray[np.floating[Any]], valid: NDArray[np.bool_], grid: GeoBox, sea: Sequence[shapely.Polygon]
) -> tuple[NDArray[np.floating[Any]], NDArray[np.bool_]]:
    """Put 0 m where the tile grid says sea, before anything is warped, so that the coast has no seam.

    Parameters
    ----------
    elevation, valid : (y, x) mosaic on the DEM's own lattice. What is valid is never touched.
    grid : its lattice, in longitude and latitude; it may run on past 180°.
    sea : cells of the tile grid that never had a tile, each within [-180, 180].

    Returns
    -------
    elevation, valid : new arrays. Other holes stay holes.

    Raises
    ------
    RasterError
        When the grid is not one of longitudes and latitudes.
    """
    if grid.crs is None or not grid.crs.geographic or grid.transform.b or grid.transform.d:
        raise RasterError(
            "dem-lattice",
            "sea cells are boxes in longitude and latitude, the mosaic is not",
            value=str(grid.crs),
            remedy="fill the sea on the DEM's own lattice, then warp",
        )
    rows, columns = elevation.shape
    affine = grid.transform
    longitude = (affine.c + affine.a * (np.arange(columns) + 0.5) + 180) % 360 - 180
    latitude = affine.f + affine.e * (np.arange(rows) + 0.5)
    # A lattice point on the edge of a cell must not fall to its neighbour by a rounding error.
    hair = abs(affine.a) * 1e-3
    is_sea = np.zeros(elevation.shape, np.bool_)
    for cell in sea:
        west, south, east, north = cell.bounds
        across = ((longitude - west + hair) % 360) < east - west
        down = (latitude > south + hair) & (latitude <= north + hair)
        is_sea |= down[:, None] & across[None, :]
    fill = is_sea & ~valid
    return np.where(fill, np.asarray(SEA_LEVEL, elevation.dtype), elevation), valid | fill
