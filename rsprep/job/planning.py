"""From the grid's shards to the journal's records, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from rsprep.ground.lattice import Lattice
from rsprep.ground.shards import Chip, Shard
from rsprep.job.journal_view import JournalView
from rsprep.job.records import ChipRow, PlannedChip, PlannedShard, ShardRow


def planned_shards(shards: Iterable[Shard]) -> Iterator[PlannedShard]:
    """The plan as :meth:`rsprep.job.journal.Journal.plan` takes it, one shard at a time."""
    for shard in shards:
        first = shard.index * shard.block_chips**2
        record = {
            "lattice": asdict(shard.lattice),
            "west": asdict(shard.west),
            "block_row": shard.block_row,
            "block_col": shard.block_col,
            "block_chips": shard.block_chips,
        }
        chips = tuple(
            PlannedChip(slot=first + position, chip_id=chip.chip_id, record=_chip_record(chip), reject=chip.reject)
            for position, chip in shard.planned
        )
        yield PlannedShard(index=shard.index, shard_id=shard.shard_id, record=record, chips=chips)


def _chip_record(chip: Chip) -> dict[str, Any]:
    west, _, _, north = chip.lattice.bounds(chip.row, chip.col).tolist()
    return {
        "epsg": chip.epsg,
        "row": chip.row,
        "col": chip.col,
        "x_origin": west,
        "y_origin": north,
        "lon": chip.lon,
        "lat": chip.lat,
        "split": chip.split,
        "inside": chip.inside,
        "clipped": chip.clipped,
    }


def shard_of(journal: JournalView, row: ShardRow) -> Shard:
    """The shard that `row` of the journal stands for, with its chips."""
    record = row.record
    lattice = Lattice(**record["lattice"])
    slots = record["block_chips"] ** 2
    chips: list[Chip | None] = [None] * slots
    for chip in journal.chips_of(row.index):
        chips[chip.slot - row.index * slots] = _chip_of(chip, lattice)
    return Shard(
        index=row.index,
        lattice=lattice,
        west=Lattice(**record["west"]),
        block_row=record["block_row"],
        block_col=record["block_col"],
        block_chips=record["block_chips"],
        chips=tuple(chips),
    )


def _chip_of(row: ChipRow, lattice: Lattice) -> Chip:
    names = ("row", "col", "lon", "lat", "split", "inside", "clipped")
    reject = row.reason if row.excluded else None
    return Chip(lattice=lattice, reject=reject, **{name: row.record[name] for name in names})
