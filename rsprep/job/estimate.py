"""What a build would read, write and take: the figures of a dry run."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from rsprep.granule import Asset, Granule
from rsprep.ground.grid import Plan
from rsprep.ground.shards import Shard
from rsprep.job.plan import BuildPlan
from rsprep.job.reach import FootprintIndex, shard_outline
from rsprep.job.shard import box_around
from rsprep.job.supplies import accesses_of
from rsprep.reading.access import Cost
from rsprep.reading.control import ControlCache
from rsprep.reading.spec import BandSpec
from rsprep.sources.definition import Band

DECODE_BYTES_PER_SECOND = 120e6
"""Decoded bytes that one core turns into chips in a second, measured on local files; a network is slower."""

START_SECONDS = 5.0
"""Until the workers run, the kernels are loaded, and at the end the report is drawn."""

STACK_LIMIT = 2**30
"""Dates of a block are worked on in pieces of no more than this."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Counts are exact; bytes are upper bounds before compression; seconds are a rough guess."""

    chips: Mapping[str, int]
    """Chips by split, and by the reason why the plan leaves them out."""
    shards: int
    granules: Mapping[str, int]
    """Product to granules found."""
    costs: Mapping[str, Cost]
    """Source to the requests and the bytes of source pixels that the chips take, over all dates; a best-date
    composite stops earlier."""
    store_bytes: int
    task_bytes: int
    """Most memory that one task needs."""
    workers: int

    @property
    def read_bytes(self) -> int:
        """Bytes of source pixels, decoded, of all sources."""
        return sum(cost.bytes for cost in self.costs.values())

    @property
    def seconds(self) -> float:
        """A rough guess."""
        return START_SECONDS + self.read_bytes / DECODE_BYTES_PER_SECOND / self.workers


def estimate(plan: BuildPlan, grid: Plan) -> Estimate:
    """Figures for `plan` without reading a pixel."""
    total: dict[str, Cost] = {name: Cost() for name in plan.sources}
    largest = 0
    for costs in _costs(plan, grid.shards):
        largest = max(largest, sum(cost.bytes for cost in costs.values()))
        for name, cost in costs.items():
            total[name] += cost
    return Estimate(
        chips=grid.counts(),
        shards=len(grid.shards),
        granules={product: len(granules) for product, granules in plan.granules.items()},
        costs=total,
        store_bytes=plan.schema.shard_bytes * len(grid.shards),
        task_bytes=min(largest, STACK_LIMIT) + 4 * plan.schema.shard_bytes,
        workers=plan.config.engine.workers or os.cpu_count() or 1,
    )


def _costs(plan: BuildPlan, shards: Iterable[Shard]) -> Iterator[dict[str, Cost]]:
    """Source to what each of `shards` takes of it, as the shard's task would read it."""
    index = FootprintIndex(plan.granules)
    accesses = accesses_of(plan.sources, plan.config, None)
    rules = {(product, one.source): one.rules.bands() for product, served in plan.supplies.items() for one in served}
    for shard in shards:
        if not shard.pending:
            continue
        controls = ControlCache(shard.grid[box_around(shard, plan.config.grid.chip_size)])
        total: dict[str, Cost] = defaultdict(Cost)
        for product, granules in index.near(shard_outline(shard)).items():
            for granule in granules:
                bands = rules[product, granule.source]
                for spec, assets in _read_together(granule, bands).items():
                    total[granule.source] += accesses[granule.source].cost(assets, spec, controls)
        yield total


def _read_together(granule: Granule, bands: Mapping[str, Band]) -> dict[BandSpec, list[Asset]]:
    """The assets of a granule by how they are coded, as a task reads them."""
    groups: dict[BandSpec, list[Asset]] = defaultdict(list)
    for name, asset in granule.assets.items():
        band = bands[name]
        groups[BandSpec(dtype=band.dtype, nodata=band.nodata, resampling=band.resampling)].append(asset)
    return groups
