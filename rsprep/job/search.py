"""The granules of a build: searched for once, or taken over from a data set that has them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import shapely

from rsprep.config import BuildConfig
from rsprep.errors import CatalogError, StoreError
from rsprep.granule import Granule
from rsprep.job.desk import at_desk
from rsprep.job.journal_view import JournalView
from rsprep.job.sky import sky_band
from rsprep.job.supplies import PRODUCT_OF, Supply
from rsprep.products.acquisitions import unique_acquisitions
from rsprep.sources.base import Source
from rsprep.sources.definition import Sentinel2Product

Found = dict[str, tuple[Granule, ...]]
"""Product to granules; those of several sources stand in the order of the sources' preference."""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What a search came to."""

    granules: Found
    notes: tuple[str, ...] = ()
    """What whoever watches should know: a preferred source that has nothing, say."""


def search(
    config: BuildConfig,
    supplies: Mapping[str, tuple[Supply, ...]],
    sources: Mapping[str, Source],
    reached: Callable[[str], shapely.Geometry],
) -> Findings:
    """Ask every source for what it serves.

    Parameters
    ----------
    reached : product to the ground on which it may be needed.

    Raises
    ------
    CatalogError, ItemError : a catalog or an item cannot be used, or nothing was found that serves a layer.
    """
    found: Found = {}
    notes: list[str] = []
    for layer in config.layers:
        product = PRODUCT_OF[layer]
        served: list[Granule] = []
        missing: CatalogError | None = None
        for supply in supplies[product]:
            try:
                served += _find(config, supply, product, sources[supply.source], reached(product))
                notes += (f"{supply.source}: {note}" for note in sources[supply.source].notes)
            except CatalogError as error:
                if error.slug != "nothing-found" or len(supplies[product]) == 1:
                    raise
                missing = missing or error
                notes.append(f"{supply.source} has no {product} here and then: {error.cause}")
        if missing is not None and not served:
            raise missing
        found[product] = tuple(served)
    return Findings(granules=found, notes=tuple(notes))


def _find(
    config: BuildConfig, supply: Supply, product: str, source: Source, area: shapely.Geometry
) -> Sequence[Granule]:
    granules = source.find(product, area, config.start, config.end, bands=_wanted_bands(config, supply))
    if isinstance(supply.rules, Sentinel2Product):
        return _usable_scenes(config, supply.rules, granules)
    return granules


def _usable_scenes(config: BuildConfig, rules: Sentinel2Product, granules: list[Granule]) -> list[Granule]:
    limit = config.sentinel2.max_scene_cloud
    clear = [granule for granule in granules if float(granule.properties.get("eo:cloud_cover") or 0.0) <= limit]
    if not clear:
        raise CatalogError(
            "all-cloudy",
            f"each of the {len(granules)} Sentinel-2 granules found has more cloud than allowed",
            value=f"max_scene_cloud: {limit:g}",
            remedy="raise sentinel2.max_scene_cloud or widen the time window",
        )
    return unique_acquisitions(clear, tile_key=rules.tile, baseline_key=rules.baseline)


def _wanted_bands(config: BuildConfig, supply: Supply) -> Collection[str]:
    product = supply.rules
    if isinstance(product, Sentinel2Product):
        sky = sky_band(product, config.sentinel2)
        return (*config.sentinel2.bands, *(() if sky is None else (sky,)))
    wanted: dict[str, Any] = {
        "Sentinel1Product": config.sentinel1.polarisations,
        "LandCoverProduct": ("label",)
        if config.landcover.method == "mode"
        else tuple(f"p{number}" for number in range(9)),
        "DemProduct": ("elevation",),
    }
    bands: Collection[str] = wanted[type(product).__name__]
    return bands


def granules_of(dataset: str, supplies: Mapping[str, tuple[Supply, ...]]) -> list[Granule]:
    """The granules that another data set was planned with, of the products and sources that this build uses.

    Raises
    ------
    StoreError : there is no data set, or it has none of a source that this build uses.
    """
    with at_desk(dataset) as desk, JournalView.open(desk.folder) as journal:
        granules = list(journal.granules())
    used = {(product, supply.source) for product, served in supplies.items() for supply in served}
    chosen = [granule for granule in granules if (granule.product, granule.source) in used]
    for product, served in supplies.items():
        if product != "dem" and not any(granule.product == product for granule in chosen):
            raise StoreError(
                "no-such-granules",
                f"this data set has no {product} granules of {', '.join(supply.source for supply in served)}",
                value=dataset,
                remedy="use the same sources and layers as it does, or leave out granules to search anew",
            )
    return chosen


def by_product(granules: Iterable[Granule]) -> Found:
    """Granules as a journal has them, by product, each in its order."""
    found: dict[str, list[Granule]] = {}
    for granule in granules:
        found.setdefault(granule.product, []).append(granule)
    return {product: tuple(those) for product, those in found.items()}
