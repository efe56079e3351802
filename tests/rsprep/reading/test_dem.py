from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from rsprep.errors import RasterError, ReadError
from rsprep.granule import Granule
from rsprep.reading import BandSpec, FileAccess, load_dem
from tests.rsprep.reading.rasters import centres, granule, utm, write

SPEC = BandSpec(dtype="float32", nodata=-9999, resampling="cubic")


def files(_tile: Granule) -> FileAccess:
    return FileAccess()


SECOND = 1 / 3600
SIDE = 0.1
"""Degrees along a tile's side; like a real tile, only smaller."""


def plane(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Metres; about 3 percent of slope, and continuous through the antimeridian."""
    east = np.mod(lon, 360.0)
    return 500 + 2000 * (east - np.where(east > 100, 180.0, 9.0)) + 3000 * (lat - np.round(lat.mean()))


def tile(folder: Path, west: float, south: float, widening: int = 1, height: object = None) -> Granule:
    """A tile whose pixel centres lie on its west and north borders, as Copernicus publishes them."""
    width, rows = round(SIDE * 3600) // widening, round(SIDE * 3600)
    step = SECOND * widening
    grid = GeoBox(
        (rows, width),
        Affine(step, 0, west - step / 2, 0, -SECOND, south + SIDE + SECOND / 2),
        "EPSG:4326",
    )
    lon, lat = centres(grid)
    values = plane(lon, lat) if height is None else np.full(lon.shape, height)
    name = f"{west:.1f} {south:.1f}"
    asset = write(folder / f"{name}.tif", values.astype(np.float32), grid, -9999)
    return granule(name, {"elevation": asset}, grid)


def around(lon: float, lat: float, size: int, resolution: float = 30.0) -> GeoBox:
    epsg = 32601 + int((lon + 180) // 6)
    x, y = Transformer.from_crs(4326, epsg, always_xy=True).transform(lon, lat)
    half = size * resolution / 2
    return utm(round(x - half), round(y + half), (size, size), resolution, epsg)


def truth(target: GeoBox) -> np.ndarray:
    return plane(*centres(target, 4326))


def test_a_peak_lands_on_its_pixel(tmp_path: Path) -> None:
    """Pitfall 28: no half pixel is added to what GDAL already shifted (rasters that say their pixels are points)."""
    import rasterio

    flat = tile(tmp_path, 9.0, 59.9, height=0.0)
    asset = flat.assets["elevation"]
    assert asset.grid is not None
    with rasterio.open(asset.href, "r+") as file:
        values = file.read(1)
        values[180, 120] = 1000
        file.write(values, 1)
        file.update_tags(AREA_OR_POINT="Point")
    target = around(9.0 + 120 * SECOND, 60.0 - 180 * SECOND, 31, 5.0)
    heights = load_dem([flat], "elevation", target, SPEC, access=files).layer.values[0]
    row, column = np.unravel_index(np.argmax(heights), heights.shape)
    assert (row, column) == (15, 15)


def test_tiles_have_no_seam_and_need_not_have_square_pixels(tmp_path: Path) -> None:
    """Pitfalls 26 and 27: north of 60 degrees the pixels are wider; four tiles meet, and nothing shows."""
    tiles = [tile(tmp_path, w, s, widening) for s, widening in ((59.9, 1), (60.0, 2)) for w in (9.0, 9.1)]
    target = around(9.1, 60.0, 200)
    result = load_dem(tiles, "elevation", target, SPEC, access=files)
    assert len(result.granule_ids) == 4
    assert result.layer.valid.all()
    assert np.abs(result.layer.values[0] - truth(target)).max() < 0.02


def test_tiles_at_61_degrees_keep_their_shape(tmp_path: Path) -> None:
    """Pitfall 26: pixels twice as wide as tall."""
    target = around(9.05, 61.05, 90)
    result = load_dem([tile(tmp_path, 9.0, 61.0, 2)], "elevation", target, SPEC, access=files)
    assert np.abs(result.layer.values[0] - truth(target)).max() < 0.02


def test_tiles_meet_across_the_antimeridian(tmp_path: Path) -> None:
    """Pitfall 37: tiles at +180 and -180 are neighbours."""
    tiles = [tile(tmp_path, 179.9, 64.0), tile(tmp_path, -180.0, 64.0)]
    for lon in (179.9999, -179.9999):
        target = around(lon, 64.05, 80)
        result = load_dem(tiles, "elevation", target, SPEC, access=files)
        assert result.layer.valid.all()
        assert np.abs(result.layer.values[0] - truth(target)).max() < 0.02


def test_equal_lattices_are_pasted_bit_for_bit(tmp_path: Path) -> None:
    tiles = [tile(tmp_path, 9.0, 59.8), tile(tmp_path, 9.1, 59.8)]
    target = GeoBox((100, 100), Affine(SECOND, 0, 9.1 - 50.5 * SECOND, 0, -SECOND, 59.9 - 99.5 * SECOND), "EPSG:4326")
    result = load_dem(tiles, "elevation", target, SPEC, access=files)
    lon, lat = centres(target)
    np.testing.assert_allclose(result.layer.values[0], plane(lon, lat).astype(np.float32), atol=2e-3)
    import rasterio

    with rasterio.open(tiles[1].assets["elevation"].href) as file:
        np.testing.assert_array_equal(result.layer.values[0, :, 50:], file.read(1)[100:200, :50])


def test_a_missing_tile_is_a_gap_and_an_ocean_tile_is_zero(tmp_path: Path) -> None:
    """Pitfall 25: 0 m only where the caller says there is ocean, and filled before the warp: no rim at the coast."""
    coast = tile(tmp_path, 9.0, 59.8, height=0.0)
    target = around(9.1, 59.85, 120)
    gap = load_dem([coast], "elevation", target, SPEC, access=files).layer
    assert 0.3 < gap.valid_fraction < 0.7
    assert np.isnan(gap.values[0][~gap.valid]).all()
    sea = load_dem([coast], "elevation", target, SPEC, access=files, zero_boxes=[(9.1, 59.8, 9.2, 59.9)]).layer
    assert sea.valid.all()
    assert (sea.values == 0).all()
    alone = load_dem([], "elevation", target, SPEC, access=files, zero_boxes=[(9.0, 59.8, 9.2, 59.9)]).layer
    assert alone.valid.all()
    nothing = load_dem([], "elevation", target, SPEC, access=files).layer
    assert not nothing.valid.any()


def test_a_broken_tile_raises_or_is_collected(tmp_path: Path) -> None:
    """Pitfall 4."""
    tiles = [tile(tmp_path, 9.0, 59.8), tile(tmp_path, 9.1, 59.8)]
    path = Path(tiles[1].assets["elevation"].href)
    path.write_bytes(path.read_bytes()[:5000])
    target = around(9.1, 59.85, 150)
    with pytest.raises(ReadError, match="undecodable"):
        load_dem(tiles, "elevation", target, SPEC, access=files)
    result = load_dem(tiles, "elevation", target, SPEC, access=files, collect=True)
    assert [failure.granule_id for failure in result.failed] == [tiles[1].id]
    assert result.granule_ids == (tiles[0].id,)
    missing = ~result.layer.valid
    rows, columns = result.failed[0].rows, result.failed[0].columns
    assert missing[rows, columns].sum() == missing.sum() > 0


def test_tiles_in_several_crs_are_refused(tmp_path: Path) -> None:
    target = around(9.05, 59.85, 60)
    other = write(tmp_path / "utm.tif", np.ones((200, 200), np.float32), target.pad(70), -9999)
    tiles = [tile(tmp_path, 9.0, 59.8), granule("utm", {"elevation": other}, target)]
    with pytest.raises(RasterError, match="mixed-crs"):
        load_dem(tiles, "elevation", target, SPEC, access=files)


def test_heights_do_not_depend_on_the_block(tmp_path: Path) -> None:
    """A chip is the same bit for bit in a block of another size, halo and all: nodes lie on one endless lattice."""
    rough = np.random.default_rng(3).normal(900, 200, (360, 360))
    tiles = [tile(tmp_path, 9.0, 46.0, height=rough)]
    middle = around(9.05, 46.05, 320, 10.0)
    west, north = round(middle.affine.c / 640) * 640, round(middle.affine.f / 640) * 640
    large = utm(west, north, (320, 320), epsg=32632)
    whole = load_dem(tiles, "elevation", large.pad(1), SPEC, access=files).layer.values[0, 1:-1, 1:-1]
    part = load_dem(tiles, "elevation", large[64:192, 128:256].pad(1), SPEC, access=files).layer.values[0, 1:-1, 1:-1]
    np.testing.assert_array_equal(part, whole[64:192, 128:256])
    assert np.ptp(part) > 500
