"""Filled chips to look at: input, mask, filled; and how much was filled."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from rsmodels.data.shards import ChipReader
from rsmodels.data.source import ChipSource
from rsmodels.filling.chips import FILLED, FillWork
from rsmodels.filling.pictures import NOTE, bands_shown, before_after, stretch_of
from rsmodels.report.page import PanelsSection, write_page
from rsprep.job.desk import Desk
from rsprep.job.journal_view import JournalView
from rsprep.report.data import SPLITS, Rgb
from rsprep.store.schema import Variable
from rsprep.store.write import read_schema

PAGE = "before-after.html"
MOST = 12
COLUMNS = ("input", "mask", "filled")


def figures(desk: Desk) -> tuple[tuple[tuple[str, ...], ...], str]:
    """Rows of a table, one a split: chips, filled pixels, their share, chips without a hidden pixel; and a note."""
    shares: dict[str, list[float]] = defaultdict(list)
    schema, _ = read_schema(desk.store)
    with JournalView.open(desk.folder) as journal:
        for chip in journal.chips("committed"):
            shares[chip.record["split"]].append(float(chip.stats["values"]["filled_share"]))
    pixels = schema.chip_px**2
    rows = tuple(
        (
            split,
            f"{len(shares[split]):,}",
            f"{round(sum(shares[split]) * pixels):,}",
            f"{100 * float(np.mean(shares[split])):.1f} %",
            f"{sum(share == 0 for share in shares[split]):,}",
        )
        for split in SPLITS
        if shares[split]
    )
    note = "Filled pixels are told by the variable filled; the valid fraction of a chip is still what was observed."
    return rows, f"{note} Input, mask and filled chips side by side: {PAGE}."


def write_before_after(desk: Desk, source: ChipSource, variable: Variable, work: FillWork) -> None:
    """Write ``before-after.html``: filled chips, from the least filled to the most."""
    chosen = _chosen(desk)
    if not chosen:
        return
    schema, _ = read_schema(desk.store)
    old = {name: ChipReader(source.path, source.schema, name) for name in (work.variable, work.mask)}
    new = ChipReader(desk.store, schema, work.target)
    names = variable.bands or (variable.name,)
    bands = bands_shown(names, work.positions or (0,))
    size = schema.chip_px
    rows: list[tuple[str, list[Rgb | None]]] = []
    for slot, parent, caption in chosen:
        before, after = (np.empty(variable.chip_shape(size), variable.dtype) for _ in range(2))
        codes = np.empty((size, size), source.schema[work.mask].dtype)
        old[work.variable].read(parent, before)
        old[work.mask].read(parent, codes)
        new.read(slot, after)
        planes, made = (values.reshape(-1, size, size)[list(bands)] for values in (before, after))
        hidden = work.hidden(codes)
        empty = np.asarray(~np.isfinite(planes).all(axis=0))
        if variable.has_nodata:
            empty |= (planes == variable.fill).any(axis=0)
        rows.append((caption, before_after(planes, empty, hidden, made, stretch_of(planes, ~(empty | hidden)))))
    panels = PanelsSection(title="Before and after", columns=COLUMNS, rows=rows, note=NOTE, longest=320)
    title = f"{work.variable} of {source.name}, filled where {work.mask} hides it"
    write_page(
        desk.folder / PAGE, title, f"{FILLED} marks the filled pixels in the store", [panels], over="rsmodels inpaint"
    )


def _chosen(desk: Desk) -> list[tuple[int, int, str]]:
    """Slot, slot in the source and caption of chips to show."""
    with JournalView.open(desk.folder) as journal:
        every = [
            (float(chip.stats["values"]["filled_share"]), chip.slot, int(chip.record["payload"]["slot"]), chip.chip_id)
            for chip in journal.chips("committed")
        ]
    filled = sorted((one for one in every if one[0] > 0), key=lambda one: one[0])
    if len(filled) > MOST:  # from the least to the most
        filled = [filled[round(place)] for place in np.linspace(0, len(filled) - 1, MOST)]
    return [(slot, parent, f"{name}\n{100 * share:.1f} % filled") for share, slot, parent, name in filled]
