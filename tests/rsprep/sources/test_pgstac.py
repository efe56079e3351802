"""Searches and a build against stac-fastapi on pgstac: slow to start, so only ``make test-pgstac`` runs them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import rsprep
from rsprep.errors import CatalogError
from rsprep.sources.base import open_source
from rsprep.sources.stac import StacSource
from tests.fakes import stac
from tests.fakes.pgstac import pgstac_api, postgres_programs
from tests.fakes.ranges import RangeServer
from tests.rsprep.conftest import PlantedSource
from tests.rsprep.sources.making import S2, make_collection, make_definition, write_catalog
from tests.rsprep.sources.searched import AREA, SEARCHES, period, searched_items
from tests.rsprep.truth import digests

VARIABLE = "RSPREP_PGSTAC"
"""Environment variable with the folder of pypgstac and uvicorn."""
pytestmark = [
    pytest.mark.skipif(not os.environ.get(VARIABLE), reason=f"{VARIABLE} is not set: run make test-pgstac"),
    pytest.mark.skipif(postgres_programs() is None, reason="there is no PostgreSQL with PostGIS on this machine"),
]


@pytest.fixture(scope="module")
def programs() -> Path:
    return Path(os.environ[VARIABLE]).absolute()


@pytest.fixture(scope="module")
def pgstac(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The items that the other API is searched for."""
    folder = tmp_path_factory.mktemp("pgstac")
    (folder / "collection.json").write_text(json.dumps(make_collection(S2)))
    (folder / "items.json").write_text(json.dumps({"type": "FeatureCollection", "features": searched_items()}))
    with pgstac_api(programs, [folder / "collection.json", folder / "items.json"]) as url:
        yield url


@pytest.mark.parametrize("name", SEARCHES)
def test_pgstac_and_a_static_catalog_give_the_same(pgstac: str, tmp_path: Path, name: str) -> None:
    """Pitfall 37 among them; five items a page, so that pages are followed."""
    static = open_source(make_definition(), str(write_catalog(tmp_path, searched_items())))
    area, days = SEARCHES[name]
    found = StacSource(make_definition(), pgstac, page=5).find("sentinel2", area, *period(days))
    assert found
    assert [one.to_json() for one in found] == [one.to_json() for one in static.find("sentinel2", area, *period(days))]


@pytest.mark.parametrize("page", [5, 23, 250])
def test_pages_are_followed_to_the_end(pgstac: str, page: int) -> None:
    assert len(StacSource(make_definition(), pgstac, page=page).find("sentinel2", AREA)) == 23


@pytest.mark.parametrize("fates", [["none", 429, 503], ["none", "unlinked"]], ids=["busy", "unlinked"])
def test_spoiled_answers_never_shorten_a_result(pgstac: str, fates: list[object]) -> None:
    """Pitfalls 4 and 6: this server counts no matches either, so a page without its link has to be found out."""
    with stac.spoiling(pgstac) as proxy:
        proxy.fates = list(fates)
        source = StacSource(make_definition(), proxy.url, page=5)
        if "unlinked" in fates:
            with pytest.raises(CatalogError, match="short-result"):
                source.find("sentinel2", AREA)
        else:
            assert len(source.find("sentinel2", AREA)) == 23


def test_a_build_gives_what_files_give(programs: Path, planted_source: PlantedSource, tmp_path: Path) -> None:
    catalog = planted_source.root / "catalog.json"
    settings = {"start": "2021-06-01", "end": "2021-08-31"}
    assert not rsprep.build(planted_source.config(tmp_path / "files", **settings)).failures
    (tmp_path / "documents").mkdir()
    with RangeServer(planted_source.root) as server:
        documents = stac.write_documents(catalog, server.url, tmp_path / "documents")
        with pgstac_api(programs, documents) as api:
            assert not rsprep.build(planted_source.config(tmp_path / "api", **settings, endpoint=api)).failures
    assert digests(tmp_path / "api" / "chips") == digests(tmp_path / "files" / "chips")
