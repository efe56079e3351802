"""Searches in the collections of Earth Engine: what is found, what is left out, and what is told about it."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from typing import Any

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from rsprep.errors import CatalogError, ItemError, TimeError
from rsprep.granule import Granule
from rsprep.reading.access import ReadPolicy
from rsprep.sources.base import open_source
from rsprep.sources.definition import SourceDefinition, load_definition
from rsprep.sources.earthengine import EarthEngineSource, listing
from tests.fakes.earthengine import EarthEngineServer, Faults, definition
from tests.fakes.earthengine_assets import DW, S1, S2, SCORE, FakeImage
from tests.rsprep.conftest import EAST, NORTH, SOUTH, WEST, PlantedSource

AREA = shapely.box(WEST, SOUTH, EAST, NORTH)
FIRST, LAST = dt.datetime(2021, 1, 1, tzinfo=dt.UTC), dt.datetime(2023, 1, 1, tzinfo=dt.UTC)


def changed(server: EarthEngineServer, collection: str, **changes: Any) -> str:
    """Change the first image of a collection; its id."""
    name, image = next((name, one) for name, one in server.images.items() if one.collection == collection)
    server.images[name] = replace(image, **changes)
    return name


def altered(source: EarthEngineSource, product: str, **changes: Any) -> EarthEngineSource:
    """The same source with other rules for a product."""
    document = source.definition.model_dump(mode="json")
    document["products"][product] |= changes
    return EarthEngineSource(SourceDefinition.model_validate(document), source.login.url, source.settings)


def image(server: EarthEngineServer, collection: str) -> FakeImage:
    return next(one for one in server.images.values() if one.collection == collection)


@pytest.mark.parametrize("product", ["sentinel2", "sentinel1", "landcover", "dem"])
def test_it_finds_what_the_files_catalog_has(
    source: EarthEngineSource, planted_source: PlantedSource, product: str
) -> None:
    files = open_source(load_definition("planted"), planted_source.catalog).find(product, AREA)
    found = source.find(product, AREA, FIRST, LAST)
    assert [one.id for one in found] == [one.id for one in files]
    for mine, other in zip(found, files, strict=True):
        assert mine.footprint.equals(other.footprint)
        assert mine.source == "earthengine"
        assert Granule.from_json(json.loads(json.dumps(mine.to_json()))) == mine
        for band, asset in mine.assets.items():
            if band in other.assets:
                assert asset.grid == other.assets[band].grid
        if product != "dem":
            assert mine.datetime == other.datetime
        for key in {"platform", "sat:orbit_state", "sat:relative_orbit", "eo:cloud_cover", "s2:processing_baseline",
                    "s2:mgrs_tile", "s2:datatake_id"} & set(other.properties):  # fmt: skip
            assert mine.properties[key] == other.properties[key]


def test_words_are_those_of_stac(source: EarthEngineSource) -> None:
    scene, look = (source.find(product, AREA, FIRST, LAST)[0] for product in ("sentinel2", "sentinel1"))
    assert scene.properties["s2:generation_time"] == "2021-06-08T09:39:19Z"
    assert scene.assets["B04"].href == f"ee://{S2}/{scene.id}#B4"
    assert scene.assets["score"].href == f"ee://{SCORE}/{scene.id}#cs"
    assert look.properties["platform"] == "sentinel-1a"


def test_pages_are_followed(server: EarthEngineServer, source: EarthEngineSource) -> None:
    whole = source.find("sentinel2", AREA, FIRST, LAST)
    lists = server.answers["list", 200]
    small = EarthEngineSource(source.definition, server.url, source.settings, page=3)
    assert [one.id for one in small.find("sentinel2", AREA, FIRST, LAST)] == [one.id for one in whole]
    assert server.answers["list", 200] - lists > 4


def test_pages_that_never_end(source: EarthEngineSource, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "ask", lambda *_, **__: {"assets": [], "nextPageToken": "again"})
    with pytest.raises(CatalogError, match="endless-listing"):
        source.find("landcover", AREA, FIRST, LAST)


@pytest.mark.parametrize("answer", [None, "an error page", {"assets": "none"}, {"assets": [None]}])
def test_a_list_that_is_none(source: EarthEngineSource, monkeypatch: pytest.MonkeyPatch, answer: object) -> None:
    monkeypatch.setattr(listing, "ask", lambda *_, **__: answer)
    with pytest.raises(CatalogError, match="bad-listing"):
        source.find("landcover", AREA, FIRST, LAST)


def test_a_month_without_a_scene_is_told(source: EarthEngineSource) -> None:
    start, end = dt.datetime(2021, 7, 1, tzinfo=dt.UTC), dt.datetime(2021, 7, 31, tzinfo=dt.UTC)
    with pytest.raises(CatalogError, match="nothing-found") as caught:
        source.find("landcover", AREA, start, end)
    assert DW in str(caught.value)


def test_the_window_ends_where_it_ends(source: EarthEngineSource) -> None:
    """The service is asked for a day more on either side; what it gives too much is left out."""
    scene = source.find("sentinel1", AREA, FIRST, LAST)[0]
    second = dt.timedelta(seconds=1)
    assert source.find("sentinel1", AREA, scene.datetime, scene.datetime)[0].id == scene.id
    with pytest.raises(CatalogError, match="nothing-found"):
        source.find("sentinel1", AREA, scene.datetime - dt.timedelta(hours=12), scene.datetime - second)


def test_it_needs_a_period(source: EarthEngineSource) -> None:
    with pytest.raises(TimeError, match="missing"):
        source.find("sentinel2", AREA)
    assert source.find("dem", AREA)


def test_images_of_another_mode_or_polarisation_are_left_out(
    server: EarthEngineServer, source: EarthEngineSource
) -> None:
    whole = source.find("sentinel1", AREA, FIRST, LAST)
    words = dict(image(server, S1).properties)
    for other in ({"instrumentMode": "EW"}, {"transmitterReceiverPolarisation": ["HH"]}):
        left = changed(server, S1, properties=words | other)
        assert {one.id for one in whole} - {one.id for one in source.find("sentinel1", AREA, FIRST, LAST)} == {
            left.rsplit("/", 1)[1]
        }
    for name, one in list(server.images.items()):
        if one.collection == S1:
            server.images[name] = replace(one, properties=words | {"instrumentMode": "EW"})
    with pytest.raises(CatalogError, match=r"nothing-found.*not as the source definition wants them"):
        source.find("sentinel1", AREA, FIRST, LAST)


def test_radar_of_the_radars_own_geometry_is_refused(source: EarthEngineSource) -> None:
    raw = altered(source, "sentinel1", kind="grd", units="amplitude", calibration="uncalibrated")
    with pytest.raises(CatalogError, match="grd-unsupported"):
        raw.find("sentinel1", AREA, FIRST, LAST)


def test_an_image_without_a_cloud_score_is_left_out_aloud(server: EarthEngineServer, source: EarthEngineSource) -> None:
    whole = source.find("sentinel2", AREA, FIRST, LAST)
    assert source.notes == []
    name = next(name for name, one in server.images.items() if one.collection == SCORE)
    del server.images[name]
    index = name.rsplit("/", 1)[1]
    found = source.find("sentinel2", AREA, FIRST, LAST)
    assert {one.id for one in whole} - {one.id for one in found} == {index}
    assert source.notes == [f"1 images have no cloud score and are left out: {index}"]
    by_classes = source.find("sentinel2", AREA, FIRST, LAST, bands=("B04", "SCL"))
    assert len(by_classes) == len(whole)
    assert source.notes == []


def test_no_cloud_score_at_all(server: EarthEngineServer, source: EarthEngineSource) -> None:
    one = image(server, SCORE)
    server.images = {name: other for name, other in server.images.items() if other.collection != SCORE}
    elsewhere = replace(one, index="another")
    server.images[elsewhere.id] = elsewhere
    with pytest.raises(CatalogError, match="no-cloud-score") as caught:
        source.find("sentinel2", AREA, FIRST, LAST)
    assert "sky: scl" in caught.value.remedy


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"asset": "NOT_THERE"}, "band-missing"),
        ({"dtype": "uint8", "nodata": 0}, "band-type"),
    ],
)
def test_a_band_that_contradicts_the_definition(source: EarthEngineSource, change: dict[str, Any], name: str) -> None:
    with pytest.raises(ItemError, match=name):
        altered(source, "dem", **change).find("dem", AREA)


def test_numbers_that_the_type_cannot_hold(server: EarthEngineServer, source: EarthEngineSource) -> None:
    bands = dict(image(server, DW).bands)
    changed(server, DW, bands=bands | {"label": replace(bands["label"], limits=(0, 400))})
    with pytest.raises(ItemError, match="band-type"):
        source.find("landcover", AREA, FIRST, LAST)


def test_a_ring_is_a_footprint_too(server: EarthEngineServer, source: EarthEngineSource) -> None:
    whole = source.find("landcover", AREA, FIRST, LAST)
    ring = image(server, DW).geometry["coordinates"][0]
    changed(server, DW, geometry={"type": "LinearRing", "coordinates": ring})
    found = source.find("landcover", AREA, FIRST, LAST)
    assert [one.footprint for one in found] == [one.footprint for one in whole]


def test_an_image_without_a_place(
    server: EarthEngineServer, source: EarthEngineSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = image(server, DW).words()
    for broken, name in (
        ({**words, "geometry": None}, "no-geometry"),
        ({**words, "id": "", "name": ""}, "no-image-id"),
        ({**words, "startTime": "yesterday"}, "bad-datetime"),
        ({**words, "bands": [{**band, "grid": {}} for band in words["bands"]]}, "b(ad-shape|and-lattice)"),
    ):
        monkeypatch.setattr(listing, "ask", lambda *_, page=broken, **__: {"assets": [page]})
        with pytest.raises(ItemError, match=name):
            source.find("landcover", AREA, FIRST, LAST)


def test_faults_of_a_search_are_told(server: EarthEngineServer, source: EarthEngineSource) -> None:
    waits: list[float] = []
    patient = EarthEngineSource(
        source.definition, server.url, source.settings, policy=ReadPolicy(attempts=3, sleep=waits.append)
    )
    patient.find("dem", AREA)
    server.faults = Faults(deny=(503, "The service is currently unavailable."))
    with pytest.raises(CatalogError, match=r"no-answer.*3 attempts"):
        patient.find("landcover", AREA, FIRST, LAST)
    assert len(waits) == 2
    server.faults = Faults()
    with pytest.raises(CatalogError, match="collection-gone"):
        altered(source, "dem", collection="COPERNICUS/DEM/GLO9").find("dem", AREA)


def test_the_list_of_tiles(source: EarthEngineSource) -> None:
    tiles = source.tile_list()
    assert tiles is not None
    assert tiles.land(AREA)
    assert altered(source, "dem", absent={"rule": "error"}).tile_list() is None
    with pytest.raises(CatalogError, match="tiles-untold"):
        altered(source, "dem", absent={"rule": "tile-list"}).tile_list()


def test_maps_of_years(server: EarthEngineServer, source: EarthEngineSource) -> None:
    """The year nearest to the window is taken, even where it lies outside."""
    yearly = altered(source, "landcover", epoch="nearest", probabilities=None)
    start, end = dt.datetime(2030, 1, 1, tzinfo=dt.UTC), dt.datetime(2031, 1, 1, tzinfo=dt.UTC)
    found = yearly.find("landcover", AREA, start, end)
    assert {one.datetime.year for one in found} == {2022}


@given(
    west=st.floats(-179, 150), south=st.floats(-80, 70), width=st.floats(0.01, 29), height=st.floats(0.01, 9),
)  # fmt: skip
def test_the_area_that_is_asked_for_holds_the_area(west: float, south: float, width: float, height: float) -> None:
    """The service joins points by great circles: between two points of one latitude those leave the parallel."""
    area = shapely.box(west, south, west + width, south + height)
    words = listing._place(area)
    outline = shapely.geometry.shape(
        json.loads(words.removeprefix('intersects("').removesuffix('")').replace("'", '"'))
    )
    assert outline.contains(area)
    lon, lat = shapely.get_coordinates(outline).T
    azimuth, _, length = Geod(ellps="sphere").inv(lon[:-1], lat[:-1], lon[1:], lat[1:])
    _, middle, _ = Geod(ellps="sphere").fwd(lon[:-1], lat[:-1], azimuth, length / 2)
    straight = (lat[:-1] + lat[1:]) / 2
    assert abs(middle - straight).max() < listing.MARGIN_DEGREES / 2


def test_the_shipped_definition(server: EarthEngineServer) -> None:
    shipped = load_definition("earthengine")
    assert shipped.kind == "earthengine"
    assert shipped.products.names() == ["sentinel2", "sentinel1", "landcover", "dem"]
    assert shipped.account != "none"
    assert (shipped.products.sentinel1.kind, shipped.products.sentinel1.units) == ("gtc", "db")  # type: ignore[union-attr]
    assert shipped.products.sentinel2.offset_applied is True  # type: ignore[union-attr]
    assert definition(server.world).products.landcover == shipped.products.landcover
