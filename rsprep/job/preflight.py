"""Look into one file of every band before the work begins: a wrong definition shows here, not after a night."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from odc.geo.geobox import GeoBox

from rsprep.errors import ReadError
from rsprep.granule import Granule
from rsprep.ground.grid import Plan
from rsprep.job.plan import BuildPlan
from rsprep.job.reach import shard_outline
from rsprep.reading.access import ReadPolicy
from rsprep.reading.windows import read_window
from rsprep.sources.definition import Band

PROBE_PX = 16
THREADS = 4


def preflight(plan: BuildPlan, grid: Plan) -> None:
    """Read a few pixels of each band of each product.

    Raises
    ------
    RasterError : a file contradicts its item or its definition (CRS, grid, type, nodata, band).

    A file that cannot be read at all is no verdict on the others: it is left to the build, which
    tries again and quarantines what needs it.
    """
    shard = grid.shards[len(grid.shards) // 2]
    outline = shard_outline(shard)
    middle = (shard.grid.shape[0] // 2, shard.grid.shape[1] // 2)
    target = shard.grid[middle[0] : middle[0] + PROBE_PX, middle[1] : middle[1] + PROBE_PX]
    with ThreadPoolExecutor(THREADS) as pool:
        jobs = []
        for product, granules in plan.granules.items():
            near = [granule for granule in granules if granule.footprint.intersects(outline)]
            bands = plan.definition.product(product).bands()
            for granule in (near or list(granules))[:1]:
                jobs += [
                    pool.submit(_probe, plan, granule, name, bands[name], target) for name in _shared(granule, bands)
                ]
        for job in jobs:
            job.result()


def _shared(granule: Granule, bands: dict[str, Band]) -> Iterator[str]:
    return (name for name in granule.assets if name in bands)


def _probe(plan: BuildPlan, granule: Granule, name: str, band: Band, target: GeoBox) -> None:
    try:
        read_window(
            granule.assets[name],
            target,
            nodata=band.nodata,
            dtype=band.dtype,
            resampling="nearest",
            sign=plan.source.sign,
            policy=ReadPolicy(attempts=1),
        )
    except ReadError:
        return
