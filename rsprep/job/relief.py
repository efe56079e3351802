"""The terrain layer of a block: DEM tiles to elevation, slope, aspect and hillshade."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rsprep.config import Terrain
from rsprep.granule import Granule
from rsprep.job.made import Contribution, Made
from rsprep.job.reader import Reader
from rsprep.products.terrain import HALO, metric_side, terrain
from rsprep.reading.control import ControlCache
from rsprep.reading.dem import Box, load_dem
from rsprep.reading.spec import BandSpec
from rsprep.sources.definition import DemProduct


def relief(
    granules: Sequence[Granule], product: DemProduct, settings: Terrain, reader: Reader, sea: Sequence[Box]
) -> Made:
    """Elevation and its derivatives; a halo of one pixel keeps the edges of chips whole.

    Parameters
    ----------
    sea : areas (west, south, east, north; degrees) without a published tile, where the height is 0 m.
    """
    block = reader.block
    spec = BandSpec(dtype=product.dtype, nodata=product.nodata, resampling=settings.resampling)
    controls = ControlCache(block.pad(HALO))
    found = load_dem(
        granules, "elevation", controls.target, spec,
        access=reader.access, zero_boxes=sea, controls=controls, pool=reader.pool, collect=True,
    )  # fmt: skip
    by_id = {granule.id: granule for granule in granules}
    for failed in found.failed:
        reader.failed(by_id[failed.granule_id], failed.error, (failed.rows, failed.columns), reader.everything)
    heights = np.where(found.layer.valid, found.layer.values[0], np.float32(np.nan)).astype(np.float32, copy=False)
    for granule_id in found.granule_ids:
        reader.count(by_id[granule_id], ("elevation",), spec, controls)
    layers = terrain(
        heights,
        resolution=metric_side(block),
        azimuth=settings.azimuth,
        altitude=settings.altitude,
        z_factor=settings.z_factor,
    )
    covered = np.isfinite(layers[0])
    contributions = tuple(
        Contribution(product="dem", granule_id=granule_id, moment=None, mask=covered)
        for granule_id in found.granule_ids
    )
    return Made(arrays={"terrain": layers}, covered=covered, contributions=contributions)
