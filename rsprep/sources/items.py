"""STAC items become granules: assets under the store's names, properties that the product rules read, checks."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import shapely
from pystac.utils import make_absolute_href

from rsprep.errors import CatalogError, ItemError
from rsprep.granule import Asset, Granule
from rsprep.sources.definition import Band, Product, Sentinel1Product, Sentinel2Product, SourceDefinition
from rsprep.sources.projection import check_place, read_grid
from rsprep.sources.signing import redact, strip_signature

KEPT = (
    "platform",
    "created",
    "updated",
    "start_datetime",
    "end_datetime",
    "eo:cloud_cover",
    "s2:product_uri",
    "s2:datatake_id",
    "s2:generation_time",
    "sat:orbit_state",
    "sat:relative_orbit",
    "sat:absolute_orbit",
)
"""Item properties that granules carry besides those which the definition names: dates, provenance, cloud, orbit."""

_BASELINE = re.compile(r"^\d{1,2}\.\d{1,2}$")


def wanted_bands(definition: SourceDefinition, product: str, names: Collection[str] | None) -> dict[str, Band]:
    """The bands asked for, in the definition's order; raises CatalogError ``band-not-offered``."""
    table = definition.product(product).bands()
    if names is None:
        return table
    missing = [name for name in names if name not in table]
    if missing:
        raise CatalogError(
            "band-not-offered",
            f"source {definition.name} has no {missing[0]} in {product}",
            value=missing[0],
            remedy=f"it has: {', '.join(table)}",
        )
    return {name: band for name, band in table.items() if name in names}


def make_granule(
    item: Mapping[str, Any],
    href: str,
    footprint: shapely.Geometry,
    *,
    definition: SourceDefinition,
    product: str,
    bands: Mapping[str, Band],
) -> Granule:
    """Translate one item.

    Parameters
    ----------
    item : the document.
    href : where it was found; its relative hrefs start there. Empty where unknown.
    footprint : see :func:`rsprep.sources.footprints.read_footprint`.
    bands : store name to band, see :func:`wanted_bands`.

    Raises
    ------
    ItemError : whatever in the item contradicts the definition or itself; the slug tells what.
    """
    rules = definition.product(product)
    properties = item.get("properties") or {}
    check_properties(str(item["id"]), properties, rules)
    assets = {name: _asset(item, href, band, definition) for name, band in bands.items()}
    check_place(str(item["id"]), footprint, [asset.grid for asset in assets.values() if asset.grid is not None])
    kept = {*KEPT, *_named_properties(rules)}
    return Granule(
        id=str(item["id"]),
        product=product,
        collection=rules.collection,
        datetime=item_interval(item)[0],
        footprint=footprint,
        assets=assets,
        properties={key: properties[key] for key in sorted(kept) if properties.get(key) is not None},
    )


def item_interval(item: Mapping[str, Any]) -> tuple[dt.datetime, dt.datetime]:
    """First and last moment of an item in UTC; the same moment twice where it has only ``datetime``.

    Raises
    ------
    ItemError : ``no-datetime``, ``bad-datetime`` or ``naive-datetime``.
    """
    name, properties = item.get("id"), item.get("properties") or {}
    keys = ("start_datetime", "end_datetime")
    if all(properties.get(key) is not None for key in keys):
        start, end = (_moment(name, properties[key]) for key in keys)
        return start, end
    if properties.get("datetime") is None:
        raise ItemError(
            "no-datetime",
            f"item {name} has neither datetime nor start_datetime and end_datetime",
            remedy="it cannot be placed in time",
        )
    moment = _moment(name, properties["datetime"])
    return moment, moment


def _moment(name: object, text: object) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        raise ItemError("bad-datetime", f"item {name} has a time that cannot be read", value=text) from None
    if moment.tzinfo is None:
        raise ItemError(
            "naive-datetime",
            f"the time of item {name} has no zone",
            value=text,
            remedy="STAC times end in Z or an offset; local time would shift the acquisition",
        )
    return moment.astimezone(dt.UTC)


def _named_properties(rules: Product) -> list[str]:
    if isinstance(rules, Sentinel2Product):
        named = [rules.tile, rules.baseline, rules.offset_applied]
    elif isinstance(rules, Sentinel1Product):
        named = [rules.orbit]
    else:
        named = []
    return [key for key in named if isinstance(key, str)]


def check_properties(name: str, properties: Mapping[str, Any], rules: Product) -> None:
    """Check what the product rules will decide by, here, where the item can still be named.

    Raises
    ------
    ItemError : ``bad-offset-flag``, ``unknown-baseline`` or ``orbit-unknown``.
    """
    if isinstance(rules, Sentinel2Product):
        _check_offset(name, properties, rules)
    if isinstance(rules, Sentinel1Product) and rules.orbit is not None:
        orbit = properties.get(rules.orbit)
        if orbit not in ("ascending", "descending"):
            raise ItemError(
                "orbit-unknown",
                f"item {name} does not tell one orbit direction ({rules.orbit})",
                value=orbit,
                remedy="ascending and descending must not be mixed; set orbit: null in the definition to accept this",
            )


def _check_offset(name: str, properties: Mapping[str, Any], rules: Sentinel2Product) -> None:
    """The offset is decided by baseline AND by what the provider removed; never by date."""
    applied = rules.offset_applied
    if isinstance(applied, str):
        applied = properties.get(applied)
        if applied is not None and not isinstance(applied, bool):
            raise ItemError(
                "bad-offset-flag",
                f"item {name}: {rules.offset_applied} is neither true nor false",
                value=applied,
                remedy="without it the offset would be removed twice or not at all",
            )
    baseline = None if rules.baseline is None else properties.get(rules.baseline)
    if applied is not True and (not isinstance(baseline, str) or not _BASELINE.match(baseline)):
        raise ItemError(
            "unknown-baseline",
            f"item {name} does not tell its processing baseline, nor that the offset is removed",
            value=baseline,
            remedy=f"expected {rules.baseline} such as '04.00'; without it −1000 cannot be decided",
        )


def _asset(item: Mapping[str, Any], href: str, band: Band, definition: SourceDefinition) -> Asset:
    name, assets = item["id"], item.get("assets") or {}
    asset = assets.get(band.asset)
    if not isinstance(asset, dict) or not isinstance(asset.get("href"), str) or not asset["href"]:
        raise ItemError(
            "missing-asset",
            f"item {name} lacks the asset {band.asset!r}",
            value=f"it has: {', '.join(sorted(assets)) or 'none'}",
            remedy="the definition's asset names may not fit this catalog; a gap is never filled in silence",
        )
    _check_declared(name, asset, band)
    size, checksum = asset.get("file:size"), asset.get("file:checksum")
    return Asset(
        href=_resolve(name, asset["href"], href, definition),
        band=band.number,
        grid=read_grid(item, asset, band.asset),
        size=size if isinstance(size, int) else None,
        checksum=checksum if isinstance(checksum, str) else None,
    )


def _check_declared(name: object, asset: Mapping[str, Any], band: Band) -> None:
    """Compare the item's own words about its numbers with the definition, where it has any."""
    declared = asset.get("raster:bands") or asset.get("bands")
    if not isinstance(declared, list):
        return
    if len(declared) < band.number:
        raise ItemError(
            "missing-band",
            f"asset {band.asset!r} of item {name} has {len(declared)} bands, number {band.number} is wanted",
            remedy="the definition's band numbers do not fit this catalog",
        )
    words = {**asset, **declared[band.number - 1]}
    dtype, nodata = words.get("data_type"), words.get("nodata")
    if isinstance(dtype, str) and dtype != band.dtype:
        raise ItemError(
            "dtype-differs",
            f"asset {band.asset!r} of item {name} is {dtype}, the definition says {band.dtype}",
            value=dtype,
            remedy="correct the definition",
        )
    if isinstance(nodata, (int, float)) and band.nodata is not None and nodata != band.nodata and nodata == nodata:
        raise ItemError(
            "nodata-differs",
            f"asset {band.asset!r} of item {name} has nodata {nodata}, the definition says {band.nodata}",
            value=nodata,
            remedy="correct the definition: one of the two would turn gaps into measurements",
        )


def _resolve(name: object, href: str, base: str, definition: SourceDefinition) -> str:
    """Absolute path or http address, unsigned."""
    for prefix, replacement in definition.rewrite.items():
        if href.startswith(prefix):
            href = replacement + href.removeprefix(prefix)
    if urlsplit(href).scheme == "" and not Path(href).is_absolute():
        if not base:
            raise ItemError(
                "relative-href",
                f"item {name} has a relative href but does not tell where it lies itself",
                value=href,
                remedy="items from an API need absolute hrefs or a self link",
            )
        href = make_absolute_href(href, base)
    parts = urlsplit(href)
    if parts.scheme == "file":
        return unquote(parts.path)
    if parts.scheme not in ("", "http", "https"):
        raise ItemError(
            "unreadable-href",
            f"item {name} has an href that cannot be read",
            value=redact(href),
            remedy="paths, http and https are read; map a bucket to https under rewrite in the definition",
        )
    return strip_signature(href) if definition.signing == "planetary-computer" else href
