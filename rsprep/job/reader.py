"""What one task reads with: every source by its own access, counted, and what failed remembered with its place."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from rsprep.errors import RasterError, ReadError, RsprepError
from rsprep.granule import Granule
from rsprep.reading.access import Access, Cost
from rsprep.reading.bands import asset_of, load_granule
from rsprep.reading.control import ControlCache, crs_of
from rsprep.reading.extent import reach
from rsprep.reading.layer import Layer
from rsprep.reading.mosaic import Box
from rsprep.reading.promise import check_promise
from rsprep.reading.spec import BandSpec

Found = TypeVar("Found")


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A granule that should have given pixels and could not be read."""

    product: str
    granule_id: str
    reason: str
    box: Box
    """What it may have filled, rows and columns of the block."""


@dataclass(kw_only=True)
class Reader:
    """Reads granules onto a block, or onto a box of it."""

    block: GeoBox
    accesses: Mapping[str, Access]
    """Source to where its pixels come from."""
    pool: Executor
    """Where the bands of a granule are read concurrently."""
    outlined: Collection[tuple[str, str]] = ()
    """Sources and products whose footprints outline real pixels, so that a blank granule is at fault."""
    at_a_time: int = 1
    """Passes that are read at a time; more than one pays where reading is waiting, and takes the memory of so many."""
    failures: list[Failure] = field(default_factory=list)
    cost: Cost = field(default_factory=Cost)
    """What the source windows that were read took, retries aside."""
    _controls: ControlCache = field(init=False)
    _counting: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        self._controls = ControlCache(self.block)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the block."""
        return int(self.block.shape[0]), int(self.block.shape[1])

    @property
    def everything(self) -> Box:
        """The whole block."""
        rows, columns = self.shape
        return slice(0, rows), slice(0, columns)

    def layer(self, granule: Granule, bands: Sequence[str], spec: BandSpec, box: Box) -> Layer | None:
        """Bands of one granule on a box of the block; None where it has no pixel there, or could not be read."""
        controls = self.controls(box)

        def load() -> Layer | None:
            layer = load_granule(
                granule, bands, controls.target, spec,
                access=self.access(granule), controls=controls, pool=self.pool,
            )  # fmt: skip
            self.count(granule, bands, spec, controls)
            self.check_shown(granule, None if layer is None else layer.valid, controls.target)
            return layer

        return self.guarded(granule, box, load)

    def check_shown(self, granule: Granule, valid: NDArray[np.bool_] | None, target: GeoBox) -> None:
        """Hold the valid pixels (y, x) of a granule against its footprint, where that is true.

        Raises
        ------
        RasterError : see :func:`rsprep.reading.promise.check_promise`.
        """
        if (granule.source, granule.product) in self.outlined:
            check_promise(granule, valid, target)

    def access(self, granule: Granule) -> Access:
        """Where a granule's pixels come from."""
        return self.accesses[granule.source]

    def count(self, granule: Granule, bands: Sequence[str], spec: BandSpec, controls: ControlCache) -> None:
        """Add what reading these bands took."""
        cost = self.access(granule).cost([asset_of(granule, band) for band in bands], spec, controls)
        with self._counting:
            self.cost += cost

    def guarded(self, granule: Granule, box: Box, work: Callable[[], Found | None]) -> Found | None:
        """`work()`, or None if it could not read `granule`; the failure is remembered with what it may have filled."""
        try:
            return work()
        except (ReadError, RasterError) as error:
            self.failed(granule, error, reach(granule, self.block[box], self.controls(box)), box)
            return None

    def failed(self, granule: Granule, error: RsprepError, reached: Box, box: Box) -> None:
        """Remember a failure; `reached` counts from the box's own corner."""
        rows, columns = (_shifted(part, origin.start) for part, origin in zip(reached, box, strict=True))
        reason = f"{granule.product} {granule.id}: {error.name}: {error.cause}"
        self.failures.append(
            Failure(product=granule.product, granule_id=granule.id, reason=reason, box=(rows, columns))
        )

    def controls(self, box: Box) -> ControlCache:
        """Control grids of a box, shared by all that is read onto it; positions are those of the whole block."""
        return self._controls.cropped(*box)


def nearest_crs_first(granules: Sequence[Granule], block: GeoBox) -> list[Granule]:
    """Granules in the order in which a mosaic takes them: those on the block's own CRS first, as they need no warp."""

    def foreign(granule: Granule) -> bool:
        grids = [asset.grid for asset in granule.assets.values() if asset.grid is not None]
        return bool(grids) and crs_of(grids[0]) != crs_of(block)

    return sorted(granules, key=lambda granule: (foreign(granule), granule.datetime, granule.id))


def facts_of(granule: Granule, keys: Mapping[str, str | None]) -> dict[str, Any]:
    """Properties of a granule under our own names, where it has them."""
    return {
        name: granule.properties[key]
        for name, key in keys.items()
        if key is not None and granule.properties.get(key) is not None
    }


def blank_mask(shape: tuple[int, int]) -> NDArray[np.bool_]:
    """A mask (y, x) that is False everywhere."""
    return np.zeros(shape, np.bool_)


def _shifted(part: slice, by: int) -> slice:
    return slice(part.start + by, part.stop + by)
