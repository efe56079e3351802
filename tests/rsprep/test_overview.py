"""What a data set tells of itself, from the journal and the store alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from rsprep.errors import StoreError
from rsprep.inspection import inspect
from rsprep.multisource import build
from rsprep.overview import LOCK_NAME, overview, report
from tests.rsprep.cli.workplace import write_workplace


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = write_workplace(tmp_path_factory.mktemp("overview"))
    return build(yaml.safe_load(place.recipe.read_text())).dataset


@pytest.fixture
def dataset(built: Path, tmp_path: Path) -> Path:
    shutil.copytree(built, tmp_path / "chips")
    return tmp_path / "chips"


def test_overview(dataset: Path) -> None:
    data = overview(dataset)
    counts, table = data.counts, data.chips
    assert (counts.planned, counts.committed, counts.rejected, counts.quarantined) == (16, 16, 0, 0)
    assert table is not None
    assert table.committed.all()
    assert table.class_shares is not None
    assert (table.class_shares.argmax(axis=1) == 4).all()  # crops everywhere
    assert (table.class_shares.sum(axis=1) == 1).all()
    assert ((table.lon > 15.0) & (table.lon < 15.012)).all()
    sources = {source.product: source for source in data.sources}
    assert {name: one.granules for name, one in sources.items()} == dict.fromkeys(sources, 1)
    assert sources["sentinel2"].baseline == "03.01"
    assert sources["sentinel1"].orbit == "ascending"
    assert sources["sentinel2"].dates == "2021-06-01"
    assert sources["dem"].dates == ""
    assert data.timings is not None
    assert data.timings.wall_seconds
    assert data.quicklooks == ()
    assert data.software["rsprep"]


def test_a_report_shows_pictures_of_chips(dataset: Path) -> None:
    data = overview(dataset, pictures=True)
    assert data.quicklooks
    assert data.legends
    (dataset / "report.html").unlink()
    report(dataset)
    assert (dataset / "report.html").stat().st_size > 10_000


def test_inspect(dataset: Path) -> None:
    found = inspect(dataset)
    assert ("committed", "16") in found.sections["chips"]
    assert ("crops", "100.0%") in found.sections["classes"]
    assert [row[0] for row in found.sections["variables"]][:2] == ["s2", "s2_valid"]
    assert "left out" not in found.sections


def test_the_area_may_be_gone(dataset: Path) -> None:
    lock = dataset / LOCK_NAME
    lock.write_text(lock.read_text().replace("region.geojson", "gone.geojson"))
    assert overview(dataset).aoi == ()


@pytest.mark.parametrize("content", [None, "", "[1]", "{"])
def test_a_damaged_configuration_is_named(dataset: Path, content: str | None) -> None:
    if content is None:
        (dataset / LOCK_NAME).unlink()
    else:
        (dataset / LOCK_NAME).write_text(content)
    with pytest.raises(StoreError, match="store/no-config"):
        overview(dataset)


def test_no_data_set(tmp_path: Path) -> None:
    for look in (overview, inspect, report):
        with pytest.raises(StoreError, match="store/not-found"):
            look(tmp_path)
