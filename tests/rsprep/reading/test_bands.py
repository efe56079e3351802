from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import shapely

from rsprep.errors import RasterError
from rsprep.reading import BandSpec, FileAccess, load_granule
from rsprep.reading.extent import outline
from tests.rsprep.reading.rasters import WHOLE, granule, landscape, quarters, utm, write

SPEC = BandSpec(dtype="uint16", nodata=0)


def test_a_missing_asset_is_named(tmp_path: Path) -> None:
    with pytest.raises(RasterError, match="no-asset"):
        load_granule(quarters(tmp_path)[0], ["B02", "B11"], WHOLE, SPEC, access=FileAccess())


def test_bands_share_one_mask(tmp_path: Path) -> None:
    """A pixel that one band lacks comes from the next granule in all bands."""
    grid = utm(700_000, 5_400_000, (60, 60))
    first = np.full((60, 60), 100, np.uint16)
    holed = first.copy()
    holed[20:30, 20:30] = 0
    a = granule(
        "a", {"B02": write(tmp_path / "a.tif", first, grid), "B03": write(tmp_path / "b.tif", holed, grid)}, grid
    )
    layer = load_granule(a, ["B02", "B03"], grid, SPEC, access=FileAccess())
    assert layer is not None
    np.testing.assert_array_equal(layer.valid, holed > 0)
    assert (layer.values[:, ~layer.valid] == 0).all()


def test_a_footprint_without_pixels_is_misplaced(tmp_path: Path) -> None:
    """Pitfall 37: an item that promises the target and a file that lies elsewhere contradict each other."""
    elsewhere = utm(900_000, 5_400_000, (60, 60))
    asset = write(tmp_path / "a.tif", landscape((60, 60)), elsewhere, 0)
    with pytest.raises(RasterError, match="misplaced"):
        load_granule(granule("a", {"B02": asset}, WHOLE), ["B02"], WHOLE, SPEC, access=FileAccess())
    assert load_granule(granule("a", {"B02": asset}, elsewhere), ["B02"], WHOLE, SPEC, access=FileAccess()) is None


def test_a_footprint_that_swells_beyond_its_pixels_is_not_misplaced(tmp_path: Path) -> None:
    """Straight edges in degrees leave the edges of a tile: a target in between is no contradiction."""
    grid = utm(700_000, 5_400_000, (400, 400))
    asset = write(tmp_path / "a.tif", landscape((400, 400)), grid, 0)
    bulging = dataclasses.replace(granule("a", {"B02": asset}, grid), footprint=outline(grid.pad(30)))
    beyond = utm(704_000 + 20, 5_399_000, (40, 20))
    assert bulging.footprint.contains(shapely.Point(outline(beyond).centroid))
    assert load_granule(bulging, ["B02"], beyond, SPEC, access=FileAccess()) is None
    undeclared = dataclasses.replace(bulging, assets={"B02": dataclasses.replace(asset, grid=None)})
    assert load_granule(undeclared, ["B02"], beyond, SPEC, access=FileAccess()) is None


def test_all_nodata_is_no_layer(tmp_path: Path) -> None:
    asset = write(tmp_path / "a.tif", np.zeros((400, 400), np.uint16), WHOLE, 0)
    assert load_granule(granule("a", {"B02": asset}, WHOLE), ["B02"], WHOLE, SPEC, access=FileAccess()) is None


def test_classes_with_an_interpolating_kernel_are_refused() -> None:
    """Pitfall 12."""
    with pytest.raises(ValueError, match="nearest"):
        BandSpec(dtype="uint8", nodata=0, resampling="bilinear", categorical=True)
