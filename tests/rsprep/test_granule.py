"""Granules come back from JSON and from a pickle as they were: a resumed build reads the very same files."""

from __future__ import annotations

import datetime as dt
import json
import pickle
from typing import Any

import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from rsprep.granule import Asset, Granule

numbers = st.floats(-1e7, 1e7)
grids = st.builds(
    lambda shape, side, west, north, epsg: GeoBox(shape, Affine(side, 0, west, 0, -side, north), f"EPSG:{epsg}"),
    shape=st.tuples(st.integers(1, 20_000), st.integers(1, 20_000)),
    side=st.floats(1e-5, 1000),
    west=numbers,
    north=numbers,
    epsg=st.sampled_from([32601, 32760, 4326]),
)
assets = st.builds(
    Asset,
    href=st.text(min_size=1),
    band=st.integers(1, 100),
    grid=st.none() | grids,
    size=st.none() | st.integers(0, 2**40),
    checksum=st.none() | st.text(),
)
plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
footprints = st.builds(
    shapely.box, st.floats(-180, 0), st.floats(-90, 0), st.floats(0.1, 180), st.floats(0.1, 90)
) | st.just(shapely.MultiPolygon([shapely.box(179, 0, 180, 1), shapely.box(-180, 0, -179, 1)]))
granules = st.builds(
    Granule,
    id=st.text(min_size=1),
    product=st.sampled_from(["sentinel2", "sentinel1", "landcover", "dem"]),
    source=st.sampled_from(["planted", "earth-search"]),
    collection=st.text(),
    datetime=st.datetimes(timezones=st.just(dt.UTC)),
    footprint=footprints,
    assets=st.dictionaries(st.text(), assets, max_size=3),
    properties=st.dictionaries(st.text(), plain, max_size=4),
)


def everything(granule: Granule) -> dict[str, Any]:
    return {**vars(granule), "assets": {name: vars(asset) for name, asset in granule.assets.items()}}


@settings(max_examples=40)
@given(granules)
def test_there_and_back(granule: Granule) -> None:
    text = json.dumps(granule.to_json(), allow_nan=False)
    assert everything(Granule.from_json(json.loads(text))) == everything(granule)
    assert everything(pickle.loads(pickle.dumps(granule))) == everything(granule)  # noqa: S301  # our own bytes


@pytest.mark.parametrize("zone", [None, dt.timezone(dt.timedelta(hours=-6))])
def test_only_utc(zone: dt.tzinfo | None) -> None:
    """Pitfall 40."""
    with pytest.raises(ValueError, match="UTC"):
        Granule(
            id="x", product="dem", source="planted", collection="c", datetime=dt.datetime(2021, 6, 1, tzinfo=zone),
            footprint=shapely.box(0, 0, 1, 1), assets={},
        )  # fmt: skip
