"""Item properties: under STAC's names whatever the provider calls them, filtered, checked, and those that are kept."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from rsprep.errors import ItemError
from rsprep.products.sentinel1 import CALIBRATION_KEYS
from rsprep.products.sentinel2 import dn_offset
from rsprep.sources.product_rules import Product, Scalar, Sentinel1Product, Sentinel2Product

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
"""Properties that granules carry besides those which the definition names: dates, provenance, cloud, orbit."""


def in_stac_words(properties: Mapping[str, Any], rules: Product) -> dict[str, Any]:
    """`properties` with those that the definition renames under their STAC keys too, where the provider has them."""
    renamed = {ours: properties[theirs] for ours, theirs in rules.properties.items() if theirs in properties}
    return {**properties, **renamed}


def first_difference(properties: Mapping[str, Any], rules: Product) -> str | None:
    """The first property that is not as the definition's ``where`` wants it, with its value; None where all are.

    Parameters
    ----------
    properties : see :func:`in_stac_words`. A list counts as what it holds; a property that is missing differs.
    """
    for key, wanted in rules.where.items():
        told = properties.get(key)
        if not any(_same(value, wanted) for value in (told if isinstance(told, (list, tuple)) else [told])):
            return f"{key}: {told}"
    return None


def _same(told: object, wanted: Scalar) -> bool:
    return isinstance(told, bool) == isinstance(wanted, bool) and told == wanted  # True is no 1


def kept_properties(properties: Mapping[str, Any], rules: Product) -> dict[str, Any]:
    """What a granule carries of `properties` (see :func:`in_stac_words`), in a stable order."""
    kept = {*KEPT, *rules.properties, *_named(rules)}
    return {key: properties[key] for key in sorted(kept) if properties.get(key) is not None}


def _named(rules: Product) -> list[str]:
    if isinstance(rules, Sentinel2Product):
        named = [rules.tile, rules.baseline, rules.offset_applied]
    elif isinstance(rules, Sentinel1Product):
        named = [rules.orbit, *CALIBRATION_KEYS]
    else:
        named = []
    return [key for key in named if isinstance(key, str)]


def check_properties(name: str, properties: Mapping[str, Any], rules: Product, offset: float | None = None) -> None:
    """Check what the product rules will decide by, here, where the item can still be named.

    Parameters
    ----------
    properties : see :func:`in_stac_words`.
    offset : offset of the reflectance bands in the item's own words, where it has any.

    Raises
    ------
    ItemError : what :func:`rsprep.products.sentinel2.dn_offset` raises, ``bad-cloud-cover`` or ``orbit-unknown``.
    """
    if isinstance(rules, Sentinel2Product):
        _check_cloud(name, properties.get("eo:cloud_cover"))
        try:
            dn_offset(properties, baseline_key=rules.baseline, applied=rules.offset_applied, band_offset=offset)
        except ItemError as error:
            cause = f"item {name}: {error.cause}"
            raise ItemError(error.slug, cause, value=error.value, remedy=error.remedy) from None
    if isinstance(rules, Sentinel1Product) and rules.orbit is not None:
        orbit = properties.get(rules.orbit)
        if not isinstance(orbit, str) or orbit.lower() not in ("ascending", "descending"):
            raise ItemError(
                "orbit-unknown",
                f"item {name} does not tell one orbit direction ({rules.orbit})",
                value=orbit,
                remedy="ascending and descending must not be mixed; set orbit: null in the definition to accept this",
            )


def _check_cloud(name: str, told: Any) -> None:
    """By this number scenes are left out and put in order; an item that has none counts as clear."""
    try:
        share = 0.0 if told is None else float(told)
    except (TypeError, ValueError, OverflowError):
        share = math.nan
    if isinstance(told, bool) or not math.isfinite(share):
        raise ItemError(
            "bad-cloud-cover",
            f"item {name} has a cloud cover that is no number",
            value=told,
            remedy="correct eo:cloud_cover, which is a percentage, or name the item under skip in the definition",
        )
