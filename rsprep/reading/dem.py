"""Elevation: tiles are joined on one lattice first, and warped to the target once.

Warping tile by tile would leave a seam of one pixel wherever a kernel meets the edge of a tile.
Copernicus tiles state their pixels as points and GDAL has already turned that into the outer edge of
the first pixel, so nothing is shifted here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from rsprep.errors import RasterError, ReadError, RsprepError
from rsprep.granule import Granule
from rsprep.reading.access import Access
from rsprep.reading.bands import asset_of
from rsprep.reading.control import ControlCache, ControlGrid, crs_of, pixel_lengths
from rsprep.reading.extent import reach
from rsprep.reading.layer import Layer
from rsprep.reading.spec import BandSpec
from rsprep.reading.validity import find_invalid
from rsprep.reading.warp import PASTE_TOLERANCE_PX, relate, suited, support, warp
from rsprep.reading.window import Window

Box = tuple[float, float, float, float]


@dataclass(frozen=True, kw_only=True)
class FailedRead:
    """A tile that should contribute to a target and could not be read."""

    granule_id: str
    error: RsprepError
    """A ReadError, or the RasterError of a file that contradicts its item."""
    rows: slice
    """Rows of the target that the tile may have filled."""
    columns: slice
    """Columns of the target likewise."""


@dataclass(frozen=True, kw_only=True)
class Elevation:
    """What :func:`load_dem` returns: heights, and an account of every tile."""

    layer: Layer
    """float32 metres, NaN where no tile and no box of zero height covers the target."""
    granule_ids: tuple[str, ...]
    """Tiles that gave pixels."""
    failed: tuple[FailedRead, ...]
    untouched: tuple[str, ...]
    """Tiles that have no pixel under the target."""


def load_dem(
    granules: Sequence[Granule],
    band: str,
    target: GeoBox,
    spec: BandSpec,
    *,
    access: Callable[[Granule], Access],
    zero_boxes: Sequence[Box] = (),
    controls: ControlCache | None = None,
    pool: Executor | None = None,
    collect: bool = False,
) -> Elevation:
    """Mosaic DEM tiles on the lattice of the finest one, then warp the mosaic to `target`.

    Tiles on that lattice are pasted bit for bit; coarser ones (GLO-30 widens its pixels towards the
    poles) are first joined among themselves, then resampled, which moves nothing along the rows that
    both share.

    Parameters
    ----------
    zero_boxes : areas (west, south, east, north; degrees) that hold 0 m wherever no tile has a value:
        ocean tiles that the provider leaves out. Filled before the warp, so that coasts have no rim.
    collect : True: a tile that cannot be read comes back in `failed` and leaves a gap; False: it raises.
    access : tells where the pixels of a tile come from.
    controls, pool : see :func:`rsprep.reading.bands.load_granule`.

    Raises
    ------
    ReadError, RasterError : a tile could not be read or contradicts its item (`collect` False), or the
        tiles do not share one CRS.
    """
    controls = controls or ControlCache(target)
    results = _read_all(granules, band, spec, controls, access, pool)
    windows: list[Window] = []
    ids: list[str] = []
    untouched: list[str] = []
    failed: list[FailedRead] = []
    for granule, result in zip(granules, results, strict=True):
        if isinstance(result, Window):
            windows.append(result)
            ids.append(granule.id)
        elif result is None:
            untouched.append(granule.id)
        elif collect:
            rows, columns = reach(granule, target, controls)
            failed.append(FailedRead(granule_id=granule.id, error=result, rows=rows, columns=columns))
        else:
            raise result
    layer = _heights(windows, band, target, spec, zero_boxes, controls)
    return Elevation(layer=layer, granule_ids=tuple(ids), failed=tuple(failed), untouched=tuple(untouched))


def _read_all(
    granules: Sequence[Granule],
    band: str,
    spec: BandSpec,
    controls: ControlCache,
    access: Callable[[Granule], Access],
    pool: Executor | None,
) -> list[Window | ReadError | RasterError | None]:
    """The window of each tile, None where it does not touch the target, or why it could not be read."""

    def one(granule: Granule) -> Window | ReadError | RasterError | None:
        found: list[Window | None] = []
        try:
            access(granule).read([asset_of(granule, band)], spec, controls, lambda _, window: found.append(window))
        except (ReadError, RasterError) as error:
            return error
        return found[0]

    run = map if pool is None or len(granules) < 2 else pool.map
    return list(run(one, granules))


def _heights(
    windows: Sequence[Window],
    band: str,
    target: GeoBox,
    spec: BandSpec,
    zero_boxes: Sequence[Box],
    controls: ControlCache,
) -> Layer:
    shape = (int(target.shape[0]), int(target.shape[1]))
    if not windows and not zero_boxes:
        values = np.full((1, *shape), np.nan, np.float32)
        return Layer(values=values, valid=np.zeros(shape, np.bool_), bands=(band,), grid=target)
    tiles = [_near(window.grid, target, controls) for window in windows]
    if len({str(grid.crs) for grid in tiles}) > 1:
        raise RasterError(
            "mixed-crs",
            "the DEM tiles are in several coordinate systems",
            value=sorted({str(grid.crs) for grid in tiles}),
            remedy="use a DEM collection with one coordinate system",
        )
    finest = min(tiles, key=lambda grid: pixel_lengths(grid)[0]) if tiles else _default_lattice()
    control = controls.get(finest)
    lattice = _under(finest, control, support(suited(spec.resampling, finest, control), finest, control))
    heights = np.full(tuple(lattice.shape), np.nan, np.float32)
    for group in _lattices(tiles):
        joined, grid = _joined([(tiles[i], windows[i].values) for i in group], spec.nodata)
        # Cubic along the rows that a coarser lattice shares with the finest; a copy where they are one.
        part = warp(joined, grid, lattice, resampling="cubic", nodata=None)
        np.copyto(heights, part.values, where=part.valid & np.isnan(heights))
    for box in zero_boxes:
        _fill_zero(heights, lattice, box)
    kernel = suited(spec.resampling, lattice, control)
    warped = warp(heights, lattice, target, resampling=kernel, nodata=None, control=control)
    return Layer(values=warped.values[None], valid=warped.valid, bands=(band,), grid=target)


def _near(grid: GeoBox, target: GeoBox, controls: ControlCache) -> GeoBox:
    """`grid` with its longitudes turned by whole circles to lie beside the target's."""
    if not crs_of(grid).geographic:
        return grid
    control = controls.get(grid)
    middle, _ = grid.affine * (grid.shape[1] / 2, grid.shape[0] / 2)
    turns = round((float(control.x.mean()) - middle) / 360.0)
    return GeoBox(grid.shape, Affine.translation(360.0 * turns, 0.0) * grid.affine, grid.crs) if turns else grid


def _default_lattice() -> GeoBox:
    """A lattice of one arc second, for a target that only ocean touches."""
    second = 1.0 / 3600.0
    return GeoBox((1, 1), Affine(second, 0, -second / 2, 0, -second, second / 2), "EPSG:4326")


def _under(lattice: GeoBox, control: ControlGrid, margin: int) -> GeoBox:
    """The pixels of the endless lattice that the target of `control` needs."""
    to_pixel = ~lattice.affine
    columns = to_pixel.a * control.x + to_pixel.b * control.y + to_pixel.c
    rows = to_pixel.d * control.x + to_pixel.e * control.y + to_pixel.f
    left, top = math.floor(columns.min()) - margin, math.floor(rows.min()) - margin
    right, bottom = math.ceil(columns.max()) + margin, math.ceil(rows.max()) + margin
    return GeoBox((bottom - top, right - left), lattice.affine * Affine.translation(left, top), lattice.crs)


def _lattices(tiles: Sequence[GeoBox]) -> list[list[int]]:
    """Indexes of `tiles` that share one lattice, in groups."""
    groups: list[list[int]] = []
    for index, tile in enumerate(tiles):
        for group in groups:
            relation = relate(tiles[group[0]], tile)
            if relation is not None and relation.paste is not None:
                group.append(index)
                break
        else:
            groups.append([index])
    # The finest first: where two groups overlap, the better one keeps its pixels.
    return sorted(groups, key=lambda group: pixel_lengths(tiles[group[0]])[0])


def _joined(parts: Sequence[tuple[GeoBox, NDArray[Any]]], nodata: float | None) -> tuple[NDArray[np.float32], GeoBox]:
    """Tiles of one lattice side by side, float32 with NaN for nodata; the first valid value stays."""
    first = parts[0][0]
    corners = []
    for grid, values in parts:
        column, row = ~first.affine * (grid.affine.c, grid.affine.f)
        corners.append((round(row), round(column), *values.shape))
    top, left = min(c[0] for c in corners), min(c[1] for c in corners)
    bottom, right = max(c[0] + c[2] for c in corners), max(c[1] + c[3] for c in corners)
    joined = np.full((bottom - top, right - left), np.nan, np.float32)
    for (_, values), (row, column, height, width) in zip(parts, corners, strict=True):
        here = joined[row - top : row - top + height, column - left : column - left + width]
        validity = find_invalid(np.ascontiguousarray(values), nodata)
        free = np.isnan(here)
        if validity.any_invalid:
            free &= validity.invalid == 0
        np.copyto(here, values.astype(np.float32, copy=False), where=free)
    grid = GeoBox(joined.shape, first.affine * Affine.translation(left, top), first.crs)
    return joined, grid


def _fill_zero(heights: NDArray[np.float32], lattice: GeoBox, box: Box) -> None:
    """Put 0 m where a pixel has no value and its centre lies in `box`, or within half a pixel of it.

    Half a pixel, because the centres of a pixel-is-point tile lie on its nominal border.
    """
    west, south, east, north = box
    east = east + 360.0 if east < west else east
    affine = lattice.affine
    x = affine.c + affine.a * (np.arange(heights.shape[1]) + 0.5)
    y = affine.f + affine.e * (np.arange(heights.shape[0]) + 0.5)
    x = x - 360.0 * np.round((x - (west + east) / 2) / 360.0)
    reach_x = abs(affine.a) * (0.5 + PASTE_TOLERANCE_PX)
    reach_y = abs(affine.e) * (0.5 + PASTE_TOLERANCE_PX)
    inside_x = (x >= west - reach_x) & (x <= east + reach_x)
    inside_y = (y >= south - reach_y) & (y <= north + reach_y)
    inside = inside_y[:, None] & inside_x[None, :] & np.isnan(heights)
    heights[inside] = 0.0
