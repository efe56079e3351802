"""Options that say where layers come from: ``--source`` and ``--endpoint``, for all layers or for some."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from rsprep.config import LAYERS
from rsprep.errors import ConfigError

_NAMED = re.compile(r"([a-z0-9][a-z0-9_-]*)=(.*)")


def override_origins(values: dict[str, Any], sources: Sequence[str], endpoints: Sequence[str]) -> None:
    """Put what was given into a recipe.

    Parameters
    ----------
    sources : ``NAME`` for every layer, or ``LAYER=NAME``; for land cover also ``lulc=NAME,NAME``, the preferred first.
    endpoints : ``URL`` for the source of every layer, or ``NAME=URL``.

    Raises
    ------
    ConfigError : ``bad-source``, or ``bad-endpoint`` for a name that no layer uses.
    """
    for text in sources:
        layer, names = _split(text)
        if layer is None:
            values["source"] = names
        elif layer in LAYERS:
            there = values.get("sources") or {}
            if isinstance(there, dict):  # else it is wrong, which the check will say
                values["sources"] = {**there, layer: [{"source": n} for n in _names(names)]}
        else:
            raise ConfigError(
                "bad-source",
                "there is no such layer to name a source for",
                value=text,
                remedy=f"write --source NAME, or LAYER=NAME with one of {', '.join(LAYERS)}",
            )
    for text in endpoints:
        name, address = _split(text)
        if name is None:
            values["endpoint"] = address
        else:
            _place(values, name, address)


def _split(text: str) -> tuple[str | None, str]:
    named = _NAMED.fullmatch(text)
    return (named[1], named[2]) if named else (None, text)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _place(values: dict[str, Any], name: str, address: str) -> None:
    """Give the source `name` an address, wherever the recipe uses it."""
    used = False
    if values.get("source", "planted") == name:
        values["endpoint"], used = address, True
    placed: dict[str, Any] = {}
    there = values.get("sources") or {}
    if not isinstance(there, dict):
        return  # it is wrong, which the check will say
    for layer, given in there.items():
        origins = [{"source": one} if isinstance(one, str) else one for one in _listed(given)]
        origins = [dict(one) if isinstance(one, dict) else one for one in origins]
        for origin in origins:
            if isinstance(origin, dict) and origin.get("source") == name:
                origin["endpoint"], used = address, True
        placed[layer] = origins
    if not used:
        raise ConfigError(
            "bad-endpoint",
            "no layer uses a source of this name",
            value=f"{name}={address}",
            remedy="name a source that --source or the recipe names",
        )
    if placed:
        values["sources"] = placed


def _listed(given: Any) -> list[Any]:
    return list(given) if isinstance(given, list | tuple) else [given]
