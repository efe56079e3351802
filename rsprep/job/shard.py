"""The one task: a block of chips from granules to a written shard, top to bottom."""

from __future__ import annotations

import pickle
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsprep.config import BuildConfig, Layer
from rsprep.granule import Granule
from rsprep.ground.shards import Chip, Shard
from rsprep.job.ahead import begun_ahead
from rsprep.job.labels import Offer, landcover
from rsprep.job.made import Made
from rsprep.job.optical import Optical
from rsprep.job.radar import radar
from rsprep.job.reader import Failure, Reader
from rsprep.job.records import LULC_SOURCE, ChipResult, ShardResult, peak_memory
from rsprep.job.relief import relief
from rsprep.job.supplies import Supply, outlined
from rsprep.products.landcover import class_shares
from rsprep.reading.access import Access
from rsprep.reading.mosaic import Box
from rsprep.sources.definition import DemProduct, LandCoverProduct, Sentinel1Product, Sentinel2Product
from rsprep.store.digest import chip_digest
from rsprep.store.fence import require_writer
from rsprep.store.schema import Schema
from rsprep.store.write import write_shard

READ_THREADS = 4
"""Threads that read the files of one task; more only get in one another's way."""
WAITING_THREADS = 8
"""The same where files come over a network, so that most of them wait. More only fight for the interpreter."""
WAITING_PASSES = 3
"""Passes of a layer that are read at a time then, so that their round trips are not added up."""
LEAST_COVERED = 0.99
"""With ``partial="drop"``, a chip is out of the data where a layer's sources reach less of it than this."""


@dataclass(frozen=True, kw_only=True)
class ShardTask:
    """Everything a worker needs for one shard; small, and without pixels or secrets."""

    shard: Shard
    config: BuildConfig
    supplies: Mapping[str, tuple[Supply, ...]]
    """Product to the sources that serve it, the preferred one first."""
    accesses: Mapping[str, Access]
    """Source to where its pixels come from."""
    granules: Mapping[str, tuple[Granule, ...]]
    """Product to the granules whose footprints meet the shard."""
    sea: tuple[tuple[float, float, float, float], ...]
    """DEM tiles that were never published: west, south, east, north."""
    store: str
    token: str
    """Admits to the store as a writer, see :mod:`rsprep.store.fence`."""
    schema: Schema

    def __reduce__(self) -> tuple[Any, ...]:
        """Travels compressed: the hrefs of a season's granules repeat one another, and weigh 4 kB a granule."""
        state = {one.name: getattr(self, one.name) for one in fields(self)}
        return _unpacked, (zlib.compress(pickle.dumps(state)),)


def _unpacked(packed: bytes) -> ShardTask:
    return ShardTask(**pickle.loads(zlib.decompress(packed)))  # noqa: S301  # Dask unpickles what it is sent anyway


def run_shard(task: ShardTask) -> ShardResult:
    """Read, make, cut, judge and write one shard; returns what became of each of its chips.

    Raises nothing for unreadable granules (their chips are quarantined). A full disk, or a store that
    is out of reach or taken over, raises and ends the build; anything else that is raised is a defect
    and quarantines the whole shard.
    """
    began = time.perf_counter()
    require_writer(task.store, task.token)
    wanted = dict(task.shard.to_build)
    box = box_around(task.shard, task.config.grid.chip_size)
    assets = (asset for those in task.granules.values() for one in those for asset in one.assets.values())
    remote = not all(asset.on_disk for asset in assets)
    with ThreadPoolExecutor(WAITING_THREADS if remote else READ_THREADS) as pool:
        reader = Reader(
            block=task.shard.grid[box],
            accesses=task.accesses,
            pool=pool,
            outlined=outlined(task.supplies),
            at_a_time=WAITING_PASSES if remote else 1,
        )
        layers, seconds = make_layers(task, reader)
    cutting = time.perf_counter()
    pixels, chips = _cut_all(task, wanted, box, layers, reader.failures)
    seconds["cut"] = time.perf_counter() - cutting
    writing = time.perf_counter()
    require_writer(task.store, task.token)
    write_shard(task.store, task.schema, task.shard.index, pixels)
    seconds["write"] = time.perf_counter() - writing
    return ShardResult(
        index=task.shard.index,
        chips=tuple(chips),
        seconds=time.perf_counter() - began,
        bytes_read=reader.cost.bytes,
        peak_rss=peak_memory(),
        stats={
            "seconds": seconds,
            "requests": reader.cost.requests,
            "failures": sorted({failure.reason for failure in reader.failures}),
        },
    )


def make_layers(task: ShardTask, reader: Reader) -> tuple[dict[str, Made], dict[str, float]]:
    """Every layer that the configuration asks for, and the seconds that each took."""
    config, supplies, granules = task.config, task.supplies, task.granules

    def optical() -> Made:
        rules = supplies["sentinel2"][0].expect(Sentinel2Product)
        return Optical(granules["sentinel2"], rules, config.sentinel2, reader, config.grid.chip_size).make()

    def backscatter() -> Made:
        rules = supplies["sentinel1"][0].expect(Sentinel1Product)
        return radar(granules["sentinel1"], rules, config.sentinel1, reader)

    def labels() -> Made:
        offers = [
            Offer(
                rules=one.expect(LandCoverProduct),
                granules=tuple(granule for granule in granules["landcover"] if granule.source == one.source),
            )
            for one in supplies["landcover"]
        ]
        return landcover(offers, config.landcover, reader, config.grid.chip_size)

    def heights() -> Made:
        rules = supplies["dem"][0].expect(DemProduct)
        return relief(granules["dem"], rules, config.terrain, reader, task.sea)

    makers: dict[Layer, Callable[[], Made]] = {"s2": optical, "s1": backscatter, "lulc": labels, "terrain": heights}

    def timed(name: Layer) -> tuple[Made, float]:
        began = time.perf_counter()
        return makers[name](), time.perf_counter() - began

    # Over a network a layer waits most of its time: they wait together. On a disk they would only share the cores.
    made = list(begun_ahead(timed, config.layers, len(config.layers) if reader.at_a_time > 1 else 1))
    layers: dict[str, Made] = {name: layer for name, (layer, _) in zip(config.layers, made, strict=True)}
    seconds: dict[str, float] = {name: took for name, (_, took) in zip(config.layers, made, strict=True)}
    return layers, seconds


def _cut_all(
    task: ShardTask, wanted: Mapping[int, Chip], box: Box, layers: Mapping[str, Made], failures: Sequence[Failure]
) -> tuple[dict[str, NDArray[Any]], list[ChipResult]]:
    """The whole shard as it is stored, and the verdict on each chip; slots without a committed one hold no-data."""
    schema = task.schema
    # Each chip is cut straight into its slot: a shard is too large to be filled, cut and copied in turn.
    pixels = {
        v.name: np.empty((schema.slots_per_shard, *v.chip_shape(schema.chip_px)), v.dtype) for v in schema.variables
    }
    results = []
    for slot in range(schema.slots_per_shard):
        here = {name: values[slot] for name, values in pixels.items()}
        if slot in wanted:
            results.append(_cut(task, slot, wanted[slot], box, layers, failures, out=here))
        if slot not in wanted or results[-1].state != "committed":
            for name, values in here.items():
                values[...] = schema[name].fill
    return pixels, results


def _cut(
    task: ShardTask,
    slot: int,
    chip: Chip,
    box: Box,
    layers: Mapping[str, Made],
    failures: Sequence[Failure],
    *,
    out: Mapping[str, NDArray[Any]],
) -> ChipResult:
    """Fill `out` with one chip; its statistics and its verdict."""
    here = _chip_box(slot, task.shard.block_chips, task.config.grid.chip_size, box)
    owned = task.shard.owned(chip)
    for made in layers.values():
        for name, values in made.arrays.items():
            np.copyto(out[name], values[..., here[0], here[1]], casting="no")
            if owned is not None:
                out[name][..., ~owned] = task.schema[name].fill
    stats = _statistics(layers, here, owned, out)
    if task.schema.columns:
        stats["values"] = {LULC_SOURCE: ", ".join(stats["facts"].get("landcover_source", ()))}
    broken = sorted({failure.reason for failure in failures if _overlap(failure.box, here)})
    reason = "" if broken else _rejection(task.config, layers, here, owned)
    state = "quarantined" if broken else "rejected" if reason else "committed"
    return ChipResult(
        slot=task.shard.index * task.schema.slots_per_shard + slot,
        state=state,  # type: ignore[arg-type]  # one of the three outcomes
        reason="; ".join(broken) or reason,
        digest=chip_digest(out) if state == "committed" else "",
        stats=stats,
    )


def _rejection(config: BuildConfig, layers: Mapping[str, Made], here: Box, owned: NDArray[np.bool_] | None) -> str:
    """Why the chip is left out: a layer has nothing there, or it sticks out of the data; empty where it is kept."""
    for name, made in layers.items():
        covered = made.covered[here]
        if not (covered if owned is None else covered & owned).any():
            return f"no data: {name} has no pixel in the chip"
        share = float(covered.mean())
        if config.grid.partial == "drop" and not made.patchy and share < LEAST_COVERED:
            return f"out of the data: {name} covers {min(share, LEAST_COVERED - 0.005):.0%} of the chip"
    return ""


def _statistics(
    layers: Mapping[str, Made], here: Box, owned: NDArray[np.bool_] | None, arrays: Mapping[str, NDArray[Any]]
) -> dict[str, Any]:
    """What the journal and the catalog keep of a chip: shares, dates, and the granules its pixels came from."""
    kept = np.ones((here[0].stop - here[0].start, here[1].stop - here[1].start), np.bool_) if owned is None else owned
    stats: dict[str, Any] = {}
    sources: dict[str, list[str]] = {}
    facts: dict[str, set[str]] = {}
    moments = []
    for made in layers.values():
        stats |= {name: float((mask[here] & kept).mean()) for name, mask in made.shares.items()}
        for one in made.contributions:
            if (one.mask[here] & kept).any():
                sources.setdefault(one.product, []).append(one.granule_id)
                for name, value in one.facts.items():
                    facts.setdefault(f"{one.product}_{name}", set()).add(str(value))
                if one.moment is not None:
                    moments.append(one.moment)
    if "valid_fraction" not in stats:
        covers = [made.covered[here] & kept for made in layers.values()]
        stats["valid_fraction"] = float(np.logical_and.reduce(covers).mean())
    if "lulc" in arrays:
        shares, unlabelled = class_shares(arrays["lulc"])
        stats["class_shares"] = {str(index): share for index, share in enumerate(shares.tolist()) if share > 0}
        stats["unlabelled"] = unlabelled
    stats["sources"] = {product: sorted(set(ids)) for product, ids in sources.items()}
    stats["facts"] = {name: sorted(values) for name, values in sorted(facts.items())}
    if moments:
        stats |= {"datetime_start": min(moments).isoformat(), "datetime_end": max(moments).isoformat()}
    return stats


def box_around(shard: Shard, chip_px: int) -> Box:
    """Rows and columns of a shard's block that hold the chips to build: no more than these is read."""
    rows, columns = zip(*(divmod(slot, shard.block_chips) for slot, _ in shard.to_build), strict=True)
    return (
        slice(min(rows) * chip_px, (max(rows) + 1) * chip_px),
        slice(min(columns) * chip_px, (max(columns) + 1) * chip_px),
    )


def _chip_box(slot: int, block_chips: int, chip_px: int, box: Box) -> Box:
    """Where a slot's chip lies within `box`."""
    row, column = divmod(slot, block_chips)
    top, left = row * chip_px - box[0].start, column * chip_px - box[1].start
    return slice(top, top + chip_px), slice(left, left + chip_px)


def _overlap(one: Box, other: Box) -> bool:
    return all(a.start < b.stop and b.start < a.stop for a, b in zip(one, other, strict=True))
