"""What a build will do, decided before a pixel is read: which chips, from which granules, at what cost."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import shapely

from rsprep.config import BuildConfig, Layer
from rsprep.errors import CatalogError, TimeError
from rsprep.granule import Granule
from rsprep.ground.aoi import Aoi, read_aoi
from rsprep.ground.grid import Plan, plan_grid
from rsprep.ground.shards import Shard
from rsprep.ground.zones import METRES_PER_DEGREE
from rsprep.job.reach import FootprintIndex, shard_outline, widened
from rsprep.job.records import identity_of
from rsprep.job.shard import ShardTask
from rsprep.products.acquisitions import unique_acquisitions
from rsprep.products.sentinel1 import describe, pick_orbit
from rsprep.reading.control import crs_of
from rsprep.sources.base import Source, open_source
from rsprep.sources.definition import SourceDefinition, load_definition
from rsprep.store.schema import Schema, multisource_schema

PRODUCT_OF: Mapping[Layer, str] = {"s2": "sentinel2", "s1": "sentinel1", "lulc": "landcover", "terrain": "dem"}
SAME_LATTICE_M = 1e-3
"""Pixel lattices closer than this are one."""
KERNEL_DEGREES = 0.002
"""Degrees beyond the AOI at which DEM pixels still matter."""


Sea = tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True, kw_only=True)
class BuildPlan:
    """Everything that is decided before the work begins."""

    config: BuildConfig
    definition: SourceDefinition
    source: Source
    aoi: Aoi
    granules: Mapping[str, tuple[Granule, ...]]
    """Product to its granules over the AOI, duplicates left out."""
    orbit: str
    """Flight direction of the radar granules."""
    sea: Sea
    """Cells of the DEM's tile grid that were never published, as west, south, east, north."""
    schema: Schema

    def cut(self) -> Plan:
        """The chips and shards of a new build; a resumed one has them in its journal.

        Raises
        ------
        AoiError, ConfigError, CatalogError : nothing fits, or there is no lattice to snap to.
        """
        offsets = _lattice_offsets(self.config, self.granules)
        return plan_grid(self.aoi, self.config.grid, self.config.split, offsets)

    def tasks(self, shards: Iterable[Shard], store: str, token: str) -> Iterator[ShardTask]:
        """One task for each shard, made when it is asked for; `token` admits them to the store as writers."""
        index = FootprintIndex(self.granules)
        signer = self.source.signer()
        for shard in shards:
            outline = shard_outline(shard)
            yield ShardTask(
                shard=shard,
                config=self.config,
                definition=self.definition,
                granules=index.near(outline),
                sea=tuple(box for box in self.sea if shapely.box(*box).intersects(outline)),
                store=store,
                token=token,
                schema=self.schema,
                signer=signer,
            )


def build_identity(config: BuildConfig) -> dict[str, Any]:
    """What a resumed build must have in common with the one that began.

    Raises
    ------
    AoiError, CatalogError : the AOI or the source definition cannot be read.
    """
    return identity_of(config, **_fingerprints(read_aoi(config.aoi), load_definition(config.source)))


def make_plan(config: BuildConfig, frozen: Sequence[Granule] | None = None) -> BuildPlan:
    """Read the AOI and find the granules.

    Parameters
    ----------
    frozen : granules of a build that is resumed; nothing is searched for then.

    Raises
    ------
    InputError : AOI, time window, source or items cannot be used; the leaf and its slug tell which.
    """
    aoi = read_aoi(config.aoi)
    definition = load_definition(config.source)
    for layer in config.layers:
        definition.product(PRODUCT_OF[layer])
    if definition.needs_period and (config.start is None or config.end is None):
        raise TimeError(
            "missing",
            f"source {definition.name} holds years of scenes: it needs a time window",
            remedy="give --start and --end",
        )
    source = open_source(definition, config.endpoint)
    granules = _sorted_by_product(frozen) if frozen is not None else _find_all(config, definition, source, aoi)
    orbit, granules = _one_orbit(config, definition, granules, aoi)
    sea = _sea(config, source, granules, aoi)
    return BuildPlan(
        config=config,
        definition=definition,
        source=source,
        aoi=aoi,
        granules=granules,
        orbit=orbit,
        sea=sea,
        schema=_schema(config, definition, orbit),
    )


# -- granules -------------------------------------------------------------------------------------


def _find_all(
    config: BuildConfig, definition: SourceDefinition, source: Source, aoi: Aoi
) -> dict[str, tuple[Granule, ...]]:
    found: dict[str, tuple[Granule, ...]] = {}
    for layer in config.layers:
        product = PRODUCT_OF[layer]
        timeless = product == "dem"
        start, end = (None, None) if timeless else (config.start, config.end)
        area = _reached(config, aoi, product)
        granules = source.find(product, area, start, end, bands=_wanted_bands(config, definition, product))
        if product == "sentinel2":
            granules = _usable_scenes(config, definition, granules)
        found[product] = tuple(granules)
    return found


def _usable_scenes(config: BuildConfig, definition: SourceDefinition, granules: list[Granule]) -> list[Granule]:
    rules = definition.products.sentinel2
    assert rules is not None  # noqa: S101  # checked by definition.product
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


def _wanted_bands(config: BuildConfig, definition: SourceDefinition, product: str) -> Collection[str]:
    if product == "sentinel2":
        rules = definition.products.sentinel2
        classes = ("SCL",) if rules is not None and rules.scl is not None else ()
        return (*config.sentinel2.bands, *classes)
    if product == "sentinel1":
        return config.sentinel1.polarisations
    if product == "landcover":
        return ("label",) if config.landcover.method == "mode" else tuple(f"p{number}" for number in range(9))
    return ("elevation",)


def _one_orbit(
    config: BuildConfig, definition: SourceDefinition, granules: dict[str, tuple[Granule, ...]], aoi: Aoi
) -> tuple[str, dict[str, tuple[Granule, ...]]]:
    rules = definition.products.sentinel1
    if "s1" not in config.layers or rules is None:
        return "unknown", granules
    orbit, chosen = pick_orbit(granules["sentinel1"], aoi.geometry, orbit=config.sentinel1.orbit, orbit_key=rules.orbit)
    # Refuses ground-range products, and items that say another calibration than the definition.
    describe(chosen, kind=rules.kind, calibration=rules.calibration, orbit_key=rules.orbit)
    return orbit, {**granules, "sentinel1": tuple(chosen)}


def _sorted_by_product(frozen: Sequence[Granule]) -> dict[str, tuple[Granule, ...]]:
    by_product: dict[str, list[Granule]] = {}
    for granule in frozen:
        by_product.setdefault(granule.product, []).append(granule)
    return {product: tuple(granules) for product, granules in by_product.items()}


def _sea(config: BuildConfig, source: Source, granules: Mapping[str, tuple[Granule, ...]], aoi: Aoi) -> Sea:
    """DEM cells that were never published; a listed tile that the catalog does not have is an error."""
    tiles = source.tile_list() if "terrain" in config.layers else None
    if tiles is None:
        return ()
    area = _reached(config, aoi, "dem")
    inside = aoi.geometry if config.grid.partial == "drop" else area
    have = shapely.union_all([granule.footprint for granule in granules["dem"]])
    for cell in tiles.land(inside):
        if not have.intersects(cell.centroid):
            raise CatalogError(
                "dem-tile-missing",
                "the list of DEM tiles names one that the catalog does not have: the gap is no sea",
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


def _schema(config: BuildConfig, definition: SourceDefinition, orbit: str) -> Schema:
    radar, cover, dem = (definition.products.sentinel1, definition.products.landcover, definition.products.dem)
    return multisource_schema(
        config,
        s1_calibration=radar.calibration if radar else "unknown",
        s1_orbit=orbit,
        lulc_origin=cover.crosswalk if cover else "unknown",
        dem_surface=dem.surface if dem else "unknown",
        dem_datum=dem.vertical_datum if dem else "unknown",
    )


def _fingerprints(aoi: Aoi, definition: SourceDefinition) -> dict[str, str]:
    """The AOI's path and the source's name may come to mean something else: what they mean counts."""
    return {
        "aoi": hashlib.sha256(shapely.to_wkb(shapely.normalize(aoi.geometry))).hexdigest()[:16],
        "source_definition": hashlib.sha256(definition.model_dump_json().encode()).hexdigest()[:16],
    }
