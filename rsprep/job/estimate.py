"""What a build would read, write and take: the figures of a dry run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from odc.geo.geobox import GeoBox

from rsprep.granule import Granule
from rsprep.ground.grid import Plan
from rsprep.ground.shards import Shard
from rsprep.ground.zones import METRES_PER_DEGREE
from rsprep.job.plan import BuildPlan
from rsprep.job.reach import FootprintIndex, shard_outline
from rsprep.reading.control import pixel_lengths

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
    read_bytes: int
    """Source pixels under the chips, over all dates; a best-date composite stops earlier."""
    store_bytes: int
    task_bytes: int
    """Most memory that one task needs."""
    workers: int
    seconds: float


def estimate(plan: BuildPlan, grid: Plan) -> Estimate:
    """Figures for `plan` without reading a pixel."""
    index = FootprintIndex(plan.granules)
    read = largest = 0
    for shard in grid.shards:
        here = index.near(shard_outline(shard))
        needed = sum(_pixels_read(shard, product, granules) for product, granules in here.items())
        read += needed
        largest = max(largest, needed)
    workers = plan.config.engine.workers or os.cpu_count() or 1
    return Estimate(
        chips=grid.counts(),
        shards=len(grid.shards),
        granules={product: len(granules) for product, granules in plan.granules.items()},
        read_bytes=read,
        store_bytes=plan.schema.shard_bytes * len(grid.shards),
        task_bytes=min(largest, STACK_LIMIT) + 4 * plan.schema.shard_bytes,
        workers=workers,
        seconds=START_SECONDS + read / DECODE_BYTES_PER_SECOND / workers,
    )


def _pixels_read(shard: Shard, product: str, granules: Sequence[Granule]) -> int:
    """Bytes of the source pixels of `granules` under the chips of a shard that are to be built."""
    share = sum(1 for _ in shard.to_build) / len(shard.chips)
    ground = share * float(np.prod(shard.grid.shape)) * shard.lattice.resolution**2
    total = 0.0
    for granule in granules:
        for asset in granule.assets.values():
            if asset.grid is not None:
                width, height = _metres(asset.grid)
                total += ground / (width * height) * (2 if product == "sentinel2" else 4)
    return int(total)


def _metres(grid: GeoBox) -> tuple[float, float]:
    width, height = pixel_lengths(grid)
    if grid.crs is not None and grid.crs.geographic:
        latitude = np.radians(grid.boundingbox.bottom)
        return width * METRES_PER_DEGREE * float(np.cos(latitude)), height * METRES_PER_DEGREE
    return width, height
