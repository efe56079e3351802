"""What a corpus of seed masks has beside its store: a PNG a seed, a manifest, and the figures of the report."""

from __future__ import annotations

from typing import Final

import numpy as np
import xarray as xr

from rsprep.corpus.png_masks import MANIFEST, write_png_masks
from rsprep.job.desk import Desk
from rsprep.report.data import Table

_SCENES: Final = 40
"""Scenes that the report lists."""


def write_seeds(desk: Desk) -> tuple[Table, ...]:
    """Write ``masks/ID.png`` and ``manifest.csv``; returns tables for the report."""
    return (_by_scene(write_png_masks(desk)),)


def _by_scene(seeds: xr.Dataset) -> Table:
    sources, diverse = seeds["source"].values, seeds["diverse"].values
    area, metres, dates = seeds["area_ratio"].values, seeds["resolution"].values, seeds["date"].values
    names, first = np.unique(sources, return_index=True)
    rows = []
    for name, at in sorted(zip(names.tolist(), first.tolist(), strict=True), key=lambda one: one[1]):
        mine = sources == name
        rows.append(
            (
                name,
                str(dates[at]) or "–",
                f"{metres[mine].min():g}" if metres[mine].min() == metres[mine].max() else "various",
                f"{mine.sum():,}",
                f"{(mine & diverse).sum():,}",
                f"{area[mine].min():.1%} – {area[mine].max():.1%}",
            )
        )
    left = len(rows) - _SCENES
    return Table(
        title="Seeds by scene",
        header=("scene", "date", "metres a pixel", "seeds", "of the diverse", "cloud on"),
        rows=tuple(rows[:_SCENES]),
        note=f"and {left:,} more scenes; {MANIFEST} has them all" if left > 0 else "",
    )
