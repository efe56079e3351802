"""Which sources are asked about: those of a recipe, layer by layer, the preferred one first; one by name; or all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rsprep.config import EarthEngine, Layer, Origin, make_config
from rsprep.job.supplies import PRODUCT_OF, layer_definitions
from rsprep.settings import make_settings
from rsprep.sources.asking import Asked
from rsprep.sources.definition import list_definitions, load_definition
from rsprep.sources.listing import refusal

STAND_INS: Mapping[str, str] = {"aoi": "0,0,1,1", "out": "chips"}
"""For what a recipe may leave to the command line, and no source hangs on."""


@dataclass(frozen=True, kw_only=True)
class Lineup:
    """Sources, and what a recipe uses them for."""

    asked: tuple[Asked, ...]
    """Each source once, with the address that it is given."""
    login: EarthEngine
    layers: Mapping[Layer, tuple[str, ...]] = field(default_factory=dict)
    """Layer to the names of its sources: the preferred one, then what it falls back on; empty without a recipe."""
    refused: Mapping[Layer, str] = field(default_factory=dict)
    """Layers that cannot be built from the source that the recipe names, and why."""
    without_period: tuple[str, ...] = ()
    """Sources that need a start and an end, which the recipe leaves to the command line."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the sources, in the order of `asked`."""
        return tuple(one.definition.name for one in self.asked)


def all_sources(settings: Mapping[str, Any]) -> Lineup:
    """Every source that ships with the package; of `settings` the section ``earthengine`` counts."""
    asked = tuple(Asked(definition=load_definition(name)) for name in list_definitions())
    return Lineup(asked=asked, login=_login(settings))


def one_source(name: str, endpoint: str | None, settings: Mapping[str, Any]) -> Lineup:
    """One source, by the name or the file of its definition, and at another address if one is given.

    Raises
    ------
    CatalogError : there is no such definition, or it cannot be used.
    ConfigError : ``endpoint-secret``.
    """
    origin = make_settings(Origin, {"source": name, "endpoint": endpoint})
    asked = Asked(definition=load_definition(origin.source), endpoint=origin.endpoint)
    return Lineup(asked=(asked,), login=_login(settings))


def read_lineup(recipe: Mapping[str, Any]) -> Lineup:
    """The sources of a recipe, which need not say where and what for.

    Raises
    ------
    ConfigError : the recipe cannot be used.
    CatalogError : a definition cannot be read, or lacks a product.
    """
    config = make_config({**STAND_INS, **recipe})
    served = layer_definitions(config)
    asked: dict[str, Asked] = {}
    refused: dict[Layer, str] = {}
    for layer, definitions in served.items():
        for definition, origin in zip(definitions, config.origins(layer), strict=True):
            asked.setdefault(definition.name, Asked(definition=definition, endpoint=origin.endpoint))
            why = refusal(definition.product(PRODUCT_OF[layer]))
            if why is not None:
                refused[layer] = why
    open_ended = config.start is None or config.end is None
    return Lineup(
        asked=tuple(asked.values()),
        login=config.earthengine,
        layers={layer: tuple(one.name for one in definitions) for layer, definitions in served.items()},
        refused=refused,
        without_period=tuple(name for name, one in asked.items() if open_ended and one.definition.needs_period),
    )


def _login(settings: Mapping[str, Any]) -> EarthEngine:
    login: EarthEngine = make_settings(EarthEngine, settings.get("earthengine") or {})
    return login
