"""The journal's chips as the store's coordinates: one value a slot."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsprep.job.journal_view import JournalView
from rsprep.job.records import CORPUS, SYNTHETIC
from rsprep.store.schema import Schema

_UNKNOWN = float("nan")


def chip_columns(journal: JournalView, schema: Schema, n_slots: int) -> dict[str, NDArray[Any]]:
    """Coordinates along the chip axis for :func:`rsprep.store.seal.seal_store`.

    Slots that the plan left empty and chips that came to nothing keep their place with
    ``committed`` false; what is unknown of them is NaN, NaT, 0 or empty text.
    """
    columns: dict[str, NDArray[Any]] = {
        "chip_id": np.full(n_slots, "", object),
        "epsg": np.zeros(n_slots, np.int32),
        "x_origin": np.full(n_slots, _UNKNOWN),
        "y_origin": np.full(n_slots, _UNKNOWN),
        "lon": np.full(n_slots, _UNKNOWN),
        "lat": np.full(n_slots, _UNKNOWN),
        "split": np.full(n_slots, "", object),
        "datetime_start": np.full(n_slots, np.datetime64("NaT", "s")),
        "datetime_end": np.full(n_slots, np.datetime64("NaT", "s")),
        "s2_cloud_fraction": np.full(n_slots, _UNKNOWN, np.float32),
        "valid_fraction": np.full(n_slots, _UNKNOWN, np.float32),
        "synthetic": np.zeros(n_slots, bool),
        "committed": np.zeros(n_slots, bool),
    }
    for column in schema.columns:
        kind = object if column.kind == "string" else column.kind
        columns[column.name] = np.full(n_slots, column.unknown, kind)
    synthetic = bool((journal.meta(CORPUS) or {}).get(SYNTHETIC))
    for chip in journal.chips():
        columns["chip_id"][chip.slot] = chip.chip_id
        columns["split"][chip.slot] = chip.record["split"]
        for name in ("epsg", "x_origin", "y_origin", "lon", "lat"):
            if chip.record[name] is not None:
                columns[name][chip.slot] = chip.record[name]
        if chip.state != "committed":
            continue
        columns["committed"][chip.slot] = True
        columns["synthetic"][chip.slot] = synthetic
        for name in ("s2_cloud_fraction", "valid_fraction"):
            if chip.stats.get(name) is not None:
                columns[name][chip.slot] = chip.stats[name]
        for column in schema.columns:
            columns[column.name][chip.slot] = chip.stats["values"][column.name]
        for name in ("datetime_start", "datetime_end"):
            columns[name][chip.slot] = _moment(chip.stats.get(name))
    return columns


def _moment(text: str | None) -> np.datetime64:
    """An ISO time with a zone as UTC seconds; NaT for None."""
    if text is None:
        return np.datetime64("NaT", "s")
    moment = dt.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"the time has no zone: {text}")
    return np.datetime64(int(moment.timestamp()), "s")
