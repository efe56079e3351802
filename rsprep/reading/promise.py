"""What a footprint promises and what the pixels show: a file that is blank where its item has data is at fault.

A wrong transform, an upload that broke off or a file of zeros decodes without an error. Its pixels are all nodata, and
nothing would tell it from the end of a swath but the footprint.
"""

from __future__ import annotations

import math

import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from rsprep.errors import RasterError
from rsprep.granule import Granule
from rsprep.reading.control import crs_of, transformer

MARGIN_DEGREES = 0.01
"""Footprints are taken in by so much: providers simplify their edges."""
LEAST_PROMISED_PX = 10_000
"""Where a footprint, so taken in, covers fewer pixels of a target than these, nothing is concluded."""
LEAST_SHOWN = 0.5
"""Share of the promised pixels that must be valid."""
SAMPLES = 128
"""Pixels along a side of the target at which footprint and pixels are compared."""


def check_promise(granule: Granule, valid: NDArray[np.bool_] | None, target: GeoBox) -> None:
    """Compare the valid pixels of a granule with its footprint.

    Parameters
    ----------
    granule : one whose footprint outlines its data, not the file that they lie in.
    valid : (y, x) on `target`; None for none at all.

    Raises
    ------
    RasterError : ``blank`` where less than half of what the footprint promises is there.
    """
    if valid is not None and np.count_nonzero(valid) >= LEAST_SHOWN * valid.size:
        return
    rows, columns = (_spread(int(side)) for side in target.shape)
    promised = inside_footprint(granule.footprint, target, rows, columns)
    count, each = int(np.count_nonzero(promised)), target.shape[0] * target.shape[1] / promised.size
    if count * each < LEAST_PROMISED_PX:
        return
    shown = 0 if valid is None else int(np.count_nonzero(valid[np.ix_(rows, columns)] & promised))
    if shown < LEAST_SHOWN * count:
        raise RasterError(
            "blank",
            f"the footprint of {granule.id} covers {count / promised.size:.0%} of this ground, and its pixels are"
            f" nodata on {1 - shown / count:.0%} of that",
            value=f"{shown} of {count} pixels that were compared",
            remedy="the file is incomplete or lies elsewhere: fetch it again, or name the item under skip in the source"
            " definition; where a provider's footprints are those of whole tiles, say footprint: bounds there",
        )


def inside_footprint(
    footprint: shapely.Geometry, target: GeoBox, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which of these pixels of `target` (len(rows), len(columns)) lie well inside `footprint` (longitude, latitude)."""
    column, row = np.meshgrid(columns + 0.5, rows + 0.5)
    lon, lat = transformer(crs_of(target), "EPSG:4326").transform(*(target.affine * (column, row)))
    well_inside = footprint.buffer(-MARGIN_DEGREES)
    shapely.prepare(well_inside)
    return np.asarray(shapely.contains_xy(well_inside, lon, lat), np.bool_)


def _spread(side: int) -> NDArray[np.int64]:
    """At most :data:`SAMPLES` positions along a side, evenly."""
    step = math.ceil(side / SAMPLES)
    return np.arange(min(step // 2, side - 1), side, step)
