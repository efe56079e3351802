"""Which part of a source a target needs, which part of a target a source reaches, and what that weighs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from shapely.affinity import translate

from rsprep.errors import RasterError
from rsprep.granule import Granule
from rsprep.reading.control import ControlCache, ControlGrid, crs_of, transformer


def source_window(source: GeoBox, control: ControlGrid, margin: int) -> tuple[slice, slice] | None:
    """Rows and columns of `source` that the target of `control` needs, widened by `margin` pixels.

    None where no part of the target lies inside the source. The bounds hold for interpolated positions
    too, because those never leave the range of their nodes.

    Raises
    ------
    RasterError : the source spans the globe and the target crosses the meridian where it is cut open.
    """
    x, y = control.pixels_in(source)
    height, width = int(source.shape[0]), int(source.shape[1])
    if x.max() <= 0 or y.max() <= 0 or x.min() >= width or y.min() >= height:
        return None
    _refuse_cut(source, x, width)
    rows = slice(max(0, math.floor(y.min()) - margin), min(height, math.ceil(y.max()) + margin))
    columns = slice(max(0, math.floor(x.min()) - margin), min(width, math.ceil(x.max()) + margin))
    return rows, columns


def _refuse_cut(source: GeoBox, x: NDArray[np.float64], width: int) -> None:
    if source.crs is None or not source.crs.geographic:
        return
    circle = abs(360.0 / source.affine.a)
    for turned in (x - circle, x + circle):
        if turned.max() > 0 and turned.min() < width:
            raise RasterError(
                "cut-by-target",
                "the target crosses the meridian where this global raster begins and ends",
                value=str(source.boundingbox),
                remedy="publish the raster in tiles, or keep the area of interest on one side of that meridian",
            )


def target_region(source: GeoBox, control: ControlGrid, margin: int = 0) -> tuple[slice, slice] | None:
    """Rows and columns of the target that `source`, widened by `margin` of its pixels, can reach.

    Counted in whole cells of the control grid, so never too small; None where it reaches none.
    """
    x, y = control.pixels_in(source)
    height, width = int(source.shape[0]), int(source.shape[1])
    inside = (
        (_corners(x, np.minimum) < width + margin)
        & (_corners(x, np.maximum) > -margin)
        & (_corners(y, np.minimum) < height + margin)
        & (_corners(y, np.maximum) > -margin)
    )
    if not inside.any():
        return None
    cell_rows, cell_columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    return (
        slice(int(control.rows[cell_rows[0]]), int(control.rows[cell_rows[-1] + 1])),
        slice(int(control.columns[cell_columns[0]]), int(control.columns[cell_columns[-1] + 1])),
    )


def _corners(nodes: NDArray[np.float64], choose: np.ufunc) -> NDArray[np.float64]:
    top, bottom = choose(nodes[:-1, :-1], nodes[:-1, 1:]), choose(nodes[1:, :-1], nodes[1:, 1:])
    return np.asarray(choose(top, bottom))


def outline(target: GeoBox) -> shapely.Geometry:
    """Outline of `target` in longitude and latitude, within -180..180; in parts where it crosses the antimeridian."""
    height, width = int(target.shape[0]), int(target.shape[1])
    ring = shapely.segmentize(shapely.box(0, 0, width, height).exterior, max(height, width) / 16)
    x, y = target.affine * shapely.get_coordinates(ring).T
    lon, lat = transformer(crs_of(target), "EPSG:4326").transform(x, y)
    lon = lon - 360.0 * np.round((lon - lon[0]) / 360.0)
    whole = shapely.Polygon(np.column_stack([lon, lat]))
    turns = [translate(whole, xoff=turn) for turn in (-360.0, 0.0, 360.0)]
    return shapely.union_all(turns).intersection(shapely.box(-180, -90, 180, 90))


def footprint_region(footprint: shapely.Geometry, target: GeoBox, margin: int = 3) -> tuple[slice, slice] | None:
    """Rows and columns of `target` under `footprint` (longitude, latitude), widened by `margin`; None if none are."""
    shared = footprint.intersection(outline(target))
    if shared.is_empty:
        return None
    lon, lat = shapely.get_coordinates(shapely.segmentize(shared, 0.02)).T
    x, y = transformer("EPSG:4326", crs_of(target)).transform(lon, lat)
    columns, rows = ~target.affine * (x, y)
    return (
        slice(max(0, math.floor(rows.min()) - margin), min(int(target.shape[0]), math.ceil(rows.max()) + margin)),
        slice(max(0, math.floor(columns.min()) - margin), min(int(target.shape[1]), math.ceil(columns.max()) + margin)),
    )


def reach(granule: Granule, target: GeoBox, controls: ControlCache) -> tuple[slice, slice]:
    """Rows and columns of `target` that any asset of the granule may fill, by its declared grid or its footprint.

    Empty slices where it reaches none.
    """
    grids = [asset.grid for asset in granule.assets.values()]
    regions = [target_region(grid, controls.get(grid), margin=3) for grid in grids if grid is not None]
    if None in grids or not grids:
        regions.append(footprint_region(granule.footprint, target))
    found = [region for region in regions if region is not None]
    if not found:
        return slice(0, 0), slice(0, 0)
    rows, columns = zip(*found, strict=True)
    return _spanned(rows), _spanned(columns)


def _spanned(sides: Sequence[slice]) -> slice:
    return slice(min(side.start for side in sides), max(side.stop for side in sides))
