from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox

from rsprep.errors import RasterError
from rsprep.reading import ControlCache, ControlGrid, source_window, target_region
from rsprep.reading.control import FINEST
from tests.rsprep.reading.rasters import beside, centres, utm

SECOND = 1 / 3600


def interpolated(control: ControlGrid, source: GeoBox) -> tuple[np.ndarray, np.ndarray]:
    """Positions of all target pixels by bilinear interpolation, written independently of the kernels."""
    from scipy.interpolate import RegularGridInterpolator

    row, column = np.meshgrid(*(np.arange(n) for n in control.target.shape), indexing="ij")
    both = [
        RegularGridInterpolator((control.rows.astype(float), control.columns.astype(float)), nodes)((row, column))
        for nodes in control.pixels_in(source)
    ]
    return both[0], both[1]


def spacing(control: ControlGrid) -> int:
    """Pixels between nodes that are not on the border."""
    return int(np.diff(control.rows).max())


@settings(max_examples=25, deadline=None)
@given(
    zone=st.integers(2, 59), latitude=st.floats(-78, 78), east=st.floats(-3.5, 3.5),
    hop=st.sampled_from([-1, 1, 0]), size=st.integers(1, 700),
)  # fmt: skip
def test_positions_are_within_a_hundredth_of_a_pixel(
    zone: int, latitude: float, east: float, hop: int, size: int
) -> None:
    """The bound that is promised, over zones and latitudes, for the neighbouring zone and for degrees."""
    from pyproj import Transformer

    epsg = (32600 if latitude >= 0 else 32700) + zone
    x, y = Transformer.from_crs(4326, epsg, always_xy=True).transform(zone * 6 - 183 + east, latitude)
    target = utm(round(x), round(y), (size, 300), epsg=epsg)
    if hop:
        source = beside(target, epsg + hop, (400, 400))
    else:
        source = GeoBox((9, 9), Affine(SECOND, 0, zone * 6 - 183, 0, -SECOND, latitude), "EPSG:4326")
    control = ControlCache(target).get(source)
    columns, rows = interpolated(control, source)
    exact_x, exact_y = centres(target, source.crs.epsg)
    exact_columns, exact_rows = ~source.affine * (exact_x, exact_y)
    assert max(np.abs(columns - exact_columns).max(), np.abs(rows - exact_rows).max()) <= 0.01


def test_one_crs_needs_no_transform_and_has_no_error() -> None:
    target = utm(500_003.7, 5_000_001.3, (300, 200))
    source = utm(499_000, 5_002_000, (500, 500), 20)
    control = ControlGrid.build(source.crs, target)
    columns, rows = interpolated(control, source)
    exact_columns, exact_rows = ~source.affine * centres(target)
    assert control.error == (0, 0)
    np.testing.assert_allclose(columns, exact_columns, atol=1e-9)
    np.testing.assert_allclose(rows, exact_rows, atol=1e-9)


def test_the_step_is_halved_until_the_error_is_small_enough() -> None:
    target = beside(utm(700_000, 7_000_000, (900, 900)), 32633, (1100, 1100))
    coarse = ControlGrid.build(CRS("EPSG:32632"), target, source_resolution=10.0, start_step=512, tolerance_px=1.0)
    fine = ControlGrid.build(CRS("EPSG:32632"), target, source_resolution=10.0, start_step=512, tolerance_px=1e-3)
    assert spacing(coarse) == 512
    assert spacing(fine) < 512
    assert fine.error_px((10, 10)) <= 1e-3 < coarse.error_px((10, 10))


def test_a_source_gets_the_same_nodes_whatever_was_asked_for_before() -> None:
    target = beside(utm(700_000, 7_000_000, (900, 900)), 32633, (1100, 1100))
    fine, coarse = (utm(700_000, 7_000_000, (900, 900), r) for r in (10.0, 600.0))
    first, second = (ControlCache(target, start_step=512, tolerance_px=1e-3) for _ in range(2))
    assert spacing(first.get(fine)) < spacing(first.get(coarse))
    assert second.get(coarse).rows.tolist() == first.get(coarse).rows.tolist()
    assert second.get(fine).rows.tolist() == first.get(fine).rows.tolist()


def test_a_part_of_a_control_grid_has_the_positions_of_the_whole() -> None:
    block = beside(utm(700_000, 5_000_000, (300, 300)), 32633, (300, 260))
    whole = ControlCache(block)
    source = utm(700_000, 5_000_000, (300, 300))
    rows, columns = whole.cell_bounds((slice(70, 90), slice(130, 259)))
    assert (rows.start <= 70, rows.stop >= 90, columns.start <= 130, columns.stop) == (True, True, True, 260)
    assert rows.stop - rows.start == 64
    part = whole.cropped(rows, columns).get(source)
    assert (
        part.x[:, 0].tolist()
        == whole.get(source).x[1:3, np.searchsorted(whole.get(source).columns, columns.start)].tolist()
    )
    for box in ((rows, columns), (slice(71, 202), slice(3, 132))):
        expected = [of[box] for of in interpolated(whole.get(source), source)]
        alone = ControlCache(block[box]).get(source)
        for control in (whole.cropped(*box).get(source), alone):
            for of_part, of_whole in zip(interpolated(control, source), expected, strict=True):
                np.testing.assert_allclose(of_part, of_whole, rtol=0, atol=2 / FINEST)


@pytest.mark.parametrize("west", [-180.0, 179.0])
def test_tiles_on_either_side_of_the_antimeridian_are_found(west: float) -> None:
    """Pitfall 37: a target at 180 degrees touches tiles at +179 and at -180."""
    from pyproj import Transformer

    x, y = Transformer.from_crs(4326, 32601, always_xy=True).transform(180.0, 65.0)
    target = utm(x - 2000, y + 2000, (400, 400), epsg=32601)
    tile = GeoBox((3600, 3600), Affine(SECOND, 0, west, 0, -SECOND, 65.5), "EPSG:4326")
    control = ControlCache(target).get(tile)
    assert np.ptp(control.x) < 1
    window = source_window(tile, control, 2)
    assert window is not None
    assert (window[1].start == 0) == (west == -180.0)
    region = target_region(tile, control)
    assert region is not None
    assert region[1].stop - region[1].start < 400


def test_a_global_raster_cut_by_the_target_is_refused() -> None:
    """Pitfall 37: half a target without values is never returned as if it were all there is."""
    from pyproj import Transformer

    x, y = Transformer.from_crs(4326, 32601, always_xy=True).transform(180.0, 10.0)
    target = utm(x - 20_000, y, (40, 40), 1000.0, epsg=32601)
    globe = GeoBox((1800, 3600), Affine(0.1, 0, -180, 0, -0.1, 90), "EPSG:4326")
    with pytest.raises(RasterError, match="cut-by-target"):
        source_window(globe, ControlCache(target).get(globe), 2)


def test_a_target_beyond_the_reach_of_a_crs_is_refused() -> None:
    target = GeoBox((10, 10), Affine(0.1, 0, 10, 0, -0.1, 95), "EPSG:4326")
    with pytest.raises(RasterError, match="no-transform"):
        ControlGrid.build(CRS("EPSG:32632"), target, source_resolution=10.0)
