from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import shapely
from PIL import Image

from rsprep.errors import ConfigError
from rsprep.sources.planted import simulate
from rsprep.sources.planted.simulate import REGION, REGION_GRANULE_KM, demo_area
from rsprep.sources.planted.tiles import granule_tiles


def test_a_simulation_brings_its_area_and_a_picture(tmp_path: Path) -> None:
    out = tmp_path / "world"
    catalog = simulate(out, bbox=(179.995, 52.0, -179.995, 52.004), dates=1, radar_dates=1, granule_km=1.2)
    assert catalog == out / "catalog.json"
    region = json.loads((out / "region.geojson").read_text())
    shape = shapely.geometry.shape(region["features"][0]["geometry"])
    assert shape.geom_type == "MultiPolygon"
    assert shape.area == pytest.approx(0.01 * 0.004)
    names = {path.name.split("_")[1][:2] for path in (out / "sentinel-2-l2a").iterdir() if path.is_dir()}
    assert names == {"01", "60"}
    with Image.open(out / "preview.png") as picture:
        pixels = np.asarray(picture)
    assert pixels.ndim == 3
    assert pixels.std() > 5


def test_an_aoi_and_a_bbox_together_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="two-areas"):
        simulate(tmp_path, aoi=demo_area(), bbox=(1, 2, 3, 4))


def test_four_granules_cover_the_demo_region() -> None:
    assert len(granule_tiles(demo_area(), REGION_GRANULE_KM)) == 4
    assert REGION.shape == (3200, 3600)
