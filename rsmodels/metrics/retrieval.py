"""How well views of places are found: Recall@K and average precision."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

CUTS = (1, 5, 10)
"""K of Recall@K."""


def first_ranks(similarity: Tensor, relevant: Tensor) -> Tensor:
    """Rank of the most similar relevant item of each query, from 1 on: (N,) int64.

    What is as similar as it counts as before it, so that a network to which all is alike finds nothing.

    Parameters
    ----------
    similarity : (N, M) of queries with the items of a gallery.
    relevant : (N, M) bool; every query has at least one.
    """
    best = similarity.masked_fill(~relevant, -torch.inf).amax(dim=1, keepdim=True)
    return ((similarity >= best) & ~relevant).sum(dim=1) + 1


def average_precision(similarity: Tensor, relevant: Tensor) -> Tensor:
    """Area under the steps of precision over recall, of each query: (N,) float64, as scikit-learn has it.

    With one relevant item it is 1 over its rank. (The published code of University-1652 draws trapezoids instead,
    which gives (1 + 1/rank)/2 or half of 1/rank: its figures are not comparable.)

    Parameters
    ----------
    similarity, relevant : as :func:`first_ranks`.
    """
    found = torch.zeros(len(similarity), dtype=torch.float64)
    for number, (row, wanted) in enumerate(zip(similarity.cpu(), relevant.cpu(), strict=True)):
        at = row[wanted][:, None]
        above = (row[None] >= at).sum(dim=1).double()
        found[number] = ((row[wanted][None] >= at).sum(dim=1).double() / above).mean()
    return found


def retrieval_figures(ranks: Tensor, precision: Tensor, cuts: Sequence[int] = CUTS) -> dict[str, float]:
    """Share of the queries that are found among the first K, for each K, and mean average precision."""
    recalls = {f"recall@{cut}": float((ranks <= cut).double().mean()) for cut in cuts}
    return {**recalls, "ap": float(precision.mean())}


def same_places(keys: Sequence[object]) -> tuple[list[int], Tensor]:
    """A gallery without doubles, and what of it each query wants.

    Parameters
    ----------
    keys : what tells places apart, one a pair of query and item.

    Returns
    -------
    Positions of the items that stay, the first of each place; (N, M) bool.
    """
    first: dict[object, int] = {}
    for number, key in enumerate(keys):
        first.setdefault(key, number)
    column = {key: place for place, key in enumerate(first)}
    relevant = torch.zeros(len(keys), len(first), dtype=torch.bool)
    for number, key in enumerate(keys):
        relevant[number, column[key]] = True
    return list(first.values()), relevant
