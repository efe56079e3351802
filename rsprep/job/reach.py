"""Which ground a shard or an area reaches, and which granules meet it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import shapely
from shapely.affinity import translate

from rsprep.granule import Granule
from rsprep.ground.shards import Shard
from rsprep.reading.extent import outline

NEAR_DEGREES = 0.02
"""By how much a shard's outline is widened before footprints, which providers round, are compared with it."""
_WORLD = shapely.box(-180, -90, 180, 90)


def shard_outline(shard: Shard) -> shapely.Geometry:
    """Longitude/latitude outline of a shard's block, widened a little; in parts where it crosses 180°."""
    return widened(outline(shard.grid), NEAR_DEGREES)


def widened(area: shapely.Geometry, degrees: float) -> shapely.Geometry:
    """An area grown by at least `degrees` of latitude; what reaches beyond ±180° comes in on the other side."""
    _, south, _, north = area.bounds
    stretch = 1 / max(0.1, float(np.cos(np.radians(max(abs(south), abs(north))))))
    grown = area.buffer(degrees * stretch, join_style="mitre")
    return shapely.union_all([translate(grown, xoff=turn) for turn in (-360.0, 0.0, 360.0)]).intersection(_WORLD)


class FootprintIndex:
    """Which granules meet an outline."""

    def __init__(self, granules: Mapping[str, tuple[Granule, ...]]) -> None:
        self._granules = granules
        self._trees = {
            product: shapely.STRtree([granule.footprint for granule in found]) for product, found in granules.items()
        }

    def near(self, area: shapely.Geometry) -> dict[str, tuple[Granule, ...]]:
        """Product to the granules whose footprints meet `area`, in their order."""
        return {
            product: tuple(self._granules[product][at] for at in sorted(tree.query(area, predicate="intersects")))
            for product, tree in self._trees.items()
        }
