"""Static catalogs, made and real, through the source that users open."""

from __future__ import annotations

import datetime as dt
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import rasterio
import shapely
from shapely.geometry import shape

from rsprep.errors import CatalogError, ItemError, TimeError
from rsprep.reading import ReadPolicy
from rsprep.sources.base import Source, open_source
from rsprep.sources.definition import load_definition
from rsprep.sources.tiles import TileList
from tests.rsprep.sources.making import S2, make_collection, make_definition, make_item, with_properties, write_catalog
from tests.support import real_data

AREA = shapely.box(15.02, 48.02, 15.03, 48.03)
UTC = dt.UTC
JUNE = (dt.datetime(2021, 6, 1, tzinfo=UTC), dt.datetime(2021, 6, 30, tzinfo=UTC))


def _open(folder: Path, items: list[Any], **definition: Any) -> Source:
    return open_source(make_definition(**definition), str(write_catalog(folder, items)))


def _area(path: Path) -> shapely.Geometry:
    return shapely.union_all([shape(feature["geometry"]) for feature in json.loads(path.read_text())["features"]])


@pytest.mark.parametrize("tile", ["38D_378R_2_3", "433D_629L_3_1", "609U_541L_3_0", "282D_485L_3_3"])
def test_real_tiles_are_found_with_the_lattice_of_their_files(tile: str) -> None:
    folder = real_data("multisource-tiles")
    source = open_source(load_definition("terramesh"), str(folder))
    area = _area(folder / f"region-{tile}.geojson")
    for product in ("sentinel2", "sentinel1", "landcover", "dem"):
        (granule,) = source.find(product, area)
        assert granule.id.endswith(tile)
        bands = source.definition.product(product).bands()
        assert list(granule.assets) == list(bands)
        for name, asset in granule.assets.items():
            with rasterio.open(asset.href) as file:
                assert asset.grid is not None
                assert asset.grid.crs is not None
                assert (asset.grid.shape, asset.grid.crs.to_epsg()) == (file.shape, file.crs.to_epsg())
                assert list(asset.grid.transform) == list(file.transform)
                assert (file.dtypes[0], file.nodata) == (bands[name].dtype, bands[name].nodata)


def test_real_time_series_is_found_in_order_and_by_period() -> None:
    folder = real_data("s2-timeseries-33uwp")
    source = open_source(load_definition("planted"), str(folder / "catalog.json"))
    area, bands = _area(folder / "roi.geojson"), ("B04", "B08", "SCL")
    granules = source.find("sentinel2", area, bands=bands)
    assert len(granules) == 24
    assert [granule.datetime for granule in granules] == sorted(granule.datetime for granule in granules)
    assert {granule.properties["s2:processing_baseline"] for granule in granules} == {"02.12"}
    may = dt.datetime(2018, 5, 1, tzinfo=UTC), dt.datetime(2018, 5, 31, 23, 59, 59, tzinfo=UTC)
    expected = [granule for granule in granules if granule.datetime.month == 5]
    assert source.find("sentinel2", area, *may, bands=bands) == expected
    assert 0 < len(expected) < 24
    with pytest.raises(ItemError) as caught:
        source.find("sentinel2", area)
    assert caught.value.slug == "missing-asset"


def test_only_items_in_the_area_and_the_period_come_back(tmp_path: Path) -> None:
    source = _open(
        tmp_path,
        [
            make_item("late", properties={"datetime": "2021-06-20T10:00:00Z", "s2:processing_baseline": "03.01"}),
            make_item("here"),
            make_item("far", (30.0, 48.0, 30.1, 48.1)),
            with_properties(make_item("before"), datetime="2021-05-31T23:59:59Z"),
            with_properties(make_item("after"), datetime="2021-07-01T00:00:00Z"),
        ],
    )
    assert [granule.id for granule in source.find("sentinel2", AREA, *JUNE)] == ["here", "late"]


def test_items_elsewhere_are_not_held_to_the_definition(tmp_path: Path) -> None:
    source = _open(tmp_path, [make_item("here"), make_item("far", (30.0, 48.0, 30.1, 48.1), assets={})])
    assert [granule.id for granule in source.find("sentinel2", AREA)] == ["here"]


def test_only_the_collection_asked_for_is_read(tmp_path: Path) -> None:
    source = _open(tmp_path, [make_item("a"), make_item("broken", collection="s1")])
    (tmp_path / "s1" / "0" / "item.json").write_text("no json")
    assert [granule.id for granule in source.find("sentinel2", AREA)] == ["a"]


def test_a_year_ends_where_the_next_begins(tmp_path: Path) -> None:
    def year(number: int) -> Any:
        span = {"start_datetime": f"{number}-01-01T00:00:00Z", "end_datetime": f"{number + 1}-01-01T00:00:00Z"}
        return with_properties(make_item(f"y{number}"), **span)

    source = _open(tmp_path, [year(2019), year(2020), year(2021)])
    window = dt.datetime(2020, 1, 1, tzinfo=UTC), dt.datetime(2020, 12, 31, tzinfo=UTC)
    assert [granule.id for granule in source.find("sentinel2", AREA, *window)] == ["y2020"]


def test_relief_has_no_season_and_sea_no_tile(tmp_path: Path) -> None:
    """Pitfall 25: with a tile list, no DEM granule is an answer; without one it is an error."""
    item = make_item("d", collection="dem", assets={"data": {"href": "./d.tif"}})
    source = _open(tmp_path, [item])
    (tmp_path / "dem" / "tileList.txt").write_text("Copernicus_DSM_COG_10_N48_00_E015_00_DEM\n")
    assert len(source.find("dem", AREA, dt.datetime(1999, 1, 1, tzinfo=UTC), dt.datetime(1999, 2, 1, tzinfo=UTC))) == 1
    sea = shapely.box(-30.5, 0.1, -30.4, 0.2)
    assert source.find("dem", sea) == []
    tiles = source.tile_list()
    assert tiles is not None
    assert len(tiles.sea(sea)) == 1
    assert tiles.sea(AREA) == []
    strict = make_definition().model_dump()
    strict["products"]["dem"]["absent"] = {"rule": "error"}
    source = open_source(make_definition(**strict), str(tmp_path))
    assert source.tile_list() is None
    with pytest.raises(CatalogError) as caught:
        source.find("dem", sea)
    assert caught.value.slug == "nothing-found"


def test_the_collection_may_tell_where_its_tile_list_is(tmp_path: Path) -> None:
    products = make_definition().model_dump()["products"]
    products["dem"]["absent"] = {"rule": "tile-list", "tile_degrees": "side"}
    source = _open(tmp_path, [make_item("d", collection="dem")], products=products)
    place = tmp_path / "dem" / "collection.json"
    document = json.loads(place.read_text())
    with pytest.raises(CatalogError) as caught:
        source.tile_list()
    assert caught.value.slug == "no-tile-list"
    document["links"].append({"rel": "tile-list", "href": "./tiles.txt"})
    place.write_text(json.dumps({**document, "summaries": {"side": [0.25]}}))
    (tmp_path / "dem" / "tiles.txt").write_text("X_N48_25_E015_00\n")
    tiles = open_source(source.definition, str(tmp_path)).tile_list()
    assert tiles is not None
    assert tiles == TileList(tile_degrees=0.25, corners=frozenset({(4825, 1500)}))


def test_nested_catalogs_and_cycles_are_walked_once(tmp_path: Path) -> None:
    catalog = write_catalog(tmp_path, [make_item("a")])
    inner = tmp_path / S2 / "year" / "collection.json"
    inner.parent.mkdir()
    links = [{"rel": "item", "href": "../0/item.json"}, {"rel": "child", "href": "../collection.json"}]
    inner.write_text(json.dumps({**make_collection("year", links), "type": "Catalog"}))
    outer = tmp_path / S2 / "collection.json"
    document = json.loads(outer.read_text())
    document["links"].append({"rel": "child", "href": "./year/collection.json"})
    outer.write_text(json.dumps(document))
    source = open_source(make_definition(), str(catalog))
    assert [granule.id for granule in source.find("sentinel2", AREA)] == ["a"]


def test_a_collection_may_be_the_root(tmp_path: Path) -> None:
    write_catalog(tmp_path, [make_item("a")])
    source = open_source(make_definition(), str(tmp_path / S2 / "collection.json"))
    assert [granule.id for granule in source.find("sentinel2", AREA)] == ["a"]


def test_relative_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_catalog(tmp_path, [make_item("a")])
    monkeypatch.chdir(tmp_path)
    (granule,) = open_source(make_definition(), "catalog.json").find("sentinel2", AREA)
    assert granule.assets["B04"].href == str(tmp_path / S2 / "0" / "B04.tif")


def test_an_area_across_the_antimeridian_finds_both_sides(tmp_path: Path) -> None:
    """Pitfall 37: a granule whose ring jumps from 179 to -179 counts for both sides, and once."""
    items = [
        make_item("west-side", (179.0, 10.0, 179.5, 10.5)),
        make_item("east-side", (-179.5, 10.0, -179.0, 10.5)),
        make_item("crossing", (-179.9, 10.0, 179.9, 10.5)),
        make_item("opposite", (-1.0, 10.0, 1.0, 10.5)),
    ]
    source = _open(tmp_path, items)
    area = shapely.MultiPolygon([shapely.box(178, 10.1, 180, 10.2), shapely.box(-180, 10.1, -178, 10.2)])
    assert [granule.id for granule in source.find("sentinel2", area)] == ["crossing", "east-side", "west-side"]


def test_ids_are_unique_unless_the_items_are_one(tmp_path: Path) -> None:
    source = _open(tmp_path / "same", [make_item("a", assets=_absolute()), make_item("a", assets=_absolute())])
    assert len(source.find("sentinel2", AREA)) == 1
    source = _open(tmp_path / "other", [make_item("a"), make_item("a")])  # their hrefs differ
    with pytest.raises(ItemError) as caught:
        source.find("sentinel2", AREA)
    assert caught.value.slug == "duplicate-id"


def _absolute() -> dict[str, Any]:
    return {"red": {"href": "/B04.tif"}, "scl": {"href": "/SCL.tif"}}


def test_ground_range_detected_radar_is_refused(tmp_path: Path) -> None:
    """Pitfall 18: GRD taken as terrain corrected."""
    products = {"sentinel1": load_definition("earth-search").product("sentinel1").model_dump()}
    source = _open(tmp_path, [make_item("a", collection="sentinel-1-grd")], products=products)
    with pytest.raises(CatalogError) as caught:
        source.find("sentinel1", AREA)
    assert caught.value.slug == "grd-unsupported"


def test_naive_moments_are_refused(tmp_path: Path) -> None:
    """Pitfall 40."""
    source = _open(tmp_path, [make_item("a")])
    with pytest.raises(TimeError) as caught:
        source.find("sentinel2", AREA, dt.datetime(2021, 6, 1))
    assert caught.value.slug == "naive"


def test_a_source_of_years_needs_a_period(tmp_path: Path) -> None:
    source = _open(tmp_path, [make_item("a"), make_item("d", collection="dem", assets={"data": {"href": "/d"}})],
                   needs_period=True)  # fmt: skip
    with pytest.raises(TimeError) as caught:
        source.find("sentinel2", AREA, JUNE[0])
    assert caught.value.slug == "missing"
    assert len(source.find("sentinel2", AREA, *JUNE)) == 1
    assert len(source.find("dem", AREA)) == 1


def test_nothing_found_tells_where_items_were_lost(tmp_path: Path) -> None:
    items = [make_item("a"), make_item("b"), make_item("far", (30.0, 48.0, 30.1, 48.1))]
    source = _open(tmp_path, items)
    with pytest.raises(CatalogError, match="3 items found, 2 of them meet the AOI, none") as caught:
        source.find("sentinel2", AREA, dt.datetime(2022, 1, 1, tzinfo=UTC))
    assert caught.value.slug == "nothing-found"
    assert "2021-06-01" in caught.value.remedy
    with pytest.raises(CatalogError, match="3 items found, 0 of them"):
        source.find("sentinel2", shapely.box(0, 0, 1, 1))


def test_a_collection_that_is_not_there(tmp_path: Path) -> None:
    source = _open(tmp_path, [make_item("a", collection="other")])
    with pytest.raises(CatalogError, match="it has: other") as caught:
        source.find("sentinel2", AREA)
    assert caught.value.slug == "collection-missing"


def test_items_that_are_not_there_or_not_items(tmp_path: Path) -> None:
    """Pitfall 4: a link that leads nowhere is an error, not one item fewer."""
    source = _open(tmp_path, [make_item("a"), make_item("b")])
    (tmp_path / S2 / "1" / "item.json").unlink()
    with pytest.raises(CatalogError) as caught:
        source.find("sentinel2", AREA)
    assert caught.value.slug == "not-found"
    (tmp_path / S2 / "1" / "item.json").write_text(json.dumps(make_collection("b")))
    with pytest.raises(CatalogError) as caught:
        source.find("sentinel2", AREA)
    assert caught.value.slug == "wrong-type"


@pytest.mark.parametrize(
    ("item", "slug"),
    [
        (make_item("a", id=None), "no-id"),
        (make_item("a", geometry=None), "no-geometry"),
        (make_item("a", assets=["red"]), "malformed"),
        (make_item("a", properties=None), "malformed"),
    ],
)
def test_items_that_cannot_be_placed(tmp_path: Path, item: Any, slug: str) -> None:
    source = _open(tmp_path, [item])
    with pytest.raises(ItemError) as caught:
        source.find("sentinel2", AREA)
    assert caught.value.slug == slug


def test_an_item_of_another_collection(tmp_path: Path) -> None:
    source = _open(tmp_path, [make_item("a")])
    (tmp_path / S2 / "0" / "item.json").write_text(json.dumps(make_item("a", collection="s1")))
    with pytest.raises(CatalogError) as caught:
        source.find("sentinel2", AREA)
    assert caught.value.slug == "wrong-collection"


def test_a_definition_needs_an_endpoint_and_a_known_kind() -> None:
    with pytest.raises(CatalogError) as caught:
        open_source(make_definition())
    assert caught.value.slug == "no-endpoint"
    with pytest.raises(CatalogError, match="known kinds: earthengine, stac") as caught:
        open_source(make_definition(kind="ftp"), "ftp://x")
    assert caught.value.slug == "unknown-kind"


def test_what_tasks_need_pickles(tmp_path: Path) -> None:
    source = _open(tmp_path, [make_item("a")], signing="planetary-computer")
    granules = source.find("sentinel2", AREA)
    assert pickle.loads(pickle.dumps(granules)) == granules  # noqa: S301 - made here
    access = pickle.loads(pickle.dumps(source.access(ReadPolicy(attempts=2))))  # noqa: S301 - made here
    assert access.policy.attempts == 2
    assert access.signer.sign("/local.tif") == "/local.tif"
