"""The Earth Engine source: its collections are searched like catalogs, its images read like files."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import shapely

from rsprep.config import EarthEngine
from rsprep.errors import CatalogError
from rsprep.granule import Asset, Granule
from rsprep.reading.access import Access, ReadPolicy
from rsprep.sources.catalog_io import CatalogIO
from rsprep.sources.definition import Band, Sentinel2Product, SourceDefinition
from rsprep.sources.earthengine.images import as_item, band_asset, image_index, make_granule
from rsprep.sources.earthengine.limiter import Limiter
from rsprep.sources.earthengine.listing import Listing
from rsprep.sources.earthengine.login import earthengine, make_login
from rsprep.sources.earthengine.pixels import EarthEngineAccess
from rsprep.sources.epochs import nearest_year
from rsprep.sources.items import item_interval, wanted_bands
from rsprep.sources.searching import check_usable, is_yearly, may_be_absent, search_window, unite
from rsprep.sources.sieve import Sieve
from rsprep.sources.tiles import TileList

SCORE = "score"
"""Store name of the band that lies in a companion collection."""
_Found = tuple[dict[str, Any], dict[str, Any], shapely.Geometry]
"""Image as it is listed, its words as an item, and its footprint."""


class EarthEngineSource:
    """Collections of Earth Engine by the rules of a definition; a :class:`rsprep.sources.base.Source`.

    Opening it asks nothing of the service; the first search logs in.

    Parameters
    ----------
    definition : how the collections are coded.
    endpoint : address of the service.
    settings : project, credentials and limits.
    policy : how hard a search is tried.

    Raises
    ------
    ConfigError : the client is not installed, or the endpoint must not be given credentials.
    """

    def __init__(
        self,
        definition: SourceDefinition,
        endpoint: str,
        settings: EarthEngine,
        *,
        policy: ReadPolicy | None = None,
        page: int | None = None,
    ) -> None:
        earthengine()
        self.definition = definition
        self.settings = settings
        self.login = make_login(settings, endpoint)
        self.notes: list[str] = []
        """What whoever watches should know of the last search: images that were left out, and why."""
        options = {} if page is None else {"page": page}
        self._listing = Listing(
            login=self.login, limiter=self._limiter(None), policy=policy or ReadPolicy(attempts=6), **options
        )

    def find(
        self,
        product: str,
        area: shapely.Geometry,
        start: dt.datetime | None = None,
        end: dt.datetime | None = None,
        *,
        bands: Collection[str] | None = None,
    ) -> list[Granule]:
        """See :meth:`rsprep.sources.base.Source.find`; sorted by time, then id.

        An image whose cloud score is wanted and not there is left out, and named in :attr:`notes`.
        """
        rules = self.definition.product(product)
        check_usable(rules, self.definition.name)
        window = search_window(self.definition, rules, start, end)
        wanted = wanted_bands(self.definition, product, bands)
        sieve = Sieve(rules, area, *window, skip=self.definition.skip)
        found = self._sieved(sieve, self._listing.images(rules.collection, area, *window))
        if is_yearly(rules):
            found = nearest_year([(item_interval(one[1]), one) for one in found], start, end)
        scores = self._scores(rules, wanted, area, window) if found else None
        self.notes = []
        granules = self._granules(product, found, wanted, scores)
        if not granules and not may_be_absent(rules):
            raise self._nothing(sieve)
        return sorted(granules, key=lambda granule: (granule.datetime, granule.id))

    def tile_list(self) -> TileList | None:
        """See :meth:`rsprep.sources.base.Source.tile_list`; CatalogError ``tiles-untold`` where it is not told."""
        dem = self.definition.products.dem
        if dem is None or dem.absent.rule == "error":
            return None
        href, degrees = dem.absent.href, dem.absent.tile_degrees
        if href is None or isinstance(degrees, str):
            raise CatalogError(
                "tiles-untold",
                f"Earth Engine does not tell which tiles of {dem.collection} exist",
                remedy="give href and tile_degrees (a number) under absent in the definition",
            )
        text = CatalogIO(reach=self.definition.reach(href)).read_checked(href)
        return TileList.parse(text, tile_degrees=degrees, source=href, withheld=dem.absent.withheld)

    def access(self, policy: ReadPolicy, shared: Path | None = None) -> Access:
        """See :meth:`rsprep.sources.base.Source.access`."""
        limiter = self._limiter(shared)
        limiter.check()
        return EarthEngineAccess(self.login, limiter, policy)

    def check(self) -> str:
        """See :meth:`rsprep.sources.base.Source.check`."""
        names = self.definition.products.names()
        for name in names:
            self._listing.any_image(self.definition.product(name).collection)
        project = f"project {self.login.project}" if self.login.project else "the login's own project"
        return f"Earth Engine with {len(names)} collections, {project}"

    def _limiter(self, shared: Path | None) -> Limiter:
        return Limiter(
            folder=None if shared is None else shared / "earthengine",
            concurrent=self.settings.concurrent,
            per_second=self.settings.requests_per_second,
        )

    def _sieved(self, sieve: Sieve, images: Iterable[dict[str, Any]]) -> list[_Found]:
        found = []
        for image in images:
            item = as_item(image, sieve.rules.collection)
            footprint = sieve.keep(item)
            if footprint is not None:
                found.append((image, item, footprint))
        return found

    def _scores(
        self,
        rules: object,
        wanted: Mapping[str, Band],
        area: shapely.Geometry,
        window: tuple[dt.datetime | None, dt.datetime | None],
    ) -> dict[str, Asset] | None:
        """Index of an image to the band of its companion; None where no score is wanted."""
        if SCORE not in wanted or not isinstance(rules, Sentinel2Product) or rules.score is None:
            return None
        collection = rules.score.collection
        return {
            image_index(image): band_asset(image, as_item(image, collection), wanted[SCORE])
            for image in self._listing.images(collection, area, *window)
        }

    def _granules(
        self, product: str, found: Iterable[_Found], wanted: Mapping[str, Band], scores: Mapping[str, Asset] | None
    ) -> list[Granule]:
        own = {name: band for name, band in wanted.items() if scores is None or name != SCORE}
        granules: dict[str, Granule] = {}
        missing: set[str] = set()
        for image, item, footprint in found:
            more = {}
            if scores is not None:
                if item["id"] not in scores:
                    missing.add(item["id"])
                    continue
                more = {SCORE: scores[item["id"]]}
            granule = make_granule(
                image, item, footprint, definition=self.definition, product=product, bands=own, more=more
            )
            unite(granules, granule)
        if missing:
            shown = ", ".join(sorted(missing)[:5]) + (" and others" if len(missing) > 5 else "")
            self.notes.append(f"{len(missing)} images have no cloud score and are left out: {shown}")
        return list(granules.values())

    def _nothing(self, sieve: Sieve) -> CatalogError:
        if self.notes:
            return CatalogError(
                "no-cloud-score",
                f"none of the images can be used: {self.notes[0]}",
                value=self.login.url,
                remedy="use sentinel2.sky: scl, or another period",
            )
        return sieve.nothing_found(self.login.url)
