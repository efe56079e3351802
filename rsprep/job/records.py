"""What goes into the journal and comes out of it: plain frozen records that survive JSON and pickling."""

from __future__ import annotations

import json
import resource
import sqlite3
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from rsprep.config import BuildConfig

CORPUS = "corpus"
"""Key under which the journal keeps what a corpus is and what its report shows; a multi-source data set has none."""
SYNTHETIC = "synthetic"
"""Key under which what a corpus is says that a model made its chips."""
LULC_SOURCE = "lulc_source"
"""Column that tells which of several sources the land cover of a chip is from."""
TABLES = "tables"
"""Key under which the journal keeps the tables that a corpus made of itself."""
Outcome = Literal["committed", "rejected", "quarantined"]
_NO_PIXEL_DEPENDS_ON = ("engine", "earthengine", "catalog", "out")


@dataclass(frozen=True, kw_only=True)
class PlannedChip:
    """One chip of the plan."""

    slot: int
    """Position along the store's chip axis: shard index × slots per shard + position in the shard."""
    chip_id: str
    record: Mapping[str, Any]
    """What the seal and the catalog need: ``epsg``, ``row``, ``col``, ``x_origin``, ``y_origin``, ``lon``,
    ``lat``, ``split``."""
    reject: str | None = None
    """Why the plan leaves this chip out (split buffer, say); None for a chip to be made."""


@dataclass(frozen=True, kw_only=True)
class PlannedShard:
    """One shard of the plan."""

    index: int
    shard_id: str
    record: Mapping[str, Any]
    """What the task needs to rebuild its grid and its sources."""
    chips: tuple[PlannedChip, ...]

    @property
    def has_work(self) -> bool:
        """True where at least one chip is to be made."""
        return any(chip.reject is None for chip in self.chips)


@dataclass(frozen=True, kw_only=True)
class ChipResult:
    """What became of one chip."""

    slot: int
    """Position along the store's chip axis."""
    state: Outcome
    reason: str = ""
    """Why it was rejected or quarantined."""
    digest: str = ""
    """Digest of a committed chip's pixels."""
    stats: Mapping[str, Any] = field(default_factory=dict)
    """JSON values without NaN: ``s2_cloud_fraction``, ``valid_fraction``, ``class_shares`` (class number as text
    to share), ``datetime_start`` and ``datetime_end`` (ISO with a zone), ``sources`` (product to granule ids),
    ``facts`` (``product_fact`` to values) and what else the products report."""


@dataclass(frozen=True, kw_only=True)
class ShardResult:
    """What a task returns after it has written its shard."""

    index: int
    chips: tuple[ChipResult, ...]
    """One outcome for every chip of the shard that was still to be made."""
    seconds: float = 0.0
    bytes_read: int = 0
    peak_rss: int = 0
    """Largest resident memory of the worker, bytes."""
    stats: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ShardRow:
    """A shard as the journal has it."""

    index: int
    shard_id: str
    record: Mapping[str, Any]
    state: str
    attempts: int
    seconds: float
    bytes_read: int
    peak_rss: int
    reason: str
    stats: Mapping[str, Any]

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> Self:
        values = {key: row[key] for key in row.keys()}  # noqa: SIM118  # iterating a Row gives values
        return cls(
            index=values.pop("shard_index"),
            record=json.loads(values.pop("record")),
            stats=json.loads(values.pop("stats")),
            **values,
        )


@dataclass(frozen=True, kw_only=True)
class ChipRow:
    """A chip as the journal has it."""

    slot: int
    chip_id: str
    shard_index: int
    state: str
    excluded: bool
    """True where the plan itself left the chip out."""
    reason: str
    digest: str
    record: Mapping[str, Any]
    stats: Mapping[str, Any]

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> Self:
        values = {key: row[key] for key in row.keys()}  # noqa: SIM118  # iterating a Row gives values
        return cls(
            excluded=bool(values.pop("excluded")),
            record=json.loads(values.pop("record")),
            stats=json.loads(values.pop("stats")),
            **values,
        )


@dataclass(frozen=True, kw_only=True)
class Counts:
    """The sum of a journal."""

    planned: int
    """Chips in the plan, as it was recorded."""
    committed: int
    rejected: int
    quarantined: int
    pending: int
    shards_done: int
    shards_failed: int
    shards_pending: int

    @property
    def balanced(self) -> bool:
        """The invariant: planned = committed + rejected + quarantined (+ pending, while the build runs)."""
        return self.planned == self.committed + self.rejected + self.quarantined + self.pending

    @property
    def finished(self) -> bool:
        """True once nothing is pending."""
        return self.shards_pending == 0 and self.pending == 0


def identity_of(config: BuildConfig, **more: Any) -> dict[str, Any]:
    """Everything that decides the pixels, as a flat mapping with dotted keys.

    Leaves out where the work runs and where it lands. `more` adds what the configuration only
    points at, e.g. the geometry behind the AOI's path.
    """
    values = config.model_dump(mode="json", exclude=set(_NO_PIXEL_DEPENDS_ON))
    flat: dict[str, Any] = {}
    for key, value in {**values, **more}.items():
        if isinstance(value, dict):
            flat.update({f"{key}.{inner}": deep for inner, deep in value.items()})
        else:
            flat[key] = value
    return flat


def peak_memory() -> int:
    """Largest resident memory of this worker so far, bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) if sys.platform == "darwin" else int(peak) * 1024
