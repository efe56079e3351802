"""Look into one file of every band before the work begins: a wrong definition shows here, not after a night."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor

from rsprep.errors import ReadError
from rsprep.granule import Asset
from rsprep.ground.grid import Plan
from rsprep.job.plan import BuildPlan
from rsprep.job.reach import shard_outline
from rsprep.reading.access import Access, ReadPolicy
from rsprep.reading.control import ControlCache
from rsprep.reading.spec import BandSpec
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
    middle = (shard.grid.shape[0] // 2, shard.grid.shape[1] // 2)
    controls = ControlCache(shard.grid[middle[0] : middle[0] + PROBE_PX, middle[1] : middle[1] + PROBE_PX])
    ground = shard_outline(shard)
    accesses = {name: source.access(ReadPolicy(attempts=1, patience=0)) for name, source in plan.sources.items()}
    with ThreadPoolExecutor(THREADS) as pool:
        jobs = []
        for product, granules in plan.granules.items():
            for supply in plan.supplies[product]:
                bands = supply.rules.bands()
                those = [granule for granule in granules if granule.source == supply.source]
                near = [granule for granule in those if granule.footprint.intersects(ground)]
                for granule in (near or those)[:1]:
                    jobs += [
                        pool.submit(_probe, accesses[supply.source], granule.assets[name], bands[name], controls)
                        for name in granule.assets
                        if name in bands
                    ]
        for job in jobs:
            job.result()


def _probe(access: Access, asset: Asset, band: Band, controls: ControlCache) -> None:
    spec = BandSpec(dtype=band.dtype, nodata=band.nodata, resampling="nearest")
    with contextlib.suppress(ReadError):
        access.read([asset], spec, controls, lambda _index, _window: None)
