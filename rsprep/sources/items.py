"""STAC items become granules: assets under the store's names, properties that the product rules read, checks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import shapely
from pystac.utils import make_absolute_href

from rsprep.errors import CatalogError, ItemError
from rsprep.granule import Asset, Granule
from rsprep.sources.definition import Band, SourceDefinition
from rsprep.sources.projection import check_place, read_grid
from rsprep.sources.properties import check_properties, in_stac_words, kept_properties
from rsprep.sources.signing import redact, strip_signature


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
    item : the document; its id, properties and assets are of the right kinds.
    href : where it was found; its relative hrefs start there. Empty where unknown.
    footprint : see :func:`rsprep.sources.footprints.read_footprint`.
    bands : store name to band, see :func:`wanted_bands`.

    Raises
    ------
    ItemError : whatever in the item contradicts the definition or itself; the slug tells what.
    """
    rules = definition.product(product)
    properties = in_stac_words(item["properties"], rules)
    check_properties(str(item["id"]), properties, rules, _declared_offset(item, bands))
    assets = {name: _asset(item, href, band, definition) for name, band in bands.items()}
    check_place(str(item["id"]), footprint, [asset.grid for asset in assets.values() if asset.grid is not None])
    return Granule(
        id=str(item["id"]),
        product=product,
        source=definition.name,
        collection=rules.collection,
        datetime=item_interval(item)[0],
        footprint=footprint,
        assets=assets,
        properties=kept_properties(properties, rules),
    )


def item_interval(item: Mapping[str, Any]) -> tuple[dt.datetime, dt.datetime]:
    """First and last moment of an item in UTC; the same moment twice where it has only ``datetime``.

    Raises
    ------
    ItemError : ``no-datetime``, ``bad-datetime`` or ``naive-datetime``.
    """
    name, properties = item["id"], item["properties"]
    keys = ("start_datetime", "end_datetime")
    if all(properties.get(key) is not None for key in keys):
        start, end = (_moment(name, properties[key]) for key in keys)
        if start > end:
            raise ItemError(
                "interval-reversed",
                f"item {name} ends before it starts",
                value=f"{properties[keys[0]]} .. {properties[keys[1]]}",
                remedy="correct its start_datetime and end_datetime, or name it under skip in the definition",
            )
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
        moment = dt.datetime.fromisoformat(text.replace("Z", "+00:00")) if isinstance(text, str) else None
        if moment is not None and moment.tzinfo is not None:
            moment = moment.astimezone(dt.UTC)
    except (ValueError, OverflowError):  # the latter: in UTC it would lie before the first day, or after the last
        moment = None
    if moment is None:
        raise ItemError(
            "bad-datetime",
            f"item {name} has a time that cannot be read",
            value=text,
            remedy="STAC times are RFC 3339, as 2021-06-01T10:00:00Z",
        )
    if moment.tzinfo is None:
        raise ItemError(
            "naive-datetime",
            f"the time of item {name} has no zone",
            value=text,
            remedy="STAC times end in Z or an offset; local time would shift the acquisition",
        )
    return moment


def _declared_offset(item: Mapping[str, Any], bands: Mapping[str, Band]) -> float | None:
    """Offset that the item declares for its first reflectance band with any (raster extension, 1.1 and 2.0)."""
    for name, band in bands.items():
        asset = item["assets"].get(band.asset)
        if name == "SCL" or not isinstance(asset, dict):
            continue
        words = _band_words(asset, band.number)
        offset = words.get("raster:offset", words.get("offset"))
        if isinstance(offset, (int, float)):
            return float(offset)
    return None


def _band_words(asset: Mapping[str, Any], number: int) -> dict[str, Any]:
    """What an asset says about its band `number`; the band's own words go before those of the asset."""
    bands = asset.get("raster:bands") or asset.get("bands")
    if not isinstance(bands, list) or len(bands) < number or not isinstance(bands[number - 1], dict):
        return dict(asset)
    return {**asset, **bands[number - 1]}


def _asset(item: Mapping[str, Any], href: str, band: Band, definition: SourceDefinition) -> Asset:
    name, assets = item["id"], item["assets"]
    asset = assets.get(band.asset)
    if not isinstance(asset, dict) or not isinstance(asset.get("href"), str) or not asset["href"]:
        raise ItemError(
            "missing-asset",
            f"item {name} lacks the asset {band.asset!r}",
            value=f"it has: {', '.join(sorted(assets)) or 'none'}",
            remedy="do the definition's asset names fit this catalog? One bad item can be named under skip there",
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
    if isinstance(declared, list) and len(declared) < band.number:
        raise ItemError(
            "missing-band",
            f"asset {band.asset!r} of item {name} has {len(declared)} bands, number {band.number} is wanted",
            remedy="the definition's band numbers do not fit this catalog",
        )
    words = _band_words(asset, band.number)
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
    try:
        scheme = urlsplit(href).scheme
    except ValueError:  # such as a bracket without its other half
        raise _unreadable(name, href) from None
    if scheme == "" and not Path(href).is_absolute():
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
        raise _unreadable(name, href)
    return strip_signature(href, definition.signing)


def _unreadable(name: object, href: str) -> ItemError:
    return ItemError(
        "unreadable-href",
        f"item {name} has an href that cannot be read",
        value=redact(href),
        remedy="paths, http and https are read; map a bucket to https under rewrite in the definition",
    )
