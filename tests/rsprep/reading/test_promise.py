"""What footprints promise, on planted masks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from rsprep.errors import RasterError
from rsprep.granule import Granule
from rsprep.reading.extent import outline
from rsprep.reading.promise import check_promise, inside_footprint
from tests.rsprep.reading.rasters import granule, utm

TARGET = utm(500_000, 5_400_000, (400, 600), epsg=32633)
EVERYWHERE = np.ones((400, 600), np.bool_)
WHOLE = outline(TARGET).buffer(0.1)


def _granule(footprint: shapely.Geometry) -> Granule:
    return replace(granule("g", {}, TARGET), footprint=footprint)


def _columns(last: int) -> NDArray[np.bool_]:
    """Pixels before a column."""
    return np.broadcast_to(np.arange(600) < last, (400, 600))


def _half() -> shapely.Geometry:
    """Ground that ends at column 300 of the target, its edge straight in degrees."""
    to_lonlat = Transformer.from_crs("EPSG:32633", "EPSG:4326", always_xy=True)
    corners = [(400_000, 5_300_000), (503_000, 5_300_000), (503_000, 5_500_000), (400_000, 5_500_000)]
    return shapely.Polygon([to_lonlat.transform(*corner) for corner in corners])


def footprint_mask(footprint: shapely.Geometry, target: GeoBox) -> NDArray[np.bool_]:
    return inside_footprint(footprint, target, *(np.arange(int(side)) for side in target.shape))


def test_a_footprint_is_taken_to_the_pixels_of_another_projection() -> None:
    """Less its margin of about 74 pixels of longitude at this latitude."""
    mask = footprint_mask(_half(), TARGET)
    assert mask[:, :224].all()
    assert not mask[:, 229:].any()
    assert footprint_mask(WHOLE, TARGET).all()
    assert not footprint_mask(shapely.box(0, 0, 1, 1), TARGET).any()


def test_a_blank_granule_inside_its_footprint_is_at_fault() -> None:
    blank = _granule(WHOLE)
    for valid in (None, ~EVERYWHERE, _columns(290)):
        with pytest.raises(RasterError, match="nodata on") as caught:
            check_promise(blank, valid, TARGET)
        assert caught.value.slug == "blank"
    check_promise(blank, _columns(310), TARGET)
    check_promise(blank, EVERYWHERE, TARGET)


def test_the_end_of_a_swath_is_no_fault() -> None:
    """Pitfall 15: what lies beyond the footprint, or at its edge, is not missed."""
    half = _granule(_half())
    check_promise(half, _columns(290), TARGET)
    check_promise(half, _columns(120), TARGET)
    with pytest.raises(RasterError):
        check_promise(half, _columns(100), TARGET)
    check_promise(half, None, TARGET[:, 300:])
    check_promise(half, None, TARGET[:20])  # too little is promised to conclude from


def test_footprints_across_the_antimeridian() -> None:
    target = utm(817_000, 8_100_000, (400, 400), epsg=32760)
    whole = outline(target)
    assert whole.geom_type == "MultiPolygon"
    parts = shapely.MultiPolygon([shapely.box(176, -18, 180, -16), shapely.box(-180, -18, -176, -16)])
    promised = footprint_mask(parts, target)
    assert 0.4 < promised.mean() < 1
    with pytest.raises(RasterError):
        check_promise(_granule(parts), None, target)
