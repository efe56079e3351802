"""What a source is, and how a definition becomes one."""

from __future__ import annotations

import datetime as dt
import importlib
from collections.abc import Collection
from typing import Protocol

import shapely

from rsprep.errors import CatalogError
from rsprep.granule import Granule
from rsprep.sources.definition import SourceDefinition
from rsprep.sources.signing import Signer
from rsprep.sources.tiles import TileList

MODULES = {"stac": "rsprep.sources.stac"}
"""Definition `kind` to the module that reads it, by name, so that a source whose packages are an extra is imported
only when it is used. A module offers ``open_source(definition, endpoint) -> Source``; that is the whole seam."""


class Source(Protocol):
    """A place where granules are found."""

    definition: SourceDefinition

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

    def signer(self) -> Signer:
        """What turns the hrefs of granules into readable ones; it pickles, so that tasks sign for themselves."""
        ...

    def sign(self, href: str) -> str:
        """`href` as it can be read now. For use inside the task that reads; never stored."""
        ...


def open_source(definition: SourceDefinition, endpoint: str | None = None) -> Source:
    """Open the source that `definition` describes.

    Parameters
    ----------
    definition : see :func:`rsprep.sources.definition.load_definition`.
    endpoint : another place with the same layout (API, ``catalog.json`` or its folder); None: the definition's own.

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
    source: Source = importlib.import_module(MODULES[definition.kind]).open_source(definition, place)
    return source
