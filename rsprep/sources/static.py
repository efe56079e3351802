"""Static STAC catalogs: files that link to one another, on disk or on a web server."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pystac.utils import make_absolute_href

from rsprep.errors import CatalogError
from rsprep.sources.catalog_io import CatalogIO, check_stac, is_url
from rsprep.sources.signing import redact

CONCURRENT = 8
"""Items read at a time from a web server; files on disk are read one by one."""


class StaticCatalog:
    """A tree of catalogs and collections below one root document.

    Parameters
    ----------
    io : reads the documents.
    href : where the root is.
    root : the root document, already read.
    """

    def __init__(self, io: CatalogIO, href: str, root: dict[str, Any]) -> None:
        self.io = io
        self.href = href
        self._root = root
        self._collections: dict[str, tuple[str, dict[str, Any]]] | None = None

    def collections(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """Collection id to address and document; the tree is walked once, and not below its collections."""
        if self._collections is None:
            found: dict[str, tuple[str, dict[str, Any]]] = {}
            for href, document in self._walk(self.href, self._root):
                if document["type"] == "Collection":
                    found[str(document.get("id"))] = (href, document)
            self._collections = found
        return self._collections

    def collection(self, name: str) -> tuple[str, dict[str, Any]]:
        """Address and document of a collection; raises CatalogError ``collection-missing``."""
        known = self.collections()
        if name not in known:
            raise collection_missing(name, self.href, list(known))
        return known[name]

    def items(self, collection: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Address and document of every item of `collection`; other collections are left alone.

        Raises
        ------
        CatalogError : ``collection-missing``, or what reading a document raises.
        """
        href, document = self.collection(collection)
        hrefs: dict[str, None] = {}  # a set that keeps its order
        for place, node in self._walk(href, document, below_collections=True):
            hrefs.update(dict.fromkeys(linked(node, place, "item")))
        if is_url(self.href):
            with ThreadPoolExecutor(CONCURRENT) as pool:
                yield from pool.map(self._read_item, hrefs)
        else:
            yield from map(self._read_item, hrefs)

    def _read_item(self, href: str) -> tuple[str, dict[str, Any]]:
        item = self.io.read_document(href)
        check_stac(item, href, kinds=("Feature",))
        return href, item

    def _walk(
        self, href: str, document: dict[str, Any], *, below_collections: bool = False
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        queue, seen = [(href, document)], {href}
        while queue:
            place, node = queue.pop(0)
            yield place, node
            if node["type"] == "Collection" and not below_collections:
                continue
            for child in linked(node, place, "child"):
                if child not in seen:
                    seen.add(child)
                    content = self.io.read_document(child)
                    check_stac(content, child, kinds=("Catalog", "Collection"))
                    queue.append((child, content))


def collection_missing(collection: str, where: str, known: list[str]) -> CatalogError:
    """The error for a catalog that lacks a collection, telling which ones it has."""
    return CatalogError(
        "collection-missing",
        f"the catalog has no collection {collection!r}",
        value=where,
        remedy=f"it has: {', '.join(sorted(known)) or 'none'}; is this the right --source for it?",
    )


def linked(document: dict[str, Any], href: str, rel: str) -> list[str]:
    """Absolute addresses that `document`, found at `href`, links to by `rel`."""
    links = document.get("links")
    return [
        _absolute(link["href"], href)
        for link in (links if isinstance(links, list) else [])
        if isinstance(link, dict) and link.get("rel") == rel and isinstance(link.get("href"), str)
    ]


def _absolute(link: str, href: str) -> str:
    try:
        return make_absolute_href(link, href)
    except ValueError:  # such as a bracket without its other half
        raise CatalogError(
            "bad-link", "the document links to what is no address", value=redact(link), remedy=f"correct it in {href}"
        ) from None
