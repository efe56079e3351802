"""Seal a data set: choose among the finished chips, write what is known of each, and mark the store as whole.

Sealing can be interrupted and done again: every step gives the same result when it is repeated.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from rsprep.cloud.address import Place
from rsprep.config import BuildConfig
from rsprep.job.columns import chip_columns
from rsprep.job.journal import Journal
from rsprep.job.records import ChipRow
from rsprep.select import select
from rsprep.store.schema import Schema
from rsprep.store.seal import seal_store
from rsprep.store.write import blank_slots


def apply_selection(journal: Journal, config: BuildConfig, schema: Schema, store: Place) -> int:
    """Reject finished chips that the selection does not keep; returns how many."""
    reasons = select((_candidate(chip) for chip in journal.chips("committed")), config.select, seed=config.split.seed)
    reject_chips(journal, schema, store, reasons)
    return len(reasons)


def reject_chips(journal: Journal, schema: Schema, store: Place, reasons: Mapping[str, str]) -> None:
    """Reject finished chips, told by name with a reason.

    Their slots are blanked before the journal says so: a death in between leaves a chip that is
    chosen again on resuming, never one that counts and is gone.
    """
    slots = {
        chip.chip_id: (chip.slot, chip.shard_index) for chip in journal.chips("committed") if chip.chip_id in reasons
    }
    by_shard: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for chip_id, reason in reasons.items():
        slot, shard = slots[chip_id]
        by_shard[shard].append((slot, reason))
    for shard, chosen in sorted(by_shard.items()):
        blank_slots(store, schema, shard, (slot % schema.slots_per_shard for slot, _ in chosen))
        journal.reject(chosen)


def seal(journal: Journal, schema: Schema, store: Place) -> None:
    """Write the chip coordinates of every slot and consolidate the store."""
    seal_store(store, chip_columns(journal, schema, journal.meta("n_shards") * schema.slots_per_shard))


def _candidate(chip: ChipRow) -> Mapping[str, Any]:
    shares = chip.stats.get("class_shares")
    return {
        "chip_id": chip.chip_id,
        "valid_fraction": chip.stats.get("valid_fraction"),
        "s2_cloud_fraction": chip.stats.get("s2_cloud_fraction"),
        "class_shares": None if shares is None else {int(code): share for code, share in shares.items()},
    }
