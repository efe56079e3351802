"""Lists of images: which ones a collection has over an area and within a time, page by page."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import shapely
from shapely.geometry import mapping

from rsprep.errors import CatalogError
from rsprep.reading.access import ReadPolicy
from rsprep.sources.earthengine.faults import Fault
from rsprep.sources.earthengine.limiter import Limiter
from rsprep.sources.earthengine.login import Login
from rsprep.sources.earthengine.session import ask

PAGE = 500
MAX_PAGES = 2000
MARGIN_DEGREES = 0.02
EDGE_DEGREES = 0.5
SLACK = dt.timedelta(days=1)
"""The service compares the end of an image with the end of the window; what is too much is left out afterwards."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Asks for lists of images."""

    login: Login
    limiter: Limiter
    policy: ReadPolicy
    page: int = PAGE

    def images(
        self, collection: str, area: shapely.Geometry, start: dt.datetime | None, end: dt.datetime | None
    ) -> Iterator[dict[str, Any]]:
        """Every image over the boxes around the parts of `area`; one that meets two of them comes twice.

        Raises
        ------
        CatalogError : ``collection-gone``, ``search-refused``, ``no-answer``, ``bad-listing`` or ``endless-listing``.
        ConfigError : login, project or permission.
        """
        for part in shapely.get_parts(area):
            yield from self._pages(collection, " AND ".join([*_times(start, end), _place(part)]))

    def any_image(self, collection: str) -> bool:
        """Whether the collection is there and has an image; raises as :meth:`images` does."""
        return bool(self._ask(collection, {"pageSize": 1}).get("assets"))

    def _pages(self, collection: str, words: str) -> Iterator[dict[str, Any]]:
        request: dict[str, Any] = {"pageSize": self.page, "filter": words}
        asked: set[str] = set()
        for _ in range(MAX_PAGES):
            page = self._ask(collection, request)
            yield from page.get("assets", [])
            token = page.get("nextPageToken")
            if not token:
                return
            if token in asked:
                break
            asked.add(token)
            request = {**request, "pageToken": token}
        raise CatalogError(
            "endless-listing", "the pages of the list of images never end", value=collection,
            remedy="narrow the AOI or the period",
        )  # fmt: skip

    def _ask(self, collection: str, request: dict[str, Any]) -> dict[str, Any]:
        def one_page(ee: Any) -> Any:
            return ee.data.listAssets({"parent": collection, "view": "FULL", **request})

        try:
            page = ask(self.login, one_page, limiter=self.limiter, policy=self.policy)
        except Fault as fault:
            raise fault.as_catalog_error(collection) from None
        images = page.get("assets", []) if isinstance(page, dict) else None
        if not isinstance(images, list) or not all(isinstance(image, dict) for image in images):
            raise CatalogError(
                "bad-listing", "the list of images is none", value=f"{collection}: {str(page)[:80]}",
                remedy="the service failed without saying so; try again later",
            )  # fmt: skip
        return {"assets": images, "nextPageToken": page.get("nextPageToken")}


def _times(start: dt.datetime | None, end: dt.datetime | None) -> list[str]:
    words = []
    if start is not None:
        words.append(f'startTime >= "{_stamp(start - SLACK)}"')
    if end is not None:
        words.append(f'endTime < "{_stamp(end + SLACK)}"')
    return words


def _stamp(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _place(part: shapely.Geometry) -> str:
    """The box around `part`, as the service's filter language writes it.

    The service joins corners by great circles, which leave a parallel towards the pole: over a wide box the
    southern edge (in the north) would cut off kilometres. Points along the edges keep it in place.
    """
    west, south, east, north = part.bounds
    wide = shapely.box(
        max(-180.0, west - MARGIN_DEGREES), max(-90.0, south - MARGIN_DEGREES),
        min(180.0, east + MARGIN_DEGREES), min(90.0, north + MARGIN_DEGREES),
    )  # fmt: skip
    outline = shapely.set_precision(shapely.segmentize(wide, EDGE_DEGREES), 1e-6, mode="pointwise")
    # Double quotes end the argument, so that those of GeoJSON become single ones.
    words = json.dumps(mapping(outline)).replace('"', "'")
    return f'intersects("{words}")'
