"""STAC APIs: search by area and time, page by page."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import shapely
from pystac.utils import make_absolute_href
from pystac_client.item_search import ItemSearch
from shapely.geometry import mapping

from rsprep.errors import CatalogError
from rsprep.sources.catalog_io import CatalogIO, check_stac
from rsprep.sources.static import collection_missing

PAGE = 100
"""Items a page; providers cap it lower on their own."""
SMALL_PAGE = 10
"""Items a page where a server fails at :data:`PAGE`: an item weighs up to 40 kB, and an answer that is too large for
the machinery behind it (6 MB on AWS Lambda) comes as 500 or 502 and not as a word about its size."""
MAX_VERTICES = 400
"""Outlines with more vertices are searched by their box (requests have a size limit) and filtered afterwards."""

_LATEST = dt.datetime(9999, 12, 31, tzinfo=dt.UTC)


class ApiCatalog:
    """The search endpoint of a STAC API.

    Parameters
    ----------
    io : makes the requests.
    href : address of the landing page.
    root : the landing page, already read.
    """

    def __init__(self, io: CatalogIO, href: str, root: dict[str, Any], *, page: int = PAGE) -> None:
        self.io = io
        self.href = href
        self._page = page
        self._links = [link for link in root.get("links") or [] if isinstance(link, dict)]

    def search(
        self, collection: str, area: shapely.Geometry, start: dt.datetime | None, end: dt.datetime | None
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Address and document of the items that the server finds, part by part of `area`.

        An item that meets two parts, or that came before the server failed, comes twice. Raises CatalogError.
        """
        self.collection(collection)  # a search in one that is missing finds nothing, without a word
        for part in shapely.get_parts(area):
            try:
                yield from self._pages(part, collection, start, end, self._page)
            except CatalogError as error:
                if error.slug != "server-error" or self._page <= SMALL_PAGE:
                    raise
                yield from self._pages(part, collection, start, end, SMALL_PAGE)

    def _pages(
        self,
        part: shapely.Geometry,
        collection: str,
        start: dt.datetime | None,
        end: dt.datetime | None,
        limit: int,
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        address, method = self._search_link()
        search = ItemSearch(
            url=address,
            method=method,
            limit=limit,
            collections=[collection],
            datetime=_interval(start, end),
            stac_io=self.io,
            **_region(part),
        )
        for page in search.pages_as_dicts():
            for item in page["features"]:
                yield _self_href(item, self.href), item

    def _search_link(self) -> tuple[str, str]:
        links = [link for link in self._links if link.get("rel") == "search" and isinstance(link.get("href"), str)]
        if not links:
            raise CatalogError(
                "no-search", "the API offers no item search", value=self.href, remedy="rsprep needs /search"
            )
        best = next((link for link in links if link.get("method") == "POST"), links[0])
        return make_absolute_href(best["href"], self.href), best.get("method", "GET")

    def collection(self, name: str) -> tuple[str, dict[str, Any]]:
        """Address and document of a collection; raises CatalogError ``collection-missing``."""
        base = self.href.rstrip("/")
        address = f"{base}/collections/{name}"
        try:
            document = self.io.read_document(address)
        except CatalogError as error:
            if error.slug != "not-found":
                raise
            known = self.io.read_document(f"{base}/collections").get("collections", [])
            raise collection_missing(name, self.href, [str(entry.get("id")) for entry in known]) from None
        check_stac(document, address, kinds=("Collection",))
        return address, document


def _region(part: shapely.Geometry) -> dict[str, Any]:
    if shapely.get_num_coordinates(part) > MAX_VERTICES:
        return {"bbox": list(part.bounds)}
    return {"intersects": mapping(part)}


def _interval(start: dt.datetime | None, end: dt.datetime | None) -> list[dt.datetime | str | None] | None:
    """Window in whole seconds around the one asked for; fractions are settled when items are filtered."""
    if start is None and end is None:
        return None
    first = None if start is None else start.astimezone(dt.UTC).replace(microsecond=0)
    last = (
        None if end is None else min(end.astimezone(dt.UTC), _LATEST).replace(microsecond=0) + dt.timedelta(seconds=1)
    )
    return [first, last]


def _self_href(item: dict[str, Any], root: str) -> str:
    """Address of an item: what its relative hrefs are relative to; empty where it does not tell."""
    for link in item.get("links") or []:
        if isinstance(link, dict) and link.get("rel") == "self" and isinstance(link.get("href"), str):
            return make_absolute_href(link["href"], root)
    return ""
