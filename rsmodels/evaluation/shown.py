"""Which chips are shown, and their pictures."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing

import numpy as np
from numpy.typing import NDArray

from rsmodels.data.batch import ChipBatch
from rsmodels.evaluation.judges import Judge
from rsmodels.evaluation.settings import EvaluateSettings
from rsprep.report.data import Rgb


def chosen(scores: NDArray[np.float64], count: int, seed: int) -> list[tuple[str, int]]:
    """Role and position of the chips to show: best, median and worst by score, and `count` at random, each once."""
    known = np.flatnonzero(~np.isnan(scores))
    if not len(known):
        return []
    ranked = known[np.argsort(-scores[known], kind="stable")]
    of = f"of {len(ranked):,}"
    places = {int(ranked[0]): f"best {of}"}
    places.setdefault(int(ranked[-1]), f"worst {of}")
    places.setdefault(int(ranked[(len(ranked) - 1) // 2]), f"median {of}")
    order = {"best": 0, "median": 1, "worst": 2}
    shown = sorted(((role, place) for place, role in places.items()), key=lambda one: order[one[0].split()[0]])
    rest = np.setdiff1d(known, np.array(list(places)))
    drawn = np.random.default_rng(seed).permutation(rest)[:count]
    return shown + [("at random", int(place)) for place in np.sort(drawn)]


def pictures(
    judge: Judge,
    read: Callable[[NDArray[np.int64]], Generator[ChipBatch]],
    slots: NDArray[np.int64],
    scores: NDArray[np.float64],
    settings: EvaluateSettings,
) -> list[tuple[str, int, list[Rgb]]]:
    """Role, position and pictures of the chips to show.

    Whole batches are made anew as they were scored: batch norm may look at a chip's neighbours.

    Parameters
    ----------
    read : batches of the chips in some slots.
    scores : one for each of `slots`, by which chips are ranked; more is better.
    """
    shown = chosen(scores, settings.random_chips, settings.seed)
    if not shown:
        return []
    parts = sorted({place // settings.batch for _, place in shown})
    again = np.concatenate([slots[part * settings.batch : (part + 1) * settings.batch] for part in parts])
    painted: dict[int, list[Rgb]] = {}
    with closing(read(again)) as batches:
        for part, batch in zip(parts, batches, strict=True):
            wanted = {place - part * settings.batch: place for _, place in shown if place // settings.batch == part}
            for row, images in judge.pictures(batch, sorted(wanted)).items():
                painted[wanted[row]] = images
    return [(role, place, painted[place]) for role, place in shown]
