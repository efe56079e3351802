"""The piece of a source that a target needs: where it lies, and its pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from rsprep.reading.control import ControlCache
from rsprep.reading.extent import source_window
from rsprep.reading.spec import BandSpec
from rsprep.reading.warp import Resampling, suited, support


@dataclass(frozen=True, kw_only=True)
class Window:
    """Pixels of one band under a target, with their place."""

    values: NDArray[Any]
    """Shape (y, x), in the source's dtype; nodata is still in it."""
    grid: GeoBox
    """Where those pixels lie."""
    file_grid: GeoBox
    """The lattice of the whole source."""
    resampling: Resampling
    """Kernel that suits the step from this resolution to the target's; see :func:`rsprep.reading.warp.suited`."""


@dataclass(frozen=True, kw_only=True)
class Needed:
    """Which part of a lattice a target needs."""

    rows: slice
    columns: slice
    resampling: Resampling

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start

    def window(self, values: NDArray[Any], whole: GeoBox) -> Window:
        """The window that these pixels of `whole` are."""
        grid = whole[self.rows, self.columns]
        return Window(values=values, grid=grid, file_grid=whole, resampling=self.resampling)


def needed(whole: GeoBox, spec: BandSpec, controls: ControlCache) -> Needed | None:
    """The part of the lattice `whole` that the target of `controls` needs, kernel's support included.

    None where the two do not touch. Raises RasterError as :func:`rsprep.reading.extent.source_window`.
    """
    control = controls.get(whole)
    kernel = suited(spec.resampling, whole, control)
    found = source_window(whole, control, support(kernel, whole, control))
    return None if found is None else Needed(rows=found[0], columns=found[1], resampling=kernel)
