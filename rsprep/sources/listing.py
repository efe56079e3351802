"""Source definitions in words: what a source has, how its numbers are coded, and what a user needs for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from rsprep.products.crosswalk import load_crosswalk
from rsprep.sources.definition import (
    DemProduct,
    LandCoverProduct,
    Product,
    Sentinel1Product,
    Sentinel2Product,
    SourceDefinition,
)

Rows = tuple[tuple[str, str], ...]
"""Pairs of what is told, and the words; these may hold several lines."""
LAYER_OF: Final[Mapping[str, str]] = {"sentinel2": "s2", "sentinel1": "s1", "landcover": "lulc", "dem": "terrain"}
"""Product to the name of the layer that is made of it."""
CALIBRATIONS: Final = {"gamma0": "γ⁰", "sigma0": "σ⁰", "uncalibrated": "uncalibrated"}
UNITS: Final = {
    "power": "linear power",
    "db": "dB, turned to power before anything is averaged",
    "amplitude": "amplitude",
}
KINDS: Final = {
    "rtc": "terrain corrected, in place and in brightness (rtc)",
    "gtc": "on the map grid, brightness of slopes as seen (gtc)",
    "grd": "ground range of the radar (grd)",
}


@dataclass(frozen=True, kw_only=True)
class Description:
    """Everything that a definition says, in words."""

    source: Rows
    """Of the provider as a whole."""
    layers: Mapping[str, Rows]
    """Of each of its products, by layer."""


def refusal(rules: Product) -> str | None:
    """Why a product is not read although the provider has it; None where it is."""
    if isinstance(rules, Sentinel1Product) and rules.kind == "grd":
        return "not calibrated, not terrain corrected"
    return None


def layers_of(definition: SourceDefinition) -> tuple[str, ...]:
    """The layers that can be built from a source."""
    names = definition.products.names()
    return tuple(LAYER_OF[name] for name in names if refusal(definition.product(name)) is None)


def needs_account(definition: SourceDefinition) -> bool:
    """Whether a user needs anything before the source can be read."""
    return definition.account != "none"


def short_licence(definition: SourceDefinition) -> str:
    """The licences of the products that are read, each once, without what stands in brackets; else the source's own."""
    usable = [rules for name in definition.products.names() if refusal(rules := definition.product(name)) is None]
    told = [rules.licence.split(" (")[0] for rules in usable if rules.licence is not None]
    return "; ".join(dict.fromkeys(told)) if told and len(told) == len(usable) else definition.licence


def describe(definition: SourceDefinition, endpoint: str | None = None) -> Description:
    """A definition in words.

    Parameters
    ----------
    endpoint : address that replaces the definition's own.
    """
    kind = {"stac": "STAC", "earthengine": "Earth Engine"}.get(definition.kind, definition.kind)
    address = endpoint or definition.endpoint
    tokens = definition.signing
    return Description(
        source=_told(
            ("address", f"{address} ({kind})" if address else f"none of its own: give --endpoint ({kind})"),
            ("account", definition.account),
            ("log in", definition.login_help),
            ("tokens", None if tokens is None else f"from {tokens.service}, for {', '.join(tokens.hosts)}"),
            ("cost", definition.cost),
            ("period", "needed: --start and --end" if definition.needs_period else "not needed"),
            ("licence", definition.licence),
        ),
        layers={LAYER_OF[name]: _product(definition.product(name)) for name in definition.products.names()},
    )


def _told(*pairs: tuple[str, str | None]) -> Rows:
    return tuple((key, text.strip()) for key, text in pairs if text)


def _product(rules: Product) -> Rows:
    return _told(
        ("refused", refusal(rules)),
        ("collection", rules.collection),
        ("bands", _bands(rules)),
        ("resolution", rules.resolution),
        *_coding(rules),
        ("only where", ", ".join(f"{key} = {value}" for key, value in rules.where.items())),
        ("licence", rules.licence),
        ("to print", rules.attribution),
    )


def _bands(rules: Product) -> str:
    """Store names with the provider's own where these differ."""
    names = {name: band.asset for name, band in rules.bands().items() if name not in ("score", "label")}
    if isinstance(rules, LandCoverProduct):
        chances = " and nine class probabilities" if rules.probabilities else ""
        return f"{'label' if rules.label == 'label' else f'label ({rules.label})'}{chances}"
    return ", ".join(name if name.lower() == asset.lower() else f"{name} ({asset})" for name, asset in names.items())


def _coding(rules: Product) -> Iterable[tuple[str, str | None]]:
    numbers = f"{rules.dtype}, " + ("no nodata" if rules.nodata is None else f"nodata {rules.nodata:g}")
    if isinstance(rules, Sentinel2Product):
        return (
            ("values", f"surface reflectance × 10⁴; {numbers}"),
            ("offset", _offset(rules)),
            ("clear sky", _sky(rules)),
        )
    if isinstance(rules, Sentinel1Product):
        what = f"{CALIBRATIONS[rules.calibration]} as {UNITS[rules.units]}"
        return ("values", f"{what}; {numbers}"), ("geometry", KINDS[rules.kind])
    if isinstance(rules, LandCoverProduct):
        years = "maps of whole years; the year nearest to the period is taken" if rules.epoch == "nearest" else None
        return ("values", numbers), ("coding", _crosswalk(rules.crosswalk)), ("years", years)
    return (
        ("values", f"metres above {rules.vertical_datum}; {numbers}"),
        ("surface", {"DSM": "with trees and buildings (DSM)", "DTM": "bare ground (DTM)"}[rules.surface]),
        ("gaps", _gaps(rules)),
    )


def _offset(rules: Sentinel2Product) -> str:
    """Who takes the −1000 off that baseline 04.00 brought."""
    if rules.offset_applied is True:
        return "taken off by the provider; dark pixels are clipped at 0"
    by_baseline = "−1000 from baseline 04.00 on, taken off when read"
    if isinstance(rules.offset_applied, str):
        return f"{by_baseline}, unless {rules.offset_applied} says that it is off"
    return by_baseline


def _sky(rules: Sentinel2Product) -> str:
    ways = []
    if rules.score is not None:
        ways.append(f"{rules.score.band} of {rules.score.collection} (sentinel2.min_clear_score)")
    if rules.scl is not None:
        ways.append("scene classification (SCL)")
    return "; or ".join(ways) or "not told: every pixel counts as clear"


def _crosswalk(name: str) -> str:
    if name == "dynamic-world":
        return "Dynamic World, as it is"
    table = load_crosswalk(name)
    note = re.split(r"(?<=[.:;]) ", table.note, maxsplit=1)[0].rstrip(".:;")
    return f"{table.title}, taken to Dynamic World by catalogs/crosswalks/{name}.yaml" + (f": {note}" if note else "")


def _gaps(rules: DemProduct) -> str:
    if rules.absent.rule == "error":
        return "a missing tile is an error"
    return "sea (0 m) where no tile was ever published; an error elsewhere"
