"""Control grids: where the pixels of a target grid lie in another coordinate system, to a bounded error.

The exact transform is evaluated at nodes some tens of pixels apart and interpolated in between. The
interpolation is bilinear, and bilinear interpolation commutes with affine maps: one control grid in
the coordinates of a source CRS therefore serves every band, resolution and granule in that CRS.

Nodes lie on an endless lattice of the target's pixels, wherever the target begins and ends; where its
border runs through a cell, the nodes on the border are interpolated as well. Positions, and so the
pixels of a build, therefore do not depend on the box that they were asked for.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from rsprep.errors import RasterError

START_STEP_PX = 64
MIN_STEP_PX = 2
TOLERANCE_PX = 0.01
FINEST = 2.0**20
"""Positions are rounded to one part in so many of a source pixel."""
ODD_FRACTION = 0.2939
"""Added before a grid's place on the endless lattice is rounded down: no grid lies at this fraction of a pixel."""

Floats = NDArray[np.float64]


@lru_cache(maxsize=64)
def _transformer(source: str, target: str) -> Transformer:
    return Transformer.from_crs(source, target, always_xy=True)


def transformer(source: CRS | str, target: CRS | str) -> Transformer:
    """The exact transform, x (easting, longitude) before y whatever the CRS says; made once per pair."""
    return _transformer(str(source), str(target))


@dataclass(frozen=True, kw_only=True)
class ControlGrid:
    """Source coordinates of the pixel centres of `target`, at nodes; bilinear in between.

    Build it with :meth:`build`.
    """

    source_crs: CRS
    target: GeoBox
    rows: NDArray[np.int64]
    """Target rows of the nodes: 0 first, then those on the lattice, the number of rows last (one row past the end)."""
    columns: NDArray[np.int64]
    """Target columns of the nodes likewise."""
    x: Floats
    """Easting or longitude of the centre of each node's pixel in `source_crs`, shape (rows, columns)."""
    y: Floats
    """Northing or latitude likewise."""
    error: tuple[float, float]
    """Largest error of interpolation found at the checked points, along x and y, in units of `source_crs`."""

    @classmethod
    def build(
        cls,
        source_crs: CRS,
        target: GeoBox,
        *,
        source_resolution: float | tuple[float, float] | None = None,
        tolerance_px: float = TOLERANCE_PX,
        start_step: int = START_STEP_PX,
    ) -> ControlGrid:
        """Lay nodes `start_step` pixels apart and halve the step until the error is at most `tolerance_px`.

        Parameters
        ----------
        source_crs : coordinate system of the sources.
        target : grid that will be filled.
        source_resolution : size of the finest source pixel in units of `source_crs`, along x and y;
            by default the size that a target pixel has there.
        tolerance_px : largest error allowed, in source pixels.
        start_step : distance between nodes to begin with, in target pixels.

        Raises
        ------
        RasterError : the target cannot be expressed in `source_crs`.

        Notes
        -----
        Between nodes the transform is quadratic to an excellent approximation, and the error of
        bilinear interpolation of a quadratic is largest at the middle of the cell or of one of its
        sides. Those points of every cell are checked against the exact transform.
        """
        return ControlCache(target, tolerance_px=tolerance_px, start_step=start_step).fine_enough(
            source_crs, None if source_resolution is None else _pair(source_resolution)
        )

    @classmethod
    def laid_out(cls, source_crs: CRS, target: GeoBox, step: int) -> ControlGrid:
        """Nodes `step` target pixels apart, with the error found in between."""
        rows, columns = _nodes_over(target, step)
        if source_crs == target.crs:
            x, y = _projected(target, rows, columns)
            error = (0.0, 0.0)
        else:
            # Nodes and the points between them in one lattice of twice the density: one call of the transform.
            x, y = _transformed(source_crs, target, _with_middles(rows), _with_middles(columns))
            error = (_interpolation_error(x), _interpolation_error(y))
            x, y = x[::2, ::2], y[::2, ::2]
        around = cls(source_crs=source_crs, target=target, rows=rows, columns=columns, x=x, y=y, error=error)
        return around.cropped(target, slice(0, int(target.shape[0])), slice(0, int(target.shape[1])))

    def error_px(self, source_resolution: tuple[float, float]) -> float:
        """Error bound in pixels of a source with this resolution (x, y), in units of the source CRS."""
        return max(self.error[0] / abs(source_resolution[0]), self.error[1] / abs(source_resolution[1]))

    def pixel_size(self) -> tuple[float, float]:
        """Typical size of a target pixel along x and y of the source CRS."""
        return self._pixel_size

    @cached_property
    def _pixel_size(self) -> tuple[float, float]:
        # Asked for once for every band of every file: worth keeping.
        return _gradient(self.x, self.rows, self.columns), _gradient(self.y, self.rows, self.columns)

    def pixels_in(self, source: GeoBox) -> tuple[Floats, Floats]:
        """Node positions in pixels of `source`: (column, row), 0 at the outer edge of its first pixel.

        For geographic sources the longitudes are turned by whole circles to lie nearest to the
        source, so that a tile at -180° is found by a target that lies at +180°.
        """
        to_pixel: Affine = ~source.affine
        x = self.x
        if source.crs is not None and source.crs.geographic:
            middle, _ = source.affine * (source.shape[1] / 2, source.shape[0] / 2)
            x = x + 360.0 * np.round((middle - float(x.mean())) / 360.0)
        columns = to_pixel.a * x + to_pixel.b * self.y + to_pixel.c
        rows = to_pixel.d * x + to_pixel.e * self.y + to_pixel.f
        # To a millionth of a pixel: the last bits depend on where target and source begin.
        return np.round(columns * FINEST) / FINEST, np.round(rows * FINEST) / FINEST

    def cropped(self, target: GeoBox, rows: slice, columns: slice) -> ControlGrid:
        """The same positions for the part `target` of the grid: to the bit where its borders lie on nodes."""
        new_rows, new_columns = _within(self.rows, rows), _within(self.columns, columns)

        def onto(nodes: Floats) -> Floats:
            upright = _interpolated(nodes, self.rows, new_rows)
            return np.ascontiguousarray(_interpolated(upright.T, self.columns, new_columns).T)

        return ControlGrid(
            source_crs=self.source_crs,
            target=target,
            rows=new_rows - rows.start,
            columns=new_columns - columns.start,
            x=onto(self.x),
            y=onto(self.y),
            error=self.error,
        )


class ControlCache:
    """Control grids of one target, each laid out once and shared by all threads that read for it.

    Which grid a source gets depends on its CRS and resolution alone, never on what was asked for
    before: the pixels of a build must not depend on the order in which threads arrive.
    """

    def __init__(self, target: GeoBox, *, tolerance_px: float = TOLERANCE_PX, start_step: int = START_STEP_PX) -> None:
        self.target = target
        self.tolerance_px = tolerance_px
        self.start_step = start_step
        self._grids: dict[tuple[CRS, int], ControlGrid] = {}
        self._chosen: dict[tuple[CRS, tuple[float, float]], ControlGrid] = {}
        self._lock = threading.Lock()

    def get(self, source: GeoBox) -> ControlGrid:
        """The control grid for the CRS of `source`, fine enough for its resolution."""
        key = (crs_of(source), pixel_lengths(source))
        chosen = self._chosen.get(key)
        if chosen is None:  # two threads may both find it: the same one
            chosen = self._chosen[key] = self.fine_enough(*key)
        return chosen

    def fine_enough(self, source_crs: CRS, resolution: tuple[float, float] | None) -> ControlGrid:
        """The coarsest grid whose error is within tolerance at `resolution` (x, y), in units of `source_crs`."""
        step = self.start_step
        while True:
            control = self._at(source_crs, step)
            error = control.error_px(resolution or control.pixel_size())
            if error <= self.tolerance_px:
                return control
            if step <= MIN_STEP_PX:
                raise RasterError(
                    "no-smooth-transform",
                    f"the transform from {self.target.crs} to {source_crs} bends too much to be interpolated",
                    value=f"{error:.3g} source px off with nodes {step} px apart",
                    remedy="the source lies far outside the area its coordinate system is made for: leave it out",
                )
            step //= 2

    def cell_bounds(self, part: tuple[slice, slice]) -> tuple[slice, slice]:
        """Rows and columns of `part` widened to borders of cells, where :meth:`cropped` gives nodes of the whole."""
        starts = _lattice_starts(self.target, self.start_step)

        def whole_cells(side: slice, start: int, size: int) -> slice:
            first, last = (side.start - start) // self.start_step, -((start - side.stop) // self.start_step)
            return slice(max(0, start + first * self.start_step), min(size, start + last * self.start_step))

        rows, columns = (whole_cells(*of) for of in zip(part, starts, map(int, self.target.shape), strict=True))
        return rows, columns

    def cropped(self, rows: slice, columns: slice) -> ControlCache:
        """Control grids for a part of the target, with the positions that its pixels have in the whole."""
        whole = (slice(0, int(self.target.shape[0])), slice(0, int(self.target.shape[1])))
        if (rows, columns) == whole:
            return self
        return _CroppedControls(self, rows, columns)

    def _at(self, source_crs: CRS, step: int) -> ControlGrid:
        with self._lock:
            control = self._grids.get((source_crs, step))
            if control is None:
                control = self._grids[source_crs, step] = ControlGrid.laid_out(source_crs, self.target, step)
            return control


class _CroppedControls(ControlCache):
    def __init__(self, whole: ControlCache, rows: slice, columns: slice) -> None:
        super().__init__(whole.target[rows, columns], tolerance_px=whole.tolerance_px, start_step=whole.start_step)
        self._whole = whole
        self._part = (rows, columns)

    def fine_enough(self, source_crs: CRS, resolution: tuple[float, float] | None) -> ControlGrid:
        return self._whole.fine_enough(source_crs, resolution).cropped(self.target, *self._part)


def crs_of(grid: GeoBox) -> CRS:
    """The coordinate system of `grid`; ValueError where it has none."""
    if grid.crs is None:
        raise ValueError(f"the grid has no coordinate system: {grid}")
    return grid.crs


def pixel_lengths(grid: GeoBox) -> tuple[float, float]:
    """Size of a pixel along x and along y of the grid's own CRS, always positive; (width, height)."""
    affine: Affine = grid.affine
    return float(np.hypot(affine.a, affine.d)), float(np.hypot(affine.b, affine.e))


def _pair(value: float | tuple[float, float]) -> tuple[float, float]:
    return value if isinstance(value, tuple) else (value, value)


def _lattice_starts(target: GeoBox, step: int) -> tuple[int, int]:
    """Row and column, at most 0, of the last lattice node before the target, on the lattice through its CRS origin."""
    column, row = ~target.affine * (0.0, 0.0)
    return -(math.floor(ODD_FRACTION - row) % step), -(math.floor(ODD_FRACTION - column) % step)


def _nodes_over(target: GeoBox, step: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of the nodes of all cells that the target touches."""
    rows, columns = (
        np.arange(start, int(size) + step, step, dtype=np.int64)
        for start, size in zip(_lattice_starts(target, step), target.shape, strict=True)
    )
    return rows, columns


def _within(nodes: NDArray[np.int64], part: slice) -> NDArray[np.int64]:
    """Both ends of `part`, and the nodes between them."""
    between = nodes[(nodes > part.start) & (nodes < part.stop)]
    return np.concatenate([[part.start], between, [part.stop]])


def _interpolated(values: Floats, nodes: NDArray[np.int64], at: NDArray[np.int64]) -> Floats:
    """Rows of `values` (one a node) at the places `at`; those that are nodes keep their values to the bit."""
    before = np.searchsorted(nodes, at, side="right") - 1
    after = np.minimum(before + 1, nodes.size - 1)
    width = np.maximum(nodes[after] - nodes[before], 1)
    share = ((at - nodes[before]) / width)[:, None]
    return np.asarray(values[before] + share * (values[after] - values[before]))


def _with_middles(nodes: NDArray[np.int64]) -> Floats:
    dense = np.empty(2 * nodes.size - 1)
    dense[::2] = nodes
    dense[1::2] = (nodes[1:] + nodes[:-1]) / 2
    return dense


def _projected(target: GeoBox, rows: NDArray[Any], columns: NDArray[Any]) -> tuple[Floats, Floats]:
    affine: Affine = target.affine
    column, row = np.meshgrid(columns + 0.5, rows + 0.5)
    return affine.a * column + affine.b * row + affine.c, affine.d * column + affine.e * row + affine.f


def _transformed(source_crs: CRS, target: GeoBox, rows: Floats, columns: Floats) -> tuple[Floats, Floats]:
    x, y = _projected(target, rows, columns)
    x, y = transformer(crs_of(target), source_crs).transform(x, y)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise RasterError(
            "no-transform",
            f"part of the target has no coordinates in {source_crs}",
            value=f"{target.crs}, {target.boundingbox}",
            remedy="the source lies far outside the area its coordinate system is made for: leave it out",
        )
    if source_crs.geographic:
        # A grid across the antimeridian must not jump by a circle: count on from its middle.
        middle = x[x.shape[0] // 2, x.shape[1] // 2]
        x = x - 360.0 * np.round((x - middle) / 360.0)
    return x, y


def _gradient(axis: Floats, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> float:
    """Length of the mean change of a coordinate from one target pixel to the next."""
    per_column = np.diff(axis, axis=1) / np.diff(columns)[None, :]
    per_row = np.diff(axis, axis=0) / np.diff(rows)[:, None]
    return float(np.hypot(np.abs(per_column).mean(), np.abs(per_row).mean()))


def _interpolation_error(dense: Floats) -> float:
    """Largest error at the middles of cells and sides, given nodes (even indexes) and middles (odd)."""
    nodes = dense[::2, ::2]
    along_x = np.abs((nodes[:, 1:] + nodes[:, :-1]) / 2 - dense[::2, 1::2])
    along_y = np.abs((nodes[1:] + nodes[:-1]) / 2 - dense[1::2, ::2])
    centre = np.abs((nodes[1:, 1:] + nodes[1:, :-1] + nodes[:-1, 1:] + nodes[:-1, :-1]) / 4 - dense[1::2, 1::2])
    return float(max(along_x.max(), along_y.max(), centre.max()))
