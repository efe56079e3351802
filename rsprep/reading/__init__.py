"""Read pixels from files and bring them onto a target grid.

`warp` and the modules below it know arrays and grids only; `windows` opens files; `mosaic` and `dem`
join what was read.
"""

from rsprep.reading.access import ReadPolicy
from rsprep.reading.bands import BandSpec, load_granule
from rsprep.reading.control import ControlCache, ControlGrid
from rsprep.reading.dem import Elevation, FailedRead, load_dem
from rsprep.reading.extent import source_window, target_region, window_bytes
from rsprep.reading.layer import Layer
from rsprep.reading.mosaic import Mosaic
from rsprep.reading.warp import Warped
from rsprep.reading.windows import Window, read_window

__all__ = [
    "BandSpec",
    "ControlCache",
    "ControlGrid",
    "Elevation",
    "FailedRead",
    "Layer",
    "Mosaic",
    "ReadPolicy",
    "Warped",
    "Window",
    "load_dem",
    "load_granule",
    "read_window",
    "source_window",
    "target_region",
    "window_bytes",
]
