"""Occlusion pairs of the tiny data set, with its classes carried along, for the tests of inpainting."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from rsprep.corpus.occlusion.job import occlude
from tests.rsmodels.conftest import SIDE, smooth


@dataclass(frozen=True)
class Pairs:
    """Where they are."""

    folder: Path
    source: Path
    """The data set that they are made of."""


def build_pairs(source: Path, out: Path, *, masks: int = 40) -> Pairs:
    """Hide a part of every chip of `source` under a planted cloud; variables occluded, mask, clean, lulc."""
    shapes = out.parent / f"{out.name}-masks"
    shapes.mkdir(parents=True)
    for number in range(masks):
        surface = smooth(np.random.default_rng((77, number)), SIDE)
        cloud = (surface > np.quantile(surface, 0.65)).astype(np.uint8) * 255
        Image.fromarray(cloud).save(shapes / f"cloud-{number:02d}.png")
    made = occlude(
        {
            "images": str(source),
            "masks": str(shapes),
            "out": str(out),
            "catalog": str(out.parent / "catalog"),
            "mask_split": "hash",
            "carry": ["lulc"],
        }
    )
    return Pairs(folder=made.dataset, source=source)
