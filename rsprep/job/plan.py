"""What a build will do, decided before a pixel is read: which chips, from which granules, at what cost."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import shapely

from rsprep.config import BuildConfig
from rsprep.errors import CatalogError
from rsprep.granule import Granule
from rsprep.ground.aoi import Aoi, read_aoi
from rsprep.ground.grid import Plan, plan_grid
from rsprep.ground.shards import Shard
from rsprep.ground.zones import METRES_PER_DEGREE
from rsprep.job.reach import FootprintIndex, shard_outline, widened
from rsprep.job.records import LULC_SOURCE, identity_of
from rsprep.job.search import Findings, Found, by_product, granules_of, search
from rsprep.job.shard import ShardTask
from rsprep.job.sky import sky_band, sky_words
from rsprep.job.supplies import Supply, accesses_of, layer_definitions, open_sources, supplies_of
from rsprep.products.sentinel1 import describe, pick_orbit
from rsprep.reading.control import crs_of
from rsprep.sources.base import Source
from rsprep.sources.definition import (
    DemProduct,
    LandCoverProduct,
    Sentinel1Product,
    Sentinel2Product,
    SourceDefinition,
)
from rsprep.store.schema import Column, Schema, multisource_schema

SAME_LATTICE_M = 1e-3
"""Pixel lattices closer than this are one."""
KERNEL_DEGREES = 0.002
"""Degrees beyond the AOI at which DEM pixels still matter."""


Sea = tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True, kw_only=True)
class BuildPlan:
    """Everything that is decided before the work begins."""

    config: BuildConfig
    definitions: Mapping[str, SourceDefinition]
    """Source name to its definition."""
    sources: Mapping[str, Source]
    supplies: Mapping[str, tuple[Supply, ...]]
    """Product to the sources that serve it, the preferred one first."""
    aoi: Aoi
    granules: Mapping[str, tuple[Granule, ...]]
    """Product to its granules over the AOI, duplicates left out."""
    orbit: str
    """Flight direction of the radar granules."""
    sea: Sea
    """Cells of the DEM's tile grid that were never published, as west, south, east, north."""
    schema: Schema
    notes: tuple[str, ...] = ()
    """What whoever watches should know of the search."""

    @property
    def title(self) -> str:
        """The sources in words."""
        return "; ".join(dict.fromkeys(definition.title for definition in self.definitions.values()))

    def cut(self) -> Plan:
        """The chips and shards of a new build; a resumed one has them in its journal.

        Raises
        ------
        AoiError, ConfigError, CatalogError : nothing fits, or there is no lattice to snap to.
        """
        offsets = _lattice_offsets(self.config, self.granules)
        return plan_grid(self.aoi, self.config.grid, self.config.split, offsets)

    def tasks(self, shards: Iterable[Shard], store: str, token: str, shared: Path | None = None) -> Iterator[ShardTask]:
        """One task for each shard, made when it is asked for.

        Parameters
        ----------
        token : admits them to the store as writers.
        shared : see :meth:`rsprep.sources.base.Source.access`.
        """
        index = FootprintIndex(self.granules)
        accesses = accesses_of(self.sources, self.config, shared)
        for shard in shards:
            outline = shard_outline(shard)
            yield ShardTask(
                shard=shard,
                config=self.config,
                supplies=self.supplies,
                accesses=accesses,
                granules=index.near(outline),
                sea=tuple(box for box in self.sea if shapely.box(*box).intersects(outline)),
                store=store,
                token=token,
                schema=self.schema,
            )


def build_identity(config: BuildConfig) -> dict[str, Any]:
    """What a resumed build must have in common with the one that began.

    Raises
    ------
    AoiError, CatalogError : the AOI or the source definition cannot be read.
    """
    return identity_of(config, **_fingerprints(read_aoi(config.aoi), _by_name(layer_definitions(config))))


@dataclass(frozen=True, kw_only=True)
class Frozen:
    """What an earlier search came to; a build that is resumed asks no catalog again."""

    granules: Sequence[Granule]
    sea: Sea


def make_plan(config: BuildConfig, frozen: Frozen | None = None) -> BuildPlan:
    """Read the AOI and find the granules.

    Parameters
    ----------
    frozen : of a build that is resumed; nothing is searched for then.

    Raises
    ------
    InputError : AOI, time window, source or items cannot be used; the leaf and its slug tell which.
    """
    aoi = read_aoi(config.aoi)
    definitions = layer_definitions(config)
    supplies = supplies_of(definitions)
    for supply in supplies.get("sentinel2", ()):
        sky_band(supply.expect(Sentinel2Product), config.sentinel2)
    sources = open_sources(config, definitions)
    if frozen is not None:
        found = Findings(granules=by_product(frozen.granules))
    elif config.granules is not None:
        found = Findings(granules=by_product(granules_of(config.granules, supplies)))
    else:
        found = search(config, supplies, sources, lambda product: _reached(config, aoi, product))
    orbit, granules = _one_orbit(config, supplies, found.granules, aoi)
    return BuildPlan(
        config=config,
        definitions=_by_name(definitions),
        sources=sources,
        supplies=supplies,
        aoi=aoi,
        granules=granules,
        orbit=orbit,
        sea=frozen.sea if frozen is not None else _sea(config, supplies, sources, granules, aoi),
        schema=_schema(config, supplies, orbit),
        notes=found.notes,
    )


def _by_name(definitions: Mapping[Any, tuple[SourceDefinition, ...]]) -> dict[str, SourceDefinition]:
    return {definition.name: definition for served in definitions.values() for definition in served}


# -- granules -------------------------------------------------------------------------------------


def _one_orbit(
    config: BuildConfig, supplies: Mapping[str, tuple[Supply, ...]], granules: Found, aoi: Aoi
) -> tuple[str, Found]:
    if "s1" not in config.layers:
        return "unknown", granules
    rules = supplies["sentinel1"][0].expect(Sentinel1Product)
    orbit, chosen = pick_orbit(granules["sentinel1"], aoi.geometry, orbit=config.sentinel1.orbit, orbit_key=rules.orbit)
    # Refuses ground-range products, and items that say another calibration than the definition.
    describe(chosen, kind=rules.kind, calibration=rules.calibration, orbit_key=rules.orbit)
    return orbit, {**granules, "sentinel1": tuple(chosen)}


def _sea(
    config: BuildConfig,
    supplies: Mapping[str, tuple[Supply, ...]],
    sources: Mapping[str, Source],
    granules: Found,
    aoi: Aoi,
) -> Sea:
    """DEM cells that were never published; a listed tile that the catalog does not have is an error."""
    tiles = sources[supplies["dem"][0].source].tile_list() if "terrain" in config.layers else None
    if tiles is None:
        return ()
    area = _reached(config, aoi, "dem")
    inside = aoi.geometry if config.grid.partial == "drop" else area
    have = shapely.union_all([granule.footprint for granule in granules.get("dem", ())])
    for cell in tiles.land(inside):
        if not have.intersects(cell.centroid):
            raise CatalogError(
                "dem-tile-missing",
                "there is land here, and the catalog has no DEM tile for it: the gap is no sea",
                value=", ".join(f"{edge:g}" for edge in cell.bounds),
                remedy="complete the DEM collection, or take the tile out of the area",
            )
    return tuple(tuple(cell.bounds) for cell in tiles.sea(area))


def _reached(config: BuildConfig, aoi: Aoi, product: str) -> shapely.Geometry:
    """Ground on which a product may be needed: partial chips reach beyond the AOI, and the DEM's kernel a little."""
    if config.grid.partial == "keep":
        return widened(aoi.geometry, 1.5 * config.grid.chip_size * config.grid.resolution / METRES_PER_DEGREE)
    return widened(aoi.geometry, KERNEL_DEGREES) if product == "dem" else aoi.geometry


# -- grid -----------------------------------------------------------------------------------------


def _lattice_offsets(
    config: BuildConfig, granules: Mapping[str, tuple[Granule, ...]]
) -> dict[int, tuple[float, float]]:
    """Where the Sentinel-2 pixel lattice of each zone starts, modulo the resolution; empty unless snap=source."""
    if config.grid.snap != "source":
        return {}
    resolution = config.grid.resolution
    offsets: dict[int, tuple[float, float]] = {}
    for granule in granules.get("sentinel2", ()):
        grids = [asset.grid for asset in granule.assets.values() if asset.grid is not None]
        fitting = [grid for grid in grids if abs(abs(grid.affine.a) - resolution) < SAME_LATTICE_M]
        if not fitting:
            continue
        grid = fitting[0]
        offset = (grid.affine.c % resolution, grid.affine.f % resolution)
        known = offsets.setdefault(int(crs_of(grid).to_epsg() or 0), offset)
        if any(not _same(a, b, resolution) for a, b in zip(known, offset, strict=True)):
            raise CatalogError(
                "mixed-lattices",
                "Sentinel-2 granules of one zone lie on different pixel lattices, so none can be snapped to",
                value=f"{granule.id}: {offset}, others: {known} (metres modulo {resolution:g})",
                remedy="use --snap utm, or narrow the time window",
            )
    if not offsets:
        raise CatalogError(
            "no-lattice",
            f"no Sentinel-2 band declares a pixel lattice of {resolution:g} m to snap to",
            value=f"{len(granules.get('sentinel2', ()))} granules",
            remedy="use --snap utm, add the s2 layer, or choose the bands' --resolution",
        )
    return offsets


def _same(a: float, b: float, period: float) -> bool:
    apart = abs(a - b) % period
    return min(apart, period - apart) < SAME_LATTICE_M


def _schema(config: BuildConfig, supplies: Mapping[str, tuple[Supply, ...]], orbit: str) -> Schema:
    facts: dict[str, str] = {}
    columns: tuple[Column, ...] = ()
    for supply in supplies.get("sentinel2", ()):
        facts["s2_sky"] = sky_words(supply.expect(Sentinel2Product), config.sentinel2)
    for supply in supplies.get("sentinel1", ()):
        radar = supply.expect(Sentinel1Product)
        facts |= {"s1_kind": radar.kind, "s1_calibration": radar.calibration, "s1_orbit": orbit}
    for supply in supplies.get("dem", ()):
        dem = supply.expect(DemProduct)
        facts |= {"dem_surface": dem.surface, "dem_datum": dem.vertical_datum}
    covers = [supply.expect(LandCoverProduct).crosswalk for supply in supplies.get("landcover", ())]
    if covers:
        facts["lulc_origin"] = ", ".join(dict.fromkeys(covers))
    if len(covers) > 1:
        columns = (Column(name=LULC_SOURCE, kind="string", meaning="source of the land cover of this chip"),)
    return replace(multisource_schema(config, **facts), columns=columns)


def _fingerprints(aoi: Aoi, definitions: Mapping[str, SourceDefinition]) -> dict[str, Any]:
    """The AOI's path and the sources' names may come to mean something else: what they mean counts."""
    return {
        "aoi": hashlib.sha256(shapely.to_wkb(shapely.normalize(aoi.geometry))).hexdigest()[:16],
        "source_definitions": {name: definition.fingerprint() for name, definition in sorted(definitions.items())},
    }
