from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import shapely
from odc.geo.geobox import GeoBox

from rsprep.errors import RasterError, ReadError
from rsprep.granule import Granule
from rsprep.reading import BandSpec, ControlCache, Layer, load_granule, load_granules, load_mosaic
from rsprep.reading.extent import footprint_region, outline
from rsprep.reading.mosaic import mosaic
from tests.rsprep.reading.rasters import beside, granule, landscape, utm, write

SPEC = BandSpec(dtype="uint16", nodata=0)
LAND = landscape((400, 400))
WHOLE = utm(700_000, 5_400_000, (400, 400))


def quarters(folder: Path) -> list[Granule]:
    """Four granules that overlap by 20 px, B02 at 10 m and B05 at 20 m, with a dead triangle in each."""
    granules = []
    for number, (row, column) in enumerate(((0, 0), (0, 180), (180, 0), (180, 180))):
        part = LAND[row : row + 220, column : column + 220].copy()
        part[np.add.outer(np.arange(220), np.arange(220)) < 40] = 0
        grid = utm(700_000 + 10 * column, 5_400_000 - 10 * row, (220, 220))
        coarse = utm(700_000 + 10 * column, 5_400_000 - 10 * row, (110, 110), 20)
        assets = {
            "B02": write(folder / f"{number}-B02.tif", part, grid, 0),
            "B05": write(folder / f"{number}-B05.tif", part[::2, ::2].copy(), coarse, 0),
        }
        granules.append(granule(f"g{number}", assets, grid))
    return granules


@pytest.mark.parametrize("target", [utm(700_100, 5_399_900, (370, 370)), beside(WHOLE, 32633, (300, 300))])
def test_reading_only_what_is_missing_changes_no_pixel(tmp_path: Path, target: GeoBox) -> None:
    granules = quarters(tmp_path)
    bands = ["B02", "B05"]
    everything = load_granules(granules, bands, target, SPEC)
    expected = mosaic(everything.layers)
    found = load_mosaic(granules, bands, target, SPEC)
    assert everything.planned == len(everything.layers) == 4
    assert found.granule_ids == ("g0", "g1", "g2", "g3")
    assert found.layer is not None
    np.testing.assert_array_equal(found.layer.valid, expected.valid)
    np.testing.assert_array_equal(found.layer.values, expected.values)
    assert expected.valid_fraction > 0.9


def test_what_earlier_granules_fill_is_not_read_again(tmp_path: Path) -> None:
    granules = quarters(tmp_path)
    (tmp_path / "1-B02.tif").unlink()
    found = load_mosaic(granules, ["B02"], utm(700_600, 5_399_400, (100, 100)), SPEC)
    assert (found.granule_ids, found.unneeded, found.failed) == (("g0",), ("g1", "g2", "g3"), ())


def test_a_mosaic_has_no_seam(tmp_path: Path) -> None:
    """Pitfall 15: granules of one day give one image, pixel for pixel."""
    result = load_mosaic(quarters(tmp_path), ["B02"], WHOLE, SPEC).layer
    assert result is not None
    np.testing.assert_array_equal(result.values[0][result.valid], LAND[result.valid])
    assert (~result.valid).sum() == sum(range(1, 41)) - 0


@pytest.mark.parametrize("load", [load_granules, load_mosaic])
def test_one_broken_source_of_four_is_counted(tmp_path: Path, load: object) -> None:
    """Pitfall 4: it is named with the part of the target that it would have filled, and the rest stays."""
    granules = quarters(tmp_path)
    path = tmp_path / "3-B05.tif"
    path.write_bytes(path.read_bytes()[:3000])
    found = load(granules, ["B02", "B05"], WHOLE, SPEC)  # type: ignore[operator]  # either loader
    assert len(found.failed) == 1
    failure = found.failed[0]
    assert (failure.granule_id, failure.band) == ("g3", "B05")
    assert isinstance(failure.error, ReadError)
    assert failure.rows.stop == failure.columns.stop == 400
    assert 128 <= failure.rows.start == failure.columns.start <= 180
    with pytest.raises(ReadError, match="undecodable"):
        load_granule(granules[3], ["B02", "B05"], WHOLE, SPEC)


def test_a_failure_without_a_declared_grid_is_placed_by_the_footprint(tmp_path: Path) -> None:
    broken = quarters(tmp_path)[3]
    bare = {name: dataclasses.replace(asset, grid=None, href="/absent.tif") for name, asset in broken.assets.items()}
    failure = load_granules([dataclasses.replace(broken, assets=bare)], ["B02"], WHOLE, SPEC).failed[0]
    assert failure.rows.stop == failure.columns.stop == 400
    assert {failure.rows.start, failure.columns.start} <= {176, 177}


def test_a_missing_asset_is_named(tmp_path: Path) -> None:
    with pytest.raises(RasterError, match="no-asset"):
        load_granule(quarters(tmp_path)[0], ["B02", "B11"], WHOLE, SPEC)


def test_bands_share_one_mask(tmp_path: Path) -> None:
    """A pixel that one band lacks comes from the next granule in all bands."""
    grid = utm(700_000, 5_400_000, (60, 60))
    first, second = np.full((60, 60), 100, np.uint16), np.full((60, 60), 200, np.uint16)
    holed = first.copy()
    holed[20:30, 20:30] = 0
    a = granule(
        "a", {"B02": write(tmp_path / "a.tif", first, grid), "B03": write(tmp_path / "b.tif", holed, grid)}, grid
    )
    b = granule(
        "b", {"B02": write(tmp_path / "c.tif", second, grid), "B03": write(tmp_path / "d.tif", second, grid)}, grid
    )
    layer = load_granule(a, ["B02", "B03"], grid, SPEC)
    assert layer is not None
    np.testing.assert_array_equal(layer.valid, holed > 0)
    assert (layer.values[:, ~layer.valid] == 0).all()
    joined = mosaic(load_granules([a, b], ["B02", "B03"], grid, SPEC).layers)
    np.testing.assert_array_equal(joined.values[0], joined.values[1])
    np.testing.assert_array_equal(joined.values[0] == 200, holed == 0)


def test_a_footprint_without_pixels_is_misplaced(tmp_path: Path) -> None:
    """Pitfall 37: an item that promises the target and a file that lies elsewhere contradict each other."""
    elsewhere = utm(900_000, 5_400_000, (60, 60))
    asset = write(tmp_path / "a.tif", landscape((60, 60)), elsewhere, 0)
    with pytest.raises(RasterError, match="misplaced"):
        load_granule(granule("a", {"B02": asset}, WHOLE), ["B02"], WHOLE, SPEC)
    assert load_granule(granule("a", {"B02": asset}, elsewhere), ["B02"], WHOLE, SPEC) is None


def test_all_nodata_is_no_layer(tmp_path: Path) -> None:
    asset = write(tmp_path / "a.tif", np.zeros((400, 400), np.uint16), WHOLE, 0)
    found = load_granules([granule("a", {"B02": asset}, WHOLE)], ["B02"], WHOLE, SPEC)
    assert (found.layers, found.untouched, found.planned) == ((), ("a",), 1)


def test_layers_that_differ_are_not_mixed() -> None:
    grid = utm(0, 0, (2, 2))
    a, b = (
        Layer(values=np.ones((1, 2, 2), kind), valid=np.zeros((2, 2), bool), bands=("B02",), grid=grid)
        for kind in ("uint16", "float32")
    )
    with pytest.raises(ValueError, match="differ"):
        mosaic([a, b])
    with pytest.raises(ValueError, match="nothing"):
        mosaic([])


def test_classes_with_an_interpolating_kernel_are_refused() -> None:
    """Pitfall 12."""
    with pytest.raises(ValueError, match="nearest"):
        BandSpec(dtype="uint8", nodata=0, resampling="bilinear", categorical=True)


def test_an_outline_is_split_at_the_antimeridian() -> None:
    """Pitfall 37."""
    from pyproj import Transformer

    x, y = Transformer.from_crs(4326, 32601, always_xy=True).transform(180.0, 65.0)
    target = utm(x - 2000, y + 2000, (400, 400), epsg=32601)
    parts = shapely.get_parts(outline(target))
    assert len(parts) == 2
    assert {round(abs(part.bounds[0]), 0) for part in parts} | {180.0} == {180.0}
    region = footprint_region(shapely.box(-180, 64, -179, 66), target)
    assert region is not None
    assert 150 < region[1].start < 250
    assert region[1].stop == 400
    assert ControlCache(target).cell_bounds(region) is not None
