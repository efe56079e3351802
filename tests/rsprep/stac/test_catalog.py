from __future__ import annotations

import datetime as dt
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pystac
import pytest
import shapely
import stac_geoparquet.arrow

from rsprep.errors import CatalogError, StoreError
from rsprep.granule import Asset, Granule
from rsprep.ground.footprint import bbox_of, chip_footprint
from rsprep.stac.catalog import register, write_catalog
from rsprep.stac.collection import Coverage
from rsprep.stac.items import write_items
from tests.rsprep.store.fixtures import SIDE, build_small, small_schema


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "lake-district"
    build_small(folder, excluded=(1,))
    assert write_catalog(folder, title="Lakes", licence="CC-BY-4.0", derived_from={"s2": "https://x.org/c.json"}) == 11
    return folder


def test_pystac_reads_catalog_and_collection(dataset: Path, tmp_path: Path) -> None:
    file = register(dataset, tmp_path / "catalog")
    catalog = pystac.Catalog.from_file(str(file))
    (collection,) = catalog.get_children()
    assert isinstance(collection, pystac.Collection)
    assert (collection.id, collection.title, collection.license) == ("lake-district", "Lakes", "CC-BY-4.0")
    store = collection.assets["chips"]
    assert store.media_type == "application/vnd.zarr; version=3"
    assert Path(store.get_absolute_href() or "") == dataset / "chips.zarr"
    assert collection.summaries.get_list("ml-aoi:split") == ["train", "validate", "test"]
    classes = store.extra_fields["classification:classes"]
    assert (classes[0]["name"], classes[6]["color_hint"]) == ("water", "C4281B")
    assert [link.rel for link in collection.links].count("store") == 1
    start, end = collection.extent.temporal.intervals[0]
    assert (start, end) == (dt.datetime(2021, 6, 1, 10, tzinfo=dt.UTC), dt.datetime(2021, 7, 1, 10, tzinfo=dt.UTC))
    west, south, east, north = collection.extent.spatial.bboxes[0]
    assert pytest.approx(west) == 15
    assert west < east < 15.02
    assert 48.7 < south < north < 48.8


def test_items_are_stac_items(dataset: Path) -> None:
    table = pq.read_table(dataset / "items.parquet")
    items = [pystac.Item.from_dict(item) for item in stac_geoparquet.arrow.stac_table_to_items(table)]
    assert len(items) == 11
    item = next(item for item in items if item.id == "33N-0001-0002")
    properties = item.properties
    assert item.collection_id == "lake-district"
    assert properties["proj:code"] == "EPSG:32633"
    assert properties["proj:shape"] == [16, 16]
    assert properties["proj:transform"] == [10, 0, 500000 + 2 * SIDE, 0, -10, 5400000 - SIDE]
    assert (properties["split"], properties["ml-aoi:split"]) == ("val", "validate")
    assert properties["eo:cloud_cover"] == 25
    assert properties["s2:processing_baseline"] == "05.00"
    assert properties["sat:orbit_state"] == "ascending"
    assert properties["rsprep:sources"] == ["dem/N48E015", "sentinel2/S2A_20210601"]
    assert len(properties["rsprep:class_shares"]) == 9
    assert len(properties["rsprep:digest"]) == 32
    assert item.assets["chips"].media_type == "application/vnd.zarr; version=3"
    assert item.datetime == dt.datetime(2021, 6, 1, 10, tzinfo=dt.UTC)
    centre = shapely.geometry.shape(item.geometry).centroid
    assert (centre.x, centre.y) == pytest.approx((15 + 2.5 * SIDE / 73500, 48.754), abs=0.01)


def test_rows_without_a_fact_read_like_the_others(tmp_path: Path) -> None:
    """Types are fixed, not taken from the first rows: a first batch without orbits changes nothing."""
    small = build_small(tmp_path, n_shards=1)
    write_catalog(tmp_path)
    path = tmp_path / "items.parquet"
    schema = pq.read_schema(path)
    rows = pq.read_table(path).to_pylist()
    for row in rows:
        row["sat:orbit_state"] = row["eo:cloud_cover"] = row["rsprep:class_shares"] = None
    assert write_items(path, rows, small) == 4
    assert pq.read_schema(path).types == schema.types
    assert write_items(path, [], small) == 0
    assert pq.read_schema(path).types == schema.types


def test_writing_again_gives_the_same_bytes(dataset: Path, tmp_path: Path) -> None:
    again = tmp_path / "lake-district"
    shutil.copytree(dataset, again)
    (again / "items.parquet").unlink()
    write_catalog(again, title="Lakes", licence="CC-BY-4.0", derived_from={"s2": "https://x.org/c.json"})
    for name in ("items.parquet", "collection.json"):
        assert (again / name).read_bytes() == (dataset / name).read_bytes()
    assert list(again.glob(".*partial*")) == []


def test_no_signature_leaves_the_journal(tmp_path: Path) -> None:
    """Pitfall 5: addresses of pixels, signed or not, stay out of what is published."""
    granule = Granule(
        id="S2A_20210601",
        product="sentinel2",
        source="planted",
        collection="l2a",
        datetime=dt.datetime(2021, 6, 1, tzinfo=dt.UTC),
        footprint=shapely.box(14, 48, 16, 49),
        assets={"B04": Asset(href="https://blob.example/b04.tif?sig=SECRET")},
        properties={"href": "https://blob.example/b04.tif?sig=SECRET"},
    )
    build_small(tmp_path / "set", n_shards=1, granules=(granule,))
    write_catalog(tmp_path / "set")
    register(tmp_path / "set", tmp_path / "catalog")
    published = [tmp_path / "set" / "items.parquet", tmp_path / "set" / "collection.json"]
    published += [tmp_path / "catalog" / "catalog.json", *(tmp_path / "set" / "chips.zarr").rglob("zarr.json")]
    assert all(b"SECRET" not in file.read_bytes() for file in published)
    assert "SECRET" not in str(pq.read_table(published[0]).to_pylist())


def test_registering_twice_is_registering_once(dataset: Path, tmp_path: Path) -> None:
    file = register(dataset, tmp_path)
    first = file.read_bytes()
    assert register(dataset, tmp_path).read_bytes() == first
    with pytest.raises(StoreError, match=r"no collection\.json"):
        register(tmp_path, tmp_path)


def test_what_is_no_catalog_is_left_alone(dataset: Path, tmp_path: Path) -> None:
    for content in ("not json", '{"type": "Feature"}', "[]"):
        (tmp_path / "catalog.json").write_text(content)
        with pytest.raises(CatalogError, match="no STAC catalog"):
            register(dataset, tmp_path)
        assert (tmp_path / "catalog.json").read_text() == content


def test_builds_that_end_together_are_all_registered(tmp_path: Path) -> None:
    datasets = []
    for number in range(24):
        folder = tmp_path / f"set-{number:02d}"
        folder.mkdir()
        (folder / "collection.json").write_text(json.dumps({"title": folder.name}))
        datasets.append(folder)
    with ThreadPoolExecutor(6) as pool:  # the lock is between open files: threads contend like processes
        list(pool.map(lambda folder: register(folder, tmp_path / "catalog"), datasets))
    catalog = json.loads((tmp_path / "catalog" / "catalog.json").read_text())
    children = [link["title"] for link in catalog["links"] if link["rel"] == "child"]
    assert children == [folder.name for folder in datasets]


def test_an_unsealed_data_set_has_no_catalog(tmp_path: Path) -> None:
    import zarr

    build_small(tmp_path)
    zarr.open_group(tmp_path / "chips.zarr", mode="r+", use_consolidated=False).update_attributes({"sealed": False})
    with pytest.raises(StoreError) as caught:
        write_catalog(tmp_path)
    assert caught.value.slug == "unsealed"
    assert not (tmp_path / "items.parquet").exists()


def test_chips_across_the_antimeridian_have_two_parts_and_a_small_box() -> None:
    """Pitfall 37: a chip at 180° covers a few hundred metres, not the whole Earth."""
    schema = small_schema()
    x = 166021.44 - SIDE / 2  # the equator of zone 1 begins at 180° west here
    footprint = chip_footprint(32601, x, 1000.0, schema.side)
    assert footprint.geom_type == "MultiPolygon"
    assert footprint.is_valid
    west, _, east, _ = bbox_of(footprint)
    assert west > 179.999
    assert east < -179.999
    area = sum(part.area for part in footprint.geoms)
    assert area == pytest.approx((SIDE / 111320) ** 2, rel=0.02)
    coverage = Coverage()
    moment = dt.datetime(2021, 1, 1, tzinfo=dt.UTC)
    for step in (-3, 0, 3):
        box = bbox_of(chip_footprint(32601, x + step * SIDE, 1000.0, schema.side))
        coverage.add(
            {
                "split": "train",
                "proj:code": "EPSG:32601",
                "start_datetime": moment,
                "end_datetime": moment,
                "bbox": dict(zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)),
            }
        )
    west, south, east, north = coverage.bbox
    assert 179.99 < west < 180
    assert -180 < east < -179.99
    assert south < north


def test_footprints_wind_counter_clockwise() -> None:
    footprint = chip_footprint(32633, 500000, 5400000, small_schema().side)
    assert footprint.exterior.is_ccw
    assert np.ptp(np.array(footprint.exterior.coords), axis=0) == pytest.approx([SIDE / 73400, SIDE / 111200], rel=0.02)
