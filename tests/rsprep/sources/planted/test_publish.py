from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import rasterio
import shapely

from rsprep.errors import ConfigError, TimeError
from rsprep.sources.planted import optics, publish
from rsprep.sources.planted.cogs import fingerprint
from rsprep.sources.planted.ground import window
from rsprep.sources.planted.world import away_from_edges
from tests.rsprep.sources.planted.conftest import AREA, ARGUMENTS, Publication, hashes, moment_of

S2, S1, DW, DEM = "sentinel-2-l2a", "sentinel-1-rtc", "dynamic-world", "cop-dem-glo-30"


def on_day(publication: Publication, day: int) -> list[dict[str, Any]]:
    """Items of one tile on the n-th day, in the order of their sequence number."""
    items = publication.items(S2)
    tile = items[0]["properties"]["s2:mgrs_tile"]
    days = sorted({item["properties"]["datetime"] for item in items})
    return [
        item for item in items
        if item["properties"]["datetime"] == days[day] and item["properties"]["s2:mgrs_tile"] == tile
    ]  # fmt: skip


def test_pystac_reads_the_catalog(publication: Publication) -> None:
    catalog = pystac.Catalog.from_file(str(publication.root / "catalog.json"))
    assert {child.id for child in catalog.get_children()} == {S2, S1, DW, DEM}
    items = list(catalog.get_items(recursive=True))
    assert len(items) == sum(len(publication.items(name)) for name in (S2, S1, DW, DEM))
    for item in items:
        assert shapely.geometry.shape(item.geometry).is_valid
        assert item.bbox == list(shapely.geometry.shape(item.geometry).bounds)
        assert item.get_collection() is not None
        assert all(Path(asset.get_absolute_href() or "").exists() for asset in item.assets.values())


def test_items_say_what_the_files_are(publication: Publication) -> None:
    for name in (S2, S1, DW, DEM):
        for item in publication.items(name)[:3]:
            for key, asset in item["assets"].items():
                path = publication.path(item, key)
                with rasterio.open(path) as file:
                    assert asset["proj:code"] == str(file.crs)
                    assert asset["proj:shape"] == list(file.shape)
                    assert asset["proj:transform"] == list(file.transform)[:6]
                    assert asset["data_type"] == file.dtypes[0]
                    assert len(asset["bands"]) == file.count
                    assert str(asset["nodata"]) == str(file.nodata) or asset["nodata"] == file.nodata
                assert (asset["file:size"], asset["file:checksum"]) == fingerprint(path)


def test_files_are_tiled_and_have_overviews(publication: Publication) -> None:
    for name, key in ((S2, "B08"), (S2, "B01"), (S1, "vv"), (DW, "label"), (DW, "probabilities"), (DEM, "data")):
        with rasterio.open(publication.path(publication.items(name)[0], key)) as file:
            assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
            assert file.block_shapes[0] == (512, 512)
            if max(file.shape) > 512:
                assert file.overviews(1)


def test_digital_numbers_follow_the_baseline(publication: Publication) -> None:
    """Pitfall 9: from baseline 04.00 on 1000 is added, whatever the date; the item says it was not taken off."""
    grids = {}
    for day in (0, 3):
        item = on_day(publication, day)[0]
        offset = {"03.01": 0, "05.09": 1000}[item["properties"]["s2:processing_baseline"]]
        assert offset == (0, None, None, 1000)[day]
        assert item["properties"]["earthsearch:boa_offset_applied"] is False
        numbers, grid = publication.read(item, "B04")
        part = window(grid, (slice(200, 400), slice(200, 400)))
        truth = publication.world.truth(part, moment_of(item), ("s2",))["s2"][optics.BANDS.index("B04")]
        clear = (publication.world.weather(part, moment_of(item)) == 0) & (numbers[200:400, 200:400] > 0)
        clear &= away_from_edges(clear.astype(np.uint8), 2)
        assert clear.mean() > 0.3
        np.testing.assert_allclose(numbers[200:400, 200:400][clear].astype(int) - offset, truth[clear], atol=2)
        grids[day] = grid
    assert grids[0] == grids[3]
    for item in on_day(publication, 1):
        numbers = publication.read(item, "B02")[0]
        assert (item["properties"]["datetime"][:4], item["properties"]["s2:processing_baseline"]) == ("2021", "05.09")
        assert numbers[numbers > 0].min() >= 1100


def test_a_reprocessed_granule_differs_and_the_newer_one_is_true(publication: Publication) -> None:
    """Pitfall 14: one datatake, two baselines; only the names of the baselines tell them apart."""
    new, old = on_day(publication, 2)
    takes = [item["properties"]["s2:datatake_id"].rsplit("_N", 1) for item in (new, old)]
    assert takes[0][0] == takes[1][0]
    assert [take[1] for take in takes] == ["05.09", "03.01"]
    assert new["properties"]["created"] > old["properties"]["created"]
    a, b = (publication.read(item, "B08")[0].astype(float) for item in (new, old))
    np.testing.assert_allclose(b, 1.03 * (a - 1000), atol=0.51)


def test_two_half_tiles_make_a_whole_one(publication: Publication) -> None:
    """Pitfall 15: every pixel is in one of the two parts and in one only."""
    halves = on_day(publication, 1)
    assert len({item["properties"]["s2:datatake_id"] for item in halves}) == 1
    for band in ("B02", "B05", "B01", "SCL"):
        one, other = (publication.read(item, band)[0] > 0 for item in halves)
        assert (one ^ other).all()
        assert 0.02 < one.mean() < 0.98
    shapes = [shapely.geometry.shape(item["geometry"]) for item in halves]
    whole = shapely.geometry.shape(on_day(publication, 0)[0]["geometry"])
    assert sum(shape.area for shape in shapes) == pytest.approx(whole.area, rel=1e-6)


def test_a_swath_ends_inside_a_granule(publication: Publication) -> None:
    scenes = [item for item in publication.items(S2) if item["id"].split("_")[2] == "20220816"]
    shares = []
    for item in scenes:
        numbers, _ = publication.read(item, "B03")
        share = shapely.geometry.shape(item["geometry"]).area
        whole = [i for i in publication.items(S2) if i["id"].startswith(item["id"][3:9], 3) and "20210607" in i["id"]]
        share /= shapely.geometry.shape(whole[0]["geometry"]).area
        assert (numbers > 0).mean() == pytest.approx(share, abs=0.005)
        shares.append(share)
    assert min(shares) < 0.95


def test_scene_classes_follow_sky_and_ground(publication: Publication) -> None:
    """Pitfall 12: codes stay codes; clouds and shadows are where the weather has them."""
    item = on_day(publication, 1)[0]
    codes, grid = publication.read(item, "SCL")
    assert set(np.unique(codes)) <= {0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
    sky = publication.world.weather(grid, moment_of(item))
    seen = codes > 0
    np.testing.assert_array_equal(codes[seen & (sky > 0)], sky[seen & (sky > 0)])
    assert not np.isin(codes[seen & (sky == 0)], (3, 8, 9, 10)).any()
    sea = publication.world.elevation(grid) == 0
    assert (codes[seen & (sky == 0) & sea] == 6).mean() > 0.99
    cloudy = np.isin(codes, (8, 9, 10)).sum() / seen.sum()
    assert item["properties"]["eo:cloud_cover"] == pytest.approx(100 * cloudy, abs=0.01)


def test_radar_has_dead_borders_and_true_means(publication: Publication) -> None:
    """Pitfall 16: zeros outside, and a faint ring that an erosion of 3 pixels takes with them."""
    items = publication.items(S1)
    assert {item["properties"]["sat:orbit_state"] for item in items} == {"ascending", "descending"}
    for item in items:
        power, grid = publication.read(item, "vv")
        truth = publication.world.truth(grid, moment_of(item), ("s1",))["s1"]
        truth = truth[item["properties"]["sat:orbit_state"]][0]
        assert power.min() == 0
        assert 0.02 < (power == 0).mean() < 0.3
        faint = (power > 0) & (power < 1e-2 * truth)
        assert faint.sum() > 1000
        solid = away_from_edges((power > 0).astype(np.uint8), 3) & (power > 0)
        assert not (faint & solid).any() or (faint & solid).sum() < 5  # five looks are that dark once in a million
        assert 10 * np.log10(power[solid].mean() / truth[solid].mean()) == pytest.approx(0, abs=0.1)


def test_labels_have_gaps_where_the_sky_was_not_clear(publication: Publication) -> None:
    """Pitfalls 20, 23 and 24: a gap is 255 and never water, and probabilities sum to 1."""
    labelled = [item for item in publication.items(DW) if "20210818" in item["id"]]
    gaps = 0.0
    for item in labelled:
        label, grid = publication.read(item, "label")
        shares, _ = publication.read(item, "probabilities")
        np.testing.assert_array_equal(np.isnan(shares[0]), label == 255)
        valid = label < 255
        np.testing.assert_array_equal(shares[:, valid].sum(axis=0), 1)
        np.testing.assert_array_equal(shares[:, valid].argmax(axis=0), label[valid])
        truth = publication.world.truth(grid, moment_of(item), ("lulc",))["lulc"]
        inner = valid & away_from_edges(truth, 1)
        np.testing.assert_array_equal(label[inner], truth[inner])
        sky = publication.world.weather(grid, moment_of(item))
        assert ((sky > 0) == ~valid).mean() > 0.97  # the scene's mask has pixels of 20 m
        gaps += float((~valid).mean())
    assert gaps > 0.05


def test_a_run_resumes_to_the_same_bytes(publication: Publication, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(publication.root, root)
    before = hashes(root)
    victim = publication.items(S1)[0]
    shutil.rmtree(root / S1 / victim["id"])
    scene = publication.items(S2)[1]
    (root / S2 / scene["id"] / f"{scene['id']}.json").unlink()
    (root / S2 / scene["id"] / f"{scene['id']}_B05.tif").unlink()
    (root / DEM / publication.items(DEM)[0]["id"] / f"{publication.items(DEM)[0]['id']}.json").unlink()
    (root / "catalog.json").unlink()
    calls: list[tuple[int, int]] = []
    publish(0, AREA, root, **ARGUMENTS, workers=1, progress=lambda done, total, _: calls.append((done, total)))
    assert hashes(root) == before
    assert calls == [(n, len(calls)) for n in range(1, len(calls) + 1)]


def test_a_finished_folder_is_left_alone(publication: Publication) -> None:
    times = {path: path.stat().st_mtime_ns for path in publication.root.rglob("*.tif")}
    publish(0, AREA, publication.root, **ARGUMENTS)
    assert {path: path.stat().st_mtime_ns for path in publication.root.rglob("*.tif")} == times


def test_another_world_does_not_go_into_the_same_folder(publication: Publication, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="other-publication"):
        publish(1, AREA, publication.root, **ARGUMENTS)
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="not-empty"):
        publish(0, AREA, tmp_path, **ARGUMENTS)


def test_a_period_turned_round_and_an_impossible_area_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TimeError, match="reversed"):
        publish(0, AREA, tmp_path / "a", start=dt.date(2021, 6, 2), end=dt.date(2021, 6, 1))
    with pytest.raises(ConfigError, match="empty-area"):
        publish(0, shapely.Polygon(), tmp_path / "b", start=dt.date(2021, 6, 1), end=dt.date(2021, 6, 2))
    with pytest.raises(ConfigError, match="beyond-utm"):
        publish(0, shapely.box(0, 83, 1, 85), tmp_path / "c", start=dt.date(2021, 6, 1), end=dt.date(2021, 6, 2))
