"""A small data set of planted views, and occlusion pairs made of it."""

from __future__ import annotations

from pathlib import Path

from rsprep.corpus.views.job import simulate_views

PLACES, SIDE = 24, 32


def build_views(out: Path, *, n: int = PLACES, size: int = SIDE) -> Path:
    """Views of `n` places in folder `out`; returns it."""
    return simulate_views({"out": str(out), "catalog": str(out.parent / "catalog"), "n": n, "size": size}).dataset
