"""The sources of a build: which one serves a layer, and what it falls back on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rsprep.config import BuildConfig, Layer, Origin
from rsprep.errors import ConfigError, TimeError
from rsprep.reading.access import Access, ReadPolicy
from rsprep.sources.base import Source, open_source
from rsprep.sources.definition import Product, SourceDefinition, load_definition

PRODUCT_OF: Mapping[Layer, str] = {"s2": "sentinel2", "s1": "sentinel1", "lulc": "landcover", "terrain": "dem"}

Rules = TypeVar("Rules", bound=Product)


@dataclass(frozen=True, kw_only=True)
class Supply:
    """A product as one source has it."""

    source: str
    """Name of the source definition."""
    rules: Product

    def expect(self, kind: type[Rules]) -> Rules:
        """The rules as those of a kind of product; TypeError for another one, which no plan makes."""
        if not isinstance(self.rules, kind):
            raise TypeError(f"{self.source} has {type(self.rules).__name__} where {kind.__name__} is wanted")
        return self.rules


def layer_definitions(config: BuildConfig) -> dict[Layer, tuple[SourceDefinition, ...]]:
    """Layer to the definitions that serve it, the preferred one first.

    Raises
    ------
    CatalogError : a definition cannot be read, or lacks the product.
    ConfigError : ``two-endpoints``.
    """
    places: dict[str, Origin] = {}
    found: dict[Layer, tuple[SourceDefinition, ...]] = {}
    for layer in config.layers:
        definitions = []
        for origin in config.origins(layer):
            definition = load_definition(origin.source)
            definition.product(PRODUCT_OF[layer])
            if places.setdefault(definition.name, origin) != origin:
                raise ConfigError(
                    "two-endpoints",
                    f"source {definition.name} is named twice, with different files or endpoints",
                    value=f"{places[definition.name].endpoint} and {origin.endpoint}",
                    remedy="give one of them a definition, and a name, of its own",
                )
            definitions.append(definition)
        found[layer] = tuple(definitions)
    return found


def supplies_of(definitions: Mapping[Layer, tuple[SourceDefinition, ...]]) -> dict[str, tuple[Supply, ...]]:
    """Product to what serves it."""
    return {
        PRODUCT_OF[layer]: tuple(
            Supply(source=definition.name, rules=definition.product(PRODUCT_OF[layer])) for definition in served
        )
        for layer, served in definitions.items()
    }


def outlined(supplies: Mapping[str, tuple[Supply, ...]]) -> frozenset[tuple[str, str]]:
    """Sources and products whose footprints outline real pixels."""
    return frozenset(
        (one.source, product) for product, served in supplies.items() for one in served if one.rules.footprint == "data"
    )


def open_sources(config: BuildConfig, definitions: Mapping[Layer, tuple[SourceDefinition, ...]]) -> dict[str, Source]:
    """Every source that serves a layer, opened once; source name to source.

    Raises
    ------
    TimeError : a source needs a period that is not given.
    CatalogError : a source cannot be opened.
    """
    opened: dict[str, Source] = {}
    for layer, served in definitions.items():
        for definition, origin in zip(served, config.origins(layer), strict=True):
            if definition.needs_period and (config.start is None or config.end is None):
                raise TimeError(
                    "missing",
                    f"source {definition.name} holds years of scenes: it needs a time window",
                    remedy="give --start and --end",
                )
            if definition.name not in opened:
                opened[definition.name] = open_source(definition, origin.endpoint, config.earthengine)
    return opened


def accesses_of(sources: Mapping[str, Source], config: BuildConfig, shared: Path | None) -> dict[str, Access]:
    """Source name to where its pixels come from; see :meth:`rsprep.sources.base.Source.access`."""
    policy = ReadPolicy(attempts=config.engine.retries + 1, outage_s=config.engine.outage_s)
    return {name: source.access(policy, shared) for name, source in sources.items()}
