from __future__ import annotations

import dataclasses
from pathlib import Path

import shapely

from rsprep.reading import ControlCache
from rsprep.reading.extent import footprint_region, outline, reach
from tests.rsprep.reading.rasters import WHOLE, quarters, utm


def test_a_granule_without_a_declared_grid_is_placed_by_its_footprint(tmp_path: Path) -> None:
    granule = quarters(tmp_path)[3]
    declared = reach(granule, WHOLE, ControlCache(WHOLE))
    bare = {name: dataclasses.replace(asset, grid=None) for name, asset in granule.assets.items()}
    rows, columns = reach(dataclasses.replace(granule, assets=bare), WHOLE, ControlCache(WHOLE))
    assert rows.stop == columns.stop == 400
    assert {rows.start, columns.start} <= {176, 177}
    assert declared[0].stop == 400
    assert 112 <= declared[0].start <= 180


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
