"""Helpers of the grid tests: areas by centre and size, chips as ground polygons measured independently."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer

from rsprep.ground.aoi import Aoi, read_aoi
from rsprep.ground.grid import Chip


def box(lon: float, lat: float, width: float, height: float) -> Aoi:
    """Area around a centre, in degrees; may cross 180°."""
    west = (lon - width / 2 + 180) % 360 - 180
    east = (lon + width / 2 + 180) % 360 - 180
    return read_aoi(f"{west!r},{lat - height / 2!r},{east!r},{lat + height / 2!r}")


def on_ground(chips: Iterable[Chip], lon: float, lat: float, points: int = 40) -> NDArray[np.object_]:
    """Chips as densified polygons in an equidistant projection around a point, metres."""
    shapes = []
    for chip in chips:
        bounds = chip.grid.boundingbox
        ring = shapely.get_coordinates(shapely.segmentize(shapely.box(*bounds.bbox), chip.lattice.side / points))
        to_local = _local(chip.epsg, lon, lat)
        shapes.append(shapely.Polygon(np.stack(to_local.transform(ring[:, 0], ring[:, 1]), axis=-1)))
    return np.array(shapes, dtype=object)


_known: dict[tuple[int, float, float], Transformer] = {}


def _local(epsg: int, lon: float, lat: float) -> Transformer:
    key = (epsg, lon, lat)
    if key not in _known:
        _known.clear()
        plane = f"+proj=aeqd +lon_0={lon!r} +lat_0={lat!r} +datum=WGS84 +units=m"
        _known[key] = Transformer.from_crs(f"EPSG:{epsg}", plane, always_xy=True)
    return _known[key]
