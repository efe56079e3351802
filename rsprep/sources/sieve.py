"""Which of the items that a catalog gives are meant: by place, property and time, with a count of what was left out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Any

import shapely

from rsprep.errors import CatalogError, ItemError
from rsprep.sources.footprints import read_footprint
from rsprep.sources.items import item_interval
from rsprep.sources.product_rules import Product
from rsprep.sources.properties import first_difference, in_stac_words


class Sieve:
    """Filters items and counts what each filter left.

    Parameters
    ----------
    rules : collection, and the properties that items must have.
    area : longitude and latitude.
    start, end : both included; None leaves that side open.
    skip : ids of items that are left out unread.
    """

    def __init__(
        self,
        rules: Product,
        area: shapely.Geometry,
        start: dt.datetime | None,
        end: dt.datetime | None,
        *,
        skip: Collection[str] = (),
    ) -> None:
        self.rules = rules
        self.area = area
        self.start = start
        self.end = end
        self.skip = skip
        self._seen: set[str] = set()
        self._skipped: set[str] = set()
        self._inside: set[str] = set()
        self._different: dict[str, str] = {}
        self._other_times: list[dt.datetime] = []

    def keep(self, item: dict[str, Any]) -> shapely.Geometry | None:
        """Footprint of an item that passes; None for one that does not.

        Raises
        ------
        CatalogError : ``wrong-collection``. ItemError : the item is none, or its footprint or time is wrong.
        """
        if item.get("id") in self.skip:
            self._skipped.add(str(item["id"]))
            return None
        name = self._check(item)
        self._seen.add(name)
        footprint = read_footprint(item)
        if not footprint.intersects(self.area):
            return None
        self._inside.add(name)
        difference = first_difference(in_stac_words(item["properties"], self.rules), self.rules)
        if difference is not None:
            self._different[name] = difference
            return None
        first, last = item_interval(item)
        start, end = self.start, self.end
        ended = start is not None and (last < start or first < last == start)  # a year ends where the next begins
        if ended or (end is not None and first > end):
            self._other_times.append(first)
            return None
        return footprint

    def _check(self, item: dict[str, Any]) -> str:
        name, collection = item.get("id"), self.rules.collection
        if not isinstance(name, str) or not name:
            raise ItemError(
                "no-id", f"an item of {collection} has no id", value=name, remedy="give every item an id of its own"
            )
        for key in ("properties", "assets"):
            if not isinstance(item.get(key), dict):
                raise ItemError(
                    "malformed", f"item {name} has no {key}", value=item.get(key), remedy="it is no STAC item"
                )
        if item.get("collection") not in (None, collection):
            raise CatalogError(
                "wrong-collection",
                f"item {name} of another collection came up in {collection}",
                value=item.get("collection"),
                remedy="the server ignores the collections of a search; it cannot be used",
            )
        return name

    def nothing_found(self, where: str) -> CatalogError:
        """The error that tells at which filter the items were lost."""
        counts = f"{self.rules.collection}: {len(self._seen)} items found, {len(self._inside)} of them meet the AOI"
        remedy = "check --aoi, --start and --end"
        if self._skipped:
            counts = f"{counts}, {len(self._skipped)} others were left out by skip in the source definition"
        if self._different:
            wanted = ", ".join(f"{key}: {value}" for key, value in self.rules.where.items())
            counts += f", {len(self._different)} of these are not as the source definition wants them ({wanted})"
            remedy = f"they have {'; '.join(sorted(set(self._different.values()))[:3])}"
        if self._other_times:
            counts += f", {'the others are not' if self._different else 'none of these is'} in the period"
            dates = sorted(moment.date() for moment in self._other_times)
            remedy = f"there are items from {dates[0]} to {dates[-1]}; check --start and --end"
        return CatalogError("nothing-found", counts, value=where, remedy=remedy)
