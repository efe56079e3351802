"""What every search holds to: products that can be used, times with a zone, ids that are unique."""

from __future__ import annotations

import datetime as dt

from rsprep.errors import CatalogError, ItemError, TimeError
from rsprep.granule import Granule
from rsprep.sources.definition import SourceDefinition
from rsprep.sources.product_rules import DemProduct, LandCoverProduct, Product, Sentinel1Product


def check_usable(rules: Product, source: str) -> None:
    """Raise CatalogError ``grd-unsupported`` for backscatter in the geometry of the radar."""
    if isinstance(rules, Sentinel1Product) and rules.kind == "grd":
        raise CatalogError(
            "grd-unsupported",
            f"Sentinel-1 of {source} is ground range detected: not calibrated, not terrain corrected",
            value=rules.collection,
            remedy="take sentinel-1-rtc from another source, or leave out the layer s1",
        )


Window = tuple[dt.datetime | None, dt.datetime | None]


def search_window(
    definition: SourceDefinition, rules: Product, start: dt.datetime | None, end: dt.datetime | None
) -> Window:
    """What of a time window is searched: nothing of it for relief, nor for maps of whole years.

    Raises
    ------
    TimeError : ``naive`` for a moment without a zone, ``missing`` where a source needs both ends.
    """
    if isinstance(rules, DemProduct):
        return None, None  # relief has no season: a tile's date says when it was published
    _check_window(start, end, needed=definition.needs_period)
    return (None, None) if is_yearly(rules) else (start, end)


def is_yearly(rules: Product) -> bool:
    """Whether a product is a map of whole years, of which the one nearest to the window is taken."""
    return isinstance(rules, LandCoverProduct) and rules.epoch == "nearest"


def may_be_absent(rules: Product) -> bool:
    """Whether finding nothing may be the truth: relief whose list of tiles tells sea from gaps."""
    return isinstance(rules, DemProduct) and rules.absent.rule == "tile-list"


def _check_window(start: dt.datetime | None, end: dt.datetime | None, *, needed: bool) -> None:
    for moment in (start, end):
        if moment is not None and moment.tzinfo is None:
            raise TimeError(
                "naive", "the time has no zone", value=moment.isoformat(), remedy="add Z for UTC: 2021-06-01T10:00:00Z"
            )
    if needed and (start is None or end is None):
        raise TimeError("missing", "this source needs a period", remedy="give --start and --end")


def unite(granules: dict[str, Granule], granule: Granule) -> None:
    """Add `granule` under its id, unless it is there already; ItemError ``duplicate-id`` for another of that id."""
    known = granules.setdefault(granule.id, granule)
    if known is not granule and known.to_json() != granule.to_json():
        raise ItemError(
            "duplicate-id",
            f"two items of {granule.collection} share an id and differ",
            value=granule.id,
            remedy="ids are unique in a collection; which of the two is meant cannot be told",
        )
