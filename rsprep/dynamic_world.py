"""The land-cover classes of every store: Dynamic World's own numbers, names and colours.

Source: Brown et al. 2022, doi:10.1038/s41597-022-01307-4.
"""

from __future__ import annotations

from typing import Final

NODATA: Final = 255
"""Not observed. Never 0, which is water."""
CLASSES: Final = (
    "water",
    "trees",
    "grass",
    "flooded_vegetation",
    "crops",
    "shrub_and_scrub",
    "built",
    "bare",
    "snow_and_ice",
)
COLOURS: Final = (
    "#419bdf",
    "#397d49",
    "#88b053",
    "#7a87c6",
    "#e49635",
    "#dfc35a",
    "#c4281b",
    "#a59b8f",
    "#b39fe1",
)
