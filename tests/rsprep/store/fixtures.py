"""A small sealed data set with known pixels, for tests of store, catalog and report."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsprep.config import make_config
from rsprep.dynamic_world import CLASSES
from rsprep.granule import Granule
from rsprep.job.columns import chip_columns
from rsprep.job.journal import Journal
from rsprep.job.records import ChipResult, PlannedChip, PlannedShard, ShardResult
from rsprep.store.digest import chip_digest
from rsprep.store.schema import Schema, multisource_schema
from rsprep.store.seal import seal_store
from rsprep.store.write import create_store, write_shard

CHIP_PX = 16
EPSG = 32633
SIDE = CHIP_PX * 10.0


def small_schema(**settings: Any) -> Schema:
    """Four layers, 16-pixel chips, four slots a shard."""
    values = {"aoi": "0,0,1,1", "out": "x", "grid": {"chip_size": CHIP_PX, "block_px": 2 * CHIP_PX}, **settings}
    return multisource_schema(make_config(values), s1_kind="rtc", s1_calibration="gamma0", s1_orbit="ascending")


def shard_arrays(schema: Schema, seed: int, *, blank: Iterable[int] = ()) -> dict[str, NDArray[Any]]:
    """Plausible pixels of one shard, with no-data sprinkled in; slots in `blank` hold nothing else."""
    rng = np.random.default_rng(seed)
    arrays: dict[str, NDArray[Any]] = {}
    for variable in schema.variables:
        empty = variable.blank(schema.slots_per_shard, schema.chip_px)
        if variable.name == "s2":
            values = rng.integers(-500, 12000, empty.shape).astype("int16")
        elif variable.name == "s2_valid":
            values = rng.integers(0, 2, empty.shape).astype("uint8")
        elif variable.name == "lulc":
            values = rng.integers(0, len(CLASSES), empty.shape).astype("uint8")
        else:
            values = rng.normal(0, 10, empty.shape).astype("float32")
        values[rng.random(empty.shape) < 0.05] = variable.fill
        values[list(blank)] = variable.fill
        arrays[variable.name] = values
    return arrays


def planned_shard(index: int, slots: int, *, excluded: Iterable[int] = ()) -> PlannedShard:
    """A shard of 2×2 chips, east of the one before."""
    chips = []
    for position in range(slots):
        row, col = divmod(position, 2)
        column = 2 * index + col
        record = {
            "epsg": EPSG,
            "row": row,
            "col": column,
            "x_origin": 500000.0 + column * SIDE,
            "y_origin": 5400000.0 - row * SIDE,
            "lon": 15.0 + column * 0.002,
            "lat": 48.7 - row * 0.0015,
            "split": ("train", "val", "test")[index % 3],
        }
        slot = index * slots + position
        reject = "split buffer" if slot in tuple(excluded) else None
        chips.append(PlannedChip(slot=slot, chip_id=f"33N-{row:04d}-{column:04d}", record=record, reject=reject))
    return PlannedShard(index=index, shard_id=f"33N-b{index:04d}", record={"index": index}, chips=tuple(chips))


def chip_result(schema: Schema, arrays: dict[str, NDArray[Any]], slot: int) -> ChipResult:
    """Outcome of one committed chip with the statistics that the products report."""
    position = slot % schema.slots_per_shard
    one = {name: values[position] for name, values in arrays.items()}
    shares = np.bincount(one["lulc"].ravel(), minlength=9)[:9] / one["lulc"].size if "lulc" in one else []
    stats: dict[str, Any] = {
        "s2_cloud_fraction": 0.25,
        "valid_fraction": 0.75,
        "class_shares": {str(code): float(share) for code, share in enumerate(shares)},
        "datetime_start": "2021-06-01T10:00:00+00:00",
        "datetime_end": "2021-07-01T10:00:00+00:00",
        "sources": {"sentinel2": ["S2A_20210601"], "dem": ["N48E015"]},
        "facts": {"sentinel2_baseline": ["05.00"], "sentinel1_orbit": ["ascending"]},
    }
    return ChipResult(slot=slot, state="committed", digest=chip_digest(one), stats=stats)


def build_small(
    dataset: Path,
    *,
    n_shards: int = 3,
    excluded: tuple[int, ...] = (),
    failed: tuple[int, ...] = (),
    granules: tuple[Granule, ...] = (),
    **settings: Any,
) -> Schema:
    """Plan, write, commit and seal a data set of `n_shards` shards."""
    schema = small_schema(**settings)
    slots = schema.slots_per_shard
    store = dataset / "chips.zarr"
    with Journal.resume(dataset, {"test": 1}) as journal:
        journal.plan((planned_shard(index, slots, excluded=excluded) for index in range(n_shards)), granules)
        create_store(store, schema, n_shards)
        for shard in journal.pending():
            first = shard.index * slots
            blank = [slot - first for slot in excluded if first <= slot < first + slots]
            if shard.index in failed:
                write_shard(store, schema, shard.index, shard_arrays(schema, 0, blank=range(slots)))
                journal.fail(shard.index, "read/gave-up: three times 503")
                continue
            arrays = shard_arrays(schema, shard.index, blank=blank)
            write_shard(store, schema, shard.index, arrays)
            kept = [slot for slot in range(first, first + slots) if slot not in excluded]
            chips = tuple(chip_result(schema, arrays, slot) for slot in kept)
            journal.commit(ShardResult(index=shard.index, chips=chips, seconds=0.5, bytes_read=1000, peak_rss=10**8))
        seal_store(store, chip_columns(journal, schema, n_shards * slots))
    return schema
