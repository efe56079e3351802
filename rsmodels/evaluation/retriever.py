"""A matcher of views: which place is found for each view from the ground, among all places of the split."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rsmodels.data.batch import ChipBatch
from rsmodels.data.places import PLACE
from rsmodels.data.source import ChipSource
from rsmodels.evaluation.judges import IMAGE, Legend, sentence
from rsmodels.evaluation.page import Figures, figures_table, number
from rsmodels.metrics.retrieval import average_precision, first_ranks, retrieval_figures
from rsmodels.report.page import BarsSection, Section
from rsmodels.report.pictures import key_of, paint
from rsmodels.tasks.retrieval import SATELLITE
from rsmodels.training.load import Trained
from rsprep.report.data import Rgb

FIGURES: Figures = (
    ("recall@1", "Recall@1", 4, "higher"),
    ("recall@5", "Recall@5", 4, "higher"),
    ("recall@10", "Recall@10", 4, "higher"),
    ("ap", "average precision", 4, "higher"),
    ("median_rank", "median rank", 0, "lower"),
)
UP_TO = (1, 2, 5, 10, 20, 50)
Read = Callable[[NDArray[np.int64]], Any]


class RetrieverJudge:
    """Views from the ground as queries, the views from above of the same chips as gallery, each place once.

    Parameters
    ----------
    slots : the chips that are judged; their views from above are described before anything else.
    read : batches of the chips in some slots.
    """

    rank_by = "ap"
    columns = ("ground", "its place", "found first")

    def __init__(self, trained: Trained, source: ChipSource, slots: NDArray[np.int64], read: Read) -> None:
        self.trained = trained
        self.normaliser = trained.normaliser
        self.read = read
        column = source.column(trained.normaliser.field(PLACE).variable).astype(str)
        self.place_of = dict(zip(source.chips.slot.tolist(), column.tolist(), strict=True))
        first: dict[str, int] = {}
        for slot in slots.tolist():
            first.setdefault(self.place_of[slot], slot)
        self.places, self.slots = list(first), np.array(list(first.values()), np.int64)
        self.gallery = torch.cat([trained.describe(batch)[:, 1] for batch in read(self.slots)])
        self.ranks: list[Tensor] = []
        self.precision: list[Tensor] = []

    @property
    def legend(self) -> Legend:
        keys = [key_of(self.normaliser.field(name), self.normaliser) for name in (IMAGE, SATELLITE)]
        return Legend(classes=(), ramps=(), note=sentence(list(dict.fromkeys(keys))))

    def update(self, batch: ChipBatch) -> dict[str, NDArray[np.float64]]:
        """``rank`` of the right place, from 1 on; ``ap``; ``similarity`` (cosine) of the two views."""
        similarity, relevant = self._similar(batch)
        ranks, precision = first_ranks(similarity, relevant), average_precision(similarity, relevant)
        self.ranks.append(ranks)
        self.precision.append(precision)
        return {
            "rank": ranks.double().numpy(),
            "ap": precision.numpy(),
            "similarity": similarity[relevant].double().numpy(),
        }

    def figures(self, *, allow_few: bool) -> dict[str, Any]:
        del allow_few  # of images only
        ranks = torch.cat(self.ranks)
        found = retrieval_figures(ranks, torch.cat(self.precision))
        counts = {"median_rank": float(ranks.double().median()), "queries": len(ranks), "places": len(self.places)}
        return {"figures": {**found, **counts}}

    def headline(self, record: Mapping[str, Any]) -> Sequence[str]:
        figures = record["figures"]
        return [f"Recall@1 {number(figures['recall@1'], 3)}", f"AP {number(figures['ap'], 3)}"]

    def sections(
        self, record: Mapping[str, Any], scores: Mapping[str, NDArray[np.float64]], names: Mapping[int, str]
    ) -> list[Section]:
        del names
        places = record["figures"]["places"]
        notes = [
            f"{len(scores['rank']):,} views from the ground, {places:,} places. Recall@1 by chance: {1 / places:.4f}",
            "Average precision is the area under the steps of precision over recall.",
        ]
        cuts = [cut for cut in UP_TO if cut < places] or [1]
        return [
            figures_table(record, FIGURES, notes),
            BarsSection(
                title="How far down the right place is",
                groups=[f"first {cut}" for cut in cuts],
                series={
                    "found": [float((scores["rank"] <= cut).mean()) for cut in cuts],
                    "by chance": [cut / places for cut in cuts],
                },
                note="Share of the views from the ground whose place is among the first so many.",
                x_label="share of views",
                top=1.0,
            ),
        ]

    def words(self, scores: Mapping[str, NDArray[np.float64]], place: int) -> str:
        rank = int(scores["rank"][place])
        return "found" if rank == 1 else f"its place comes as number {rank:,}"

    def pictures(self, batch: ChipBatch, rows: Sequence[int]) -> dict[int, list[Rgb]]:
        best = self._similar(batch)[0].argmax(dim=1)
        ground, own = self._painted(batch, IMAGE), self._painted(batch, SATELLITE)
        found = {}
        for row in rows:
            (other,) = self.read(self.slots[[int(best[row])]])
            found[row] = [ground[row], own[row], self._painted(other, SATELLITE)[0]]
        return found

    def _similar(self, batch: ChipBatch) -> tuple[Tensor, Tensor]:
        """(B, places) cosine with the gallery, and which of it is right."""
        column = {name: number for number, name in enumerate(self.places)}
        relevant = torch.zeros(len(batch), len(self.places), dtype=torch.bool)
        for row, key in enumerate(batch.chips):
            relevant[row, column[self.place_of[key.slot]]] = True
        return self.trained.describe(batch)[:, 0] @ self.gallery.T, relevant

    def _painted(self, batch: ChipBatch, name: str) -> list[Rgb]:
        field = self.normaliser.field(name)
        return paint(field, batch.values[name], self.normaliser, valid=batch.valid[name])
