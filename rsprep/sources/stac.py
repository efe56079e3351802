"""The STAC source: static catalogs and STAC APIs, read alike."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import shapely
from pystac.utils import make_absolute_href
from urllib3.util.retry import Retry

from rsprep.config import EarthEngine
from rsprep.errors import CatalogError
from rsprep.granule import Granule
from rsprep.reading.access import Access, ReadPolicy
from rsprep.reading.files import FileAccess
from rsprep.sources.api import ApiCatalog
from rsprep.sources.base import Source
from rsprep.sources.catalog_io import CatalogIO, check_stac, is_url
from rsprep.sources.definition import SourceDefinition
from rsprep.sources.epochs import nearest_year
from rsprep.sources.items import item_interval, make_granule, wanted_bands
from rsprep.sources.searching import check_usable, is_yearly, may_be_absent, search_window, unite
from rsprep.sources.sieve import Sieve
from rsprep.sources.signing import make_signer
from rsprep.sources.static import StaticCatalog, linked
from rsprep.sources.tiles import TileList

_Found = tuple[str, dict[str, Any], shapely.Geometry]
"""Address, document and footprint of an item."""


def open_source(definition: SourceDefinition, endpoint: str, login: EarthEngine) -> Source:
    """What :func:`rsprep.sources.base.open_source` calls for definitions of kind ``stac``."""
    return StacSource(definition, endpoint)


class StacSource:
    """A catalog read by the rules of a definition; a :class:`rsprep.sources.base.Source`.

    Opening it reads nothing: a build that is resumed needs no catalog. Meant to be asked once a product for the whole
    area of interest: a static catalog is read anew each time.

    Parameters
    ----------
    definition : how the provider codes its products.
    endpoint : STAC API, ``catalog.json`` or its folder.
    retry : policy for passing faults of a server; default :func:`rsprep.sources.http.make_retry`.
    page : items a page of a search.
    """

    def __init__(
        self, definition: SourceDefinition, endpoint: str, *, retry: Retry | None = None, page: int | None = None
    ) -> None:
        self.definition = definition
        self.notes: list[str] = []
        self.endpoint = _root_href(endpoint)
        self._reach = definition.reach(self.endpoint)
        self._io = CatalogIO(retry, reach=self._reach)
        self._options = {} if page is None else {"page": page}
        self._opened: StaticCatalog | ApiCatalog | None = None

    @property
    def _catalog(self) -> StaticCatalog | ApiCatalog:
        """Raises CatalogError where the root document cannot be read or is no STAC catalog."""
        # No cached_property: before Python 3.12 it holds one lock for all sources, and a silent one silences the rest.
        if self._opened is None:
            root = self._io.read_document(self.endpoint)
            check_stac(root, self.endpoint, kinds=("Catalog", "Collection"))
            if _is_api(root):
                self._opened = ApiCatalog(self._io, self.endpoint, root, **self._options)
            else:
                self._opened = StaticCatalog(self._io, self.endpoint, root)
        return self._opened

    def find(
        self,
        product: str,
        area: shapely.Geometry,
        start: dt.datetime | None = None,
        end: dt.datetime | None = None,
        *,
        bands: Collection[str] | None = None,
    ) -> list[Granule]:
        """See :meth:`rsprep.sources.base.Source.find`; sorted by time, then id."""
        rules = self.definition.product(product)
        check_usable(rules, self.definition.name)
        window = search_window(self.definition, rules, start, end)
        wanted = wanted_bands(self.definition, product, bands)
        sieve = Sieve(rules, area, *window, skip=self.definition.skip)
        found: list[_Found] = []
        for href, item in self._candidates(rules.collection, area, *window):
            footprint = sieve.keep(item)
            if footprint is not None:
                found.append((href, item, footprint))
        if is_yearly(rules):
            found = nearest_year([(item_interval(one[1]), one) for one in found], start, end)
        granules: dict[str, Granule] = {}
        for href, item, footprint in found:
            granule = make_granule(item, href, footprint, definition=self.definition, product=product, bands=wanted)
            for asset in granule.assets.values():
                self._reach.check(asset.href)
            unite(granules, granule)
        if not granules and not may_be_absent(rules):
            raise sieve.nothing_found(self.endpoint)
        return sorted(granules.values(), key=lambda granule: (granule.datetime, granule.id))

    def tile_list(self) -> TileList | None:
        """See :meth:`rsprep.sources.base.Source.tile_list`; CatalogError ``no-tile-list`` where it is not told."""
        dem = self.definition.products.dem
        if dem is None or dem.absent.rule == "error":
            return None
        href, told = dem.absent.href, dem.absent.tile_degrees
        degrees = None if isinstance(told, str) else told
        if href is None or isinstance(told, str):
            where, document = self._catalog.collection(dem.collection)
            href = href or next(iter(linked(document, where, "tile-list")), None)
            degrees = _summary(document, told) if isinstance(told, str) else told
        if href is None or degrees is None:
            raise CatalogError(
                "no-tile-list",
                f"collection {dem.collection} does not tell which DEM tiles exist, or how large they are",
                value=self.endpoint,
                remedy="give href and tile_degrees under absent in the definition; sea cannot be told from a gap",
            )
        href = make_absolute_href(href, self.endpoint)
        text = self._io.read_checked(href)
        return TileList.parse(text, tile_degrees=degrees, source=href, withheld=dem.absent.withheld)

    def access(self, policy: ReadPolicy, shared: Path | None = None) -> Access:
        """See :meth:`rsprep.sources.base.Source.access`."""
        del shared  # servers of files set no limit that workers would have to keep together
        return FileAccess(make_signer(self.definition.signing), policy, self._reach)

    def check(self) -> str:
        """See :meth:`rsprep.sources.base.Source.check`."""
        names = self.definition.products.names()
        for name in names:
            self._catalog.collection(self.definition.product(name).collection)
        kind = "STAC API" if isinstance(self._catalog, ApiCatalog) else "static catalog"
        return f"{kind} with {len(names)} collections"

    def _candidates(
        self, collection: str, area: shapely.Geometry, start: dt.datetime | None, end: dt.datetime | None
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        if isinstance(self._catalog, ApiCatalog):
            return self._catalog.search(collection, area, start, end)
        return self._catalog.items(collection)


def _summary(collection: dict[str, Any], key: str) -> float | None:
    """The one number that a collection's summaries give under `key`."""
    values = (collection.get("summaries") or {}).get(key)
    return float(values[0]) if isinstance(values, list) and len(values) == 1 and values[0] > 0 else None


def _root_href(endpoint: str) -> str:
    if is_url(endpoint):
        return endpoint
    path = Path(endpoint)
    return str((path / "catalog.json" if path.is_dir() else path).absolute())


def _is_api(root: dict[str, Any]) -> bool:
    links = root.get("links") or []
    return "conformsTo" in root or any(isinstance(link, dict) and link.get("rel") == "search" for link in links)
