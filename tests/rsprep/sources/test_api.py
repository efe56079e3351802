"""STAC APIs: a real server on the loopback for what is right, a scripted one for what goes wrong."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from urllib3 import HTTPResponse
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError

from rsprep.errors import CatalogError
from rsprep.sources.base import open_source
from rsprep.sources.http import make_retry
from rsprep.sources.stac import StacSource
from tests.fakes import stac
from tests.rsprep.sources.making import (
    S2,
    VERSION,
    Server,
    make_collection,
    make_definition,
    make_item,
    make_page,
    serve_api,
    serving,
    write_catalog,
)
from tests.rsprep.sources.searched import AREA, CROSSING, HREFS, ROUND, SEARCHES, period, searched_items


@pytest.fixture(scope="module")
def rustac(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A STAC API over :func:`searched_items`, with its memory backend."""
    folder = tmp_path_factory.mktemp("rustac")
    (folder / "collection.json").write_text(json.dumps(make_collection(S2)))
    (folder / "items.json").write_text(json.dumps({"type": "FeatureCollection", "features": searched_items()}))
    with stac.rustac([folder / "collection.json", folder / "items.json"]) as url:
        yield url


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


def _open(url: str, page: int = 5) -> StacSource:
    return StacSource(make_definition(), url, page=page, retry=make_retry(total=3, backoff=0.0))


def test_pages_are_followed_to_the_end(rustac: str) -> None:
    assert len(_open(rustac, page=5).find("sentinel2", AREA)) == 23
    assert len(_open(rustac, page=23).find("sentinel2", AREA)) == 23


@pytest.mark.parametrize("name", SEARCHES)
def test_an_api_and_a_static_catalog_give_the_same(rustac: str, tmp_path: Path, name: str) -> None:
    """Pitfall 37 among them: each part is searched, and a granule on both sides comes once."""
    static = open_source(make_definition(), str(write_catalog(tmp_path, searched_items())))
    area, days = SEARCHES[name]
    window = period(days)
    found = _open(rustac).find("sentinel2", area, *window)
    assert found
    assert [g.to_json() for g in found] == [g.to_json() for g in static.find("sentinel2", area, *window)]
    if days is not None:
        assert len(found) == days[1] - days[0] + 1
    if area is CROSSING:
        assert [granule.id for granule in found] == ["both", "side0", "side1"]
    if area is ROUND:
        assert {granule.id for granule in found if granule.id[0] != "d"} == {"rim"}


def test_a_static_catalog_is_read_over_http_too(server: Server) -> None:
    links = [{"rel": "child", "href": "./c/collection.json"}]
    server.tell("/catalog.json", (200, {"type": "Catalog", **VERSION, "id": "x", "description": "", "links": links}))
    items = [{"rel": "item", "href": f"{name}.json"} for name in ("a", "b", "c")]
    server.tell("/c/collection.json", (200, make_collection(S2, items)))
    for name in ("a", "b", "c"):
        server.tell(f"/c/{name}.json", (503, b"busy"), (200, make_item(name)))
    granules = _open(f"{server.url}/catalog.json").find("sentinel2", AREA)
    assert [granule.id for granule in granules] == ["a", "b", "c"]
    assert granules[0].assets["B04"].href == f"{server.url}/c/B04.tif"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_passing_fault_is_asked_again(server: Server, status: int) -> None:
    """Pitfall 6: a search by POST is retried like any other; the client's defaults do not."""
    serve_api(server, [])
    page = make_page(server, [make_item("a", assets=HREFS)])
    server.tell("/search", (status, b"busy"), (status, b"busy"), (200, page))
    assert [granule.id for granule in _open(server.url).find("sentinel2", AREA)] == ["a"]
    assert server.asked.count("/search") == 3


def test_a_lasting_fault_is_an_error(server: Server) -> None:
    serve_api(server, [])
    server.tell("/search", (503, b"busy"))
    with pytest.raises(CatalogError) as caught:
        _open(server.url).find("sentinel2", AREA)
    assert caught.value.slug == "server-error"
    assert server.asked.count("/search") == 10, "three times as often as one that never answered"


def _bad_pages(server: Server) -> dict[str, list[Any]]:
    a, b = make_item("a", assets=HREFS), make_item("b", assets=HREFS)
    more = make_page(server, [a], next_token="t")  # noqa: S106 - a page token
    return {
        "bad-page": [more, {"code": "InternalError", "description": "?sig=SECRET"}],
        "short-result": [make_page(server, [a], next_token="t", numberMatched=3), make_page(server, [b])],  # noqa: S106
        "endless-paging": [more],
        "not-json": [more, b"<html>"],
        "wrong-collection": [make_page(server, [make_item("c", collection="s1")])],
        "nothing-found": [make_page(server, [])],
    }


@pytest.mark.parametrize(
    "slug", ["bad-page", "short-result", "endless-paging", "not-json", "wrong-collection", "nothing-found"]
)
def test_every_wrong_answer_has_its_name(server: Server, slug: str) -> None:
    """Pitfall 4: an error body with status 200, a lost page or a link in a circle never shortens a result."""
    serve_api(server, _bad_pages(server)[slug])
    with pytest.raises(CatalogError) as caught:
        _open(server.url).find("sentinel2", AREA)
    assert caught.value.slug == slug
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    ("fates", "slug"),
    [
        (["none", "error"], "bad-page"),
        (["none", "fewer"], "short-result"),
        (["none", "unlinked"], "short-result"),
        ([503, "none", 429, 429, 504, "none", 500], None),
        (["none", *[503] * 12], "server-error"),
    ],
)
def test_a_real_server_whose_answers_are_spoiled(rustac: str, fates: list[Any], slug: str | None) -> None:
    """Pitfalls 4 and 6: five pages of five; all items, or an error by name, but never fewer items."""
    with stac.spoiling(rustac) as proxy:
        proxy.fates = list(fates)
        source = _open(proxy.url, page=5)
        if slug is None:
            assert len(source.find("sentinel2", AREA)) == 23
            assert proxy.answered == [*fates, "none", "none", "none"]
            return
        with pytest.raises(CatalogError) as caught:
            source.find("sentinel2", AREA)
        assert caught.value.slug == slug


def test_a_server_that_chokes_on_large_pages_is_asked_for_small_ones(rustac: str) -> None:
    """Earth Search answers 502 where a page is too large, whatever is tried; also in the middle of a result."""
    with stac.spoiling(rustac) as proxy:
        proxy.most = 10
        assert len(_open(proxy.url, page=100).find("sentinel2", AREA)) == 23
        assert proxy.answered == [502] * 4 + ["none"] * 3
    with stac.spoiling(rustac) as proxy:
        proxy.fates = ["none", *[502] * 4]
        assert len(_open(proxy.url, page=11).find("sentinel2", AREA)) == 23


def test_a_short_result_is_seen_in_the_older_words_too(server: Server) -> None:
    serve_api(server, [make_page(server, [make_item("a", assets=HREFS)], context={"matched": 2})])
    with pytest.raises(CatalogError, match="matched 2 items and delivered 1"):
        _open(server.url).find("sentinel2", AREA)


def test_a_count_that_is_capped_is_no_fault(server: Server) -> None:
    items = [make_item(name, assets=HREFS) for name in "ab"]
    serve_api(server, [make_page(server, items, numberMatched=1)])
    assert len(_open(server.url).find("sentinel2", AREA)) == 2


def test_an_empty_last_page_ends_the_search(server: Server) -> None:
    first = make_page(server, [make_item("a", assets=HREFS)], next_token="t")  # noqa: S106 - a page token
    serve_api(server, [first, make_page(server, [])])
    assert len(_open(server.url).find("sentinel2", AREA)) == 1


def test_a_missing_collection_is_told_with_those_that_exist(server: Server, rustac: str) -> None:
    serve_api(server, [], collections=("other", "another"))
    with pytest.raises(CatalogError, match="it has: another, other") as caught:
        _open(server.url).find("sentinel2", AREA)
    assert caught.value.slug == "collection-missing"
    with pytest.raises(CatalogError, match=f"it has: {S2}"):
        _open(rustac).find("dem", AREA)


def test_relative_hrefs_start_at_the_item(server: Server) -> None:
    link = {"rel": "self", "href": f"{server.url}/deep/item"}
    serve_api(server, [make_page(server, [make_item("a", links=[link])])])
    (granule,) = _open(server.url).find("sentinel2", AREA)
    assert granule.assets["B04"].href == f"{server.url}/deep/B04.tif"


def test_an_api_without_search(server: Server) -> None:
    serve_api(server, [])
    server.tell("/", (200, {"type": "Catalog", **VERSION, "id": "x", "description": "", "conformsTo": [], "links": []}))
    with pytest.raises(CatalogError) as caught:
        _open(server.url).find("sentinel2", AREA)
    assert caught.value.slug == "no-search"


@pytest.mark.parametrize(
    ("status", "slug"), [(404, "not-found"), (401, "refused"), (403, "refused"), (400, "server-error")]
)
def test_every_refusal_has_its_name(server: Server, status: int, slug: str) -> None:
    server.tell("/", (status, b"no"))
    with pytest.raises(CatalogError) as caught:
        _open(server.url + "/").check()
    assert caught.value.slug == slug
    assert caught.value.exit_code == 2


def test_nobody_answers() -> None:
    with pytest.raises(CatalogError) as caught:
        StacSource(make_definition(), "http://127.0.0.1:9/", retry=make_retry(total=0)).check()
    assert caught.value.slug == "unreachable"


def test_an_outage_of_minutes_in_a_search_is_outlasted() -> None:
    """Pitfall 6: pauses of a server that has answered before add up to more than ten minutes; of one that has not, to
    seconds, since its address may be wrong."""
    for first, least, most in ((True, 5, 30), (False, 600, 900)):
        retry = make_retry() if first else make_retry().patient()
        for error in (ConnectTimeoutError(), None):
            left, waited = retry, 0.0
            with contextlib.suppress(MaxRetryError):
                while True:
                    answer = None if error else HTTPResponse(status=503)
                    left = left.increment("GET", "/", response=answer, error=error)
                    waited += left.get_backoff_time()
            assert least < waited < most
    left, tries = make_retry().patient(), 0
    with contextlib.suppress(MaxRetryError):
        while True:
            left, tries = left.increment("GET", "/", response=HTTPResponse(status=500)), tries + 1
    assert tries == 6, "a page that is too large fails soon, and is asked for in pieces"
