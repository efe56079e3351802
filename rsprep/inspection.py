"""What is in a data set, in words for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rsprep.cloud.address import Place
from rsprep.job.desk import at_desk
from rsprep.overview import overview
from rsprep.report.data import SPLITS
from rsprep.report.words import count_text
from rsprep.store.write import read_schema


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What `rsprep inspect` prints: sections of rows of words."""

    title: str
    subtitle: str
    sections: Mapping[str, tuple[tuple[str, ...], ...]]


def inspect(dataset: str | Place) -> Inspection:
    """What is in a data set: chips by state and split, variables, classes, sources, problems."""
    with at_desk(dataset) as desk:
        data = overview(desk)
        schema, _ = read_schema(desk.store)
    counts, table = data.counts, data.chips
    sections: dict[str, tuple[tuple[str, ...], ...]] = {
        "chips": (
            ("planned", count_text(counts.planned)),
            ("committed", count_text(counts.committed)),
            ("rejected", count_text(counts.rejected)),
            ("quarantined", count_text(counts.quarantined)),
        )
    }
    if table is not None:
        sections["splits"] = tuple((name, count_text(int(table.in_split(name).sum()))) for name in SPLITS)
        if table.class_shares is not None and table.committed.any():
            shares = np.nanmean(table.class_shares[table.committed], axis=0)
            sections["classes"] = tuple(
                (one.name, f"{share:.1%}") for one, share in zip(data.classes, shares, strict=True)
            )
    sections |= {one.title: (one.header, *one.rows) for one in data.tables}
    sections["variables"] = tuple(
        (one.name, " × ".join(one.dims), one.dtype, " ".join(one.bands or ())) for one in schema.variables
    )
    sections["sources"] = tuple(
        (one.product, one.collection, f"{one.granules} granules", one.orbit or one.baseline) for one in data.sources
    )
    sections["left out"] = tuple(
        (count_text(problem.count), problem.state, problem.reason) for problem in data.grouped_problems()
    )
    sections["places"] = tuple(data.places.items())
    return Inspection(
        title=data.title,
        subtitle=data.subtitle,
        sections={name: rows for name, rows in sections.items() if rows},
    )
