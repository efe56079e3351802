"""Images of Earth Engine become granules: their words are put as STAC would put them, then read by the same rules."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely.geometry import mapping, shape

from rsprep.errors import ItemError
from rsprep.granule import Asset, Granule
from rsprep.sources.definition import Band, Product, Sentinel1Product, SourceDefinition
from rsprep.sources.earthengine.hrefs import make_href
from rsprep.sources.items import item_interval
from rsprep.sources.projection import check_place, read_grid
from rsprep.sources.properties import check_properties, in_stac_words, kept_properties

_TIMES = ("created", "updated", "s2:generation_time")
"""STAC keys whose values are moments; the service has milliseconds since 1970."""


def image_id(image: Mapping[str, Any]) -> str:
    """Asset id, as ``COPERNICUS/DEM/GLO30/N48_00_E012_00``; ItemError ``no-image-id``."""
    name = image.get("id") or str(image.get("name", "")).removeprefix("projects/earthengine-public/assets/")
    if not isinstance(name, str) or "/" not in name:
        raise ItemError(
            "no-image-id", "a listed image has no id", value=str(image)[:80], remedy="the service failed; try again"
        )
    return name


def image_index(image: Mapping[str, Any]) -> str:
    """Name of an image within its collection; companions in other collections have the same."""
    return image_id(image).rsplit("/", 1)[1]


def as_item(image: Mapping[str, Any], collection: str) -> dict[str, Any]:
    """The words of an image as those of a STAC item: id, geometry, properties with times, assets by band."""
    properties = dict(image.get("properties") or {})
    start, end = image.get("startTime"), image.get("endTime")
    properties["datetime"] = start
    if start and end and start < end:
        properties |= {"start_datetime": start, "end_datetime": end}
    bands = {str(band.get("id")): dict(band) for band in image.get("bands") or [] if isinstance(band, Mapping)}
    return {
        "id": image_index(image),
        "collection": collection,
        "geometry": _closed(image.get("geometry")),
        "properties": properties,
        "assets": bands,
    }


def _closed(geometry: Any) -> Any:
    """Footprints come as rings too; whatever else is wrong with one is told where footprints are read."""
    if isinstance(geometry, Mapping) and geometry.get("type") in ("LinearRing", "LineString"):
        ring = shapely.get_coordinates(shape({**geometry, "type": "LineString"}))
        if len(ring) >= 3:
            return mapping(shapely.Polygon(ring))
    return geometry


def make_granule(
    image: Mapping[str, Any],
    item: Mapping[str, Any],
    footprint: shapely.Geometry,
    *,
    definition: SourceDefinition,
    product: str,
    bands: Mapping[str, Band],
    more: Mapping[str, Asset] | None = None,
) -> Granule:
    """Translate one image.

    Parameters
    ----------
    image : as the service lists it. item : see :func:`as_item`.
    bands : store name to band of this image.
    more : assets of companion images, under their store names.

    Raises
    ------
    ItemError : whatever in the image contradicts the definition or itself; the slug tells what.
    """
    rules = definition.product(product)
    words = _plain(in_stac_words(item["properties"], rules), rules)
    check_properties(item["id"], words, rules)
    assets = {name: band_asset(image, item, band) for name, band in bands.items()} | dict(more or {})
    check_place(item["id"], footprint, [asset.grid for asset in assets.values() if asset.grid is not None])
    return Granule(
        id=item["id"],
        product=product,
        source=definition.name,
        collection=rules.collection,
        datetime=item_interval(item)[0],
        footprint=footprint,
        assets=assets,
        properties=kept_properties(words, rules),
    )


def _plain(words: dict[str, Any], rules: Product) -> dict[str, Any]:
    """Values under STAC keys as STAC writes them: lower case, and moments as text."""
    for key in rules.properties:
        value = words.get(key)
        if key in _TIMES and isinstance(value, (int, float)):
            words[key] = dt.datetime.fromtimestamp(value / 1000, dt.UTC).isoformat().replace("+00:00", "Z")
        elif key in ("platform", "sat:orbit_state") and isinstance(value, str):
            words[key] = value.lower()
    if isinstance(rules, Sentinel1Product) and len(str(words.get("platform", ""))) == 1:
        words["platform"] = f"sentinel-1{words['platform']}"  # the service has the letter alone
    return words


def band_asset(image: Mapping[str, Any], item: Mapping[str, Any], band: Band) -> Asset:
    """One band with its lattice.

    Raises
    ------
    ItemError : ``band-missing``, ``band-type``, ``band-lattice``, or what the lattice of an item raises.
    """
    words = item["assets"].get(band.asset)
    if words is None:
        raise ItemError(
            "band-missing",
            f"image {item['id']} lacks the band {band.asset!r}",
            value=f"it has: {', '.join(sorted(item['assets'])) or 'none'}",
            remedy="correct the assets in the source definition, or leave such images out by where",
        )
    _check_type(item["id"], words.get("dataType") or {}, band)
    return Asset(href=make_href(image_id(image), band.asset), grid=_lattice(item, words, band))


def _check_type(name: str, told: Mapping[str, Any], band: Band) -> None:
    """Compare a band's numbers with the definition: what does not fit would be cut off without a word."""
    precision, kind = str(told.get("precision", "")).upper(), np.dtype(band.dtype)
    whole = precision.startswith("INT")
    fits = whole == (kind.kind != "f") and precision != ""
    if fits and whole:
        limits, span = np.iinfo(kind), told.get("range") or {}
        fits = limits.min <= float(span.get("min", 0)) and float(span.get("max", 0)) <= limits.max
    if not fits:
        raise ItemError(
            "band-type",
            f"band {band.asset!r} of image {name} is {precision or 'untyped'}, the definition says {band.dtype}",
            value=dict(told),
            remedy="correct the definition",
        )


def _lattice(item: Mapping[str, Any], words: Mapping[str, Any], band: Band) -> GeoBox:
    grid = words.get("grid") or {}
    size, affine = grid.get("dimensions") or {}, grid.get("affineTransform") or {}
    # What is zero is left out of an answer.
    numbers = Affine(*(float(affine.get(key, 0.0)) for key in _AFFINE))
    found = read_grid(
        {"id": item["id"], "properties": {}},
        {
            "proj:code": grid.get("crsCode"),
            "proj:shape": [size.get("height"), size.get("width")],
            "proj:transform": list(numbers)[:6],
        },
        band.asset,
    )
    if found is None:
        raise ItemError(
            "band-lattice",
            f"band {band.asset!r} of image {item['id']} does not tell its coordinate system",
            value=str(grid)[:80],
            remedy="only bands with an EPSG code can be read",
        )
    return found


_AFFINE = ("scaleX", "shearX", "translateX", "shearY", "scaleY", "translateY")
