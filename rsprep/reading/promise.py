"""What a footprint promises and what the pixels show: a file that is blank where its item has data is at fault.

A wrong transform, an upload that broke off or a file of zeros decodes without an error. Its pixels are all nodata, and
nothing would tell it from the end of a swath but the footprint.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.features import rasterize

from rsprep.errors import RasterError
from rsprep.granule import Granule
from rsprep.reading.control import crs_of, transformer
from rsprep.reading.extent import outline

MARGIN_DEGREES = 0.01
"""Footprints are taken in by so much: providers simplify their edges."""
LEAST_PROMISED_PX = 10_000
"""Where a footprint, so taken in, covers fewer pixels of a target than these, nothing is concluded."""
LEAST_SHOWN = 0.5
"""Share of the promised pixels that must be valid."""
EDGE_DEGREES = 0.02
"""Edges of footprints are straight in degrees; points this close to one another bend them for other projections."""


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
    promised = footprint_mask(granule.footprint, target)
    count = int(np.count_nonzero(promised))
    if count < LEAST_PROMISED_PX:
        return
    shown = 0 if valid is None else int(np.count_nonzero(valid & promised))
    if shown < LEAST_SHOWN * count:
        raise RasterError(
            "blank",
            f"the footprint of {granule.id} covers {count / promised.size:.0%} of this ground, and its pixels are"
            f" nodata on {1 - shown / count:.0%} of that",
            value=f"{shown} of {count} pixels",
            remedy="the file is incomplete or lies elsewhere: fetch it again, or leave the granule out; where a"
            " provider's footprints are those of whole tiles, say footprint: bounds in the source definition",
        )


def footprint_mask(footprint: shapely.Geometry, target: GeoBox) -> NDArray[np.bool_]:
    """Pixels (y, x) of `target` well inside `footprint` (longitude, latitude)."""
    shape = int(target.shape[0]), int(target.shape[1])
    inside = footprint.buffer(-MARGIN_DEGREES).intersection(outline(target))
    if inside.is_empty:
        return np.zeros(shape, np.bool_)
    to_target = transformer("EPSG:4326", crs_of(target))

    def projected(lonlat: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(to_target.transform(*lonlat.T))

    bent = shapely.transform(shapely.segmentize(inside, EDGE_DEGREES), projected)
    return np.asarray(rasterize([bent], out_shape=shape, transform=target.affine, dtype="uint8"), np.bool_)
