"""What a source is, and how a definition becomes one."""

from __future__ import annotations

import datetime as dt
import importlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import shapely

from rsprep.config import EarthEngine
from rsprep.errors import CatalogError, RsprepError
from rsprep.granule import Granule
from rsprep.reading.access import Access, ReadPolicy
from rsprep.sources.definition import SourceDefinition
from rsprep.sources.tiles import TileList

MODULES = {"stac": "rsprep.sources.stac", "earthengine": "rsprep.sources.earthengine"}
"""Definition `kind` to the module that reads it, by name, so that a source whose packages are an extra is imported
only when it is used. A module offers ``open_source(definition, endpoint, login) -> Source``; that is the whole seam."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a provider says when it is asked whether it is there."""

    ok: bool
    detail: str
    """One line: what answered, or why nothing did."""


class Source(Protocol):
    """A place where granules are found."""

    definition: SourceDefinition
    notes: list[str]
    """What whoever watches should know of the last search: images that were left out, and why."""

    def find(
        self,
        product: str,
        area: shapely.Geometry,
        start: dt.datetime | None = None,
        end: dt.datetime | None = None,
        *,
        bands: Collection[str] | None = None,
    ) -> list[Granule]:
        """Granules of `product` whose footprint meets `area` within the time window, in a stable order.

        Parameters
        ----------
        product : key in the definition: ``sentinel2``, ``sentinel1``, ``landcover`` or ``dem``.
        area : longitude and latitude within [-180, 180], split where it crosses the antimeridian.
        start, end : aware moments, both included; None leaves that side open. The DEM has no time.
        bands : store names that must be there (``B04``, ``SCL``, ``VV``, ``label``, ``p0``, ``elevation``);
            None means every band of the definition. An item that lacks one is an error, never a gap.

        Raises
        ------
        CatalogError : the catalog cannot be read or answered wrongly, or nothing was found (``nothing-found``).
        ItemError : an item contradicts the definition or itself.
        TimeError : a moment without a zone.
        """
        ...

    def tile_list(self) -> TileList | None:
        """The DEM tiles that were ever published; None where a gap in the DEM is always a fault."""
        ...

    def access(self, policy: ReadPolicy, shared: Path | None = None) -> Access:
        """Where the pixels of its granules come from. It pickles, so that tasks log in and sign for themselves.

        Parameters
        ----------
        policy : how hard a read is tried.
        shared : folder that all workers of a build see, for the limits that they keep together (made when it is
            needed, and thrown away with the build's workers); None: within this process only.
        """
        ...

    def check(self) -> str:
        """Look for every collection of the definition; one line on what answered. Raises CatalogError."""
        ...


def open_source(definition: SourceDefinition, endpoint: str | None = None, login: EarthEngine | None = None) -> Source:
    """Open the source that `definition` describes.

    Parameters
    ----------
    definition : see :func:`rsprep.sources.definition.load_definition`.
    endpoint : another place with the same layout (API, ``catalog.json`` or its folder); None: the definition's own.
    login : project, credentials and limits, for sources that need an account.

    Raises
    ------
    CatalogError : unknown kind, no endpoint, or an endpoint that cannot be read.
    """
    if definition.kind not in MODULES:
        raise CatalogError(
            "unknown-kind",
            f"source {definition.name} is of a kind that rsprep cannot read",
            value=definition.kind,
            remedy=f"known kinds: {', '.join(sorted(MODULES))}",
        )
    place = endpoint or definition.endpoint
    if place is None:
        raise CatalogError(
            "no-endpoint",
            f"source {definition.name} has no address of its own",
            remedy="give --endpoint: the catalog.json (or STAC API) to read",
        )
    module = importlib.import_module(MODULES[definition.kind])
    source: Source = module.open_source(definition, place, login or EarthEngine())
    return source


def ask(definition: SourceDefinition, endpoint: str | None = None, login: EarthEngine | None = None) -> Answer:
    """Whether a provider can be used now, and with what it was asked; a fault is told, never raised."""
    try:
        return Answer(ok=True, detail=open_source(definition, endpoint, login).check())
    except RsprepError as error:
        return Answer(ok=False, detail=f"{error.name}: {error.cause}")
