"""Read pixels from files and bring them onto a target grid.

`warp` and the modules below it know arrays and grids only; an `Access` is where pixels come from, and `files`
is the one that opens files; `mosaic` and `dem` join what was read.
"""

from rsprep.reading.access import Access, Cost, NoSigning, ReadPolicy, Signer
from rsprep.reading.bands import load_granule
from rsprep.reading.control import ControlCache, ControlGrid
from rsprep.reading.dem import Elevation, FailedRead, load_dem
from rsprep.reading.extent import source_window, target_region
from rsprep.reading.files import FileAccess
from rsprep.reading.layer import Layer
from rsprep.reading.mosaic import Mosaic
from rsprep.reading.spec import BandSpec
from rsprep.reading.warp import Warped
from rsprep.reading.window import Needed, Window, needed

__all__ = [
    "Access",
    "BandSpec",
    "ControlCache",
    "ControlGrid",
    "Cost",
    "Elevation",
    "FailedRead",
    "FileAccess",
    "Layer",
    "Mosaic",
    "Needed",
    "NoSigning",
    "ReadPolicy",
    "Signer",
    "Warped",
    "Window",
    "load_dem",
    "load_granule",
    "needed",
    "source_window",
    "target_region",
]
