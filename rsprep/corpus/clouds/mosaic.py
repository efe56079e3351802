"""The masks of clear observations of a multi-source data set, as scenes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from rsprep.corpus.clouds.scenes import CloudScene
from rsprep.corpus.inputs import Corpus, open_corpus
from rsprep.errors import InputError
from rsprep.masks.shapes import CLEAR, CLOUD, UNKNOWN

_MOSAIC_PIXELS: Final = 2**31


@dataclass(frozen=True)
class StoreMosaic:
    """The chips of a multi-source data set on one lattice, side by side.

    A pixel that was not clear on any date counts as cloud, cloud shadow included: the store keeps no more. Chips
    that were not observed everywhere are left out, since there it does not even tell cloud from no data.
    """

    path: Path
    chip_px: int
    chips: tuple[tuple[int, int, int], ...]
    """(row and column of the upper-left pixel in the mosaic, index of the chip)."""
    windowed: bool = True

    @property
    def files(self) -> tuple[Path, ...]:
        return ()

    def read(self, rows: slice, columns: slice) -> NDArray[np.uint8]:
        """As :meth:`Source.read`; raises StoreError where the store is damaged."""
        corpus, size = _corpus(self.path), self.chip_px
        out = np.full((rows.stop - rows.start, columns.stop - columns.start), UNKNOWN, np.uint8)
        for row, column, index in self.chips:
            top, bottom = max(row, rows.start), min(row + size, rows.stop)
            left, right = max(column, columns.start), min(column + size, columns.stop)
            if top < bottom and left < right:
                clear = corpus.read("s2_valid", index)[top - row : bottom - row, left - column : right - column]
                here = slice(top - rows.start, bottom - rows.start), slice(left - columns.start, right - columns.start)
                out[here] = np.where(clear == 0, np.uint8(CLOUD), np.uint8(CLEAR))
        return out


def mosaic_scenes(path: Path) -> tuple[list[CloudScene], str]:
    """The chips of a multi-source data set, one scene a UTM zone, and its fingerprint.

    Raises
    ------
    InputError : ``no-variable``, ``not-observed``, ``mosaic-too-large``; StoreError as :func:`open_corpus`.
    """
    corpus = open_corpus(path).require("s2_valid")
    size, metres = corpus.schema.chip_px, corpus.schema.resolution
    columns = {name: corpus.dataset[name].values for name in ("epsg", "x_origin", "y_origin")}
    seen = corpus.dataset["valid_fraction"].values + corpus.dataset["s2_cloud_fraction"].values
    # Less than half a pixel of the chip without an observation: rounding.
    whole = seen > 1 - 0.5 / size**2
    lattices: dict[tuple[int, float, float], list[int]] = defaultdict(list)
    for index in np.flatnonzero(whole).tolist():
        x, y = float(columns["x_origin"][index]), float(columns["y_origin"][index])
        lattices[int(columns["epsg"][index]), round(x % metres, 3), round(y % metres, 3)].append(index)
    if not lattices:
        raise InputError(
            "not-observed",
            "no chip of the data set was observed everywhere, so cloud cannot be told from no data",
            value=str(path),
            remedy="give the scene classification itself: a STAC catalog with SCL assets",
        )
    scenes = []
    for (epsg, _, _), chips in sorted(lattices.items()):
        left = min(float(columns["x_origin"][index]) for index in chips)
        top = max(float(columns["y_origin"][index]) for index in chips)
        at = tuple(
            (
                round((top - float(columns["y_origin"][index])) / metres),
                round((float(columns["x_origin"][index]) - left) / metres),
                index,
            )
            for index in chips
        )
        shape = (max(row for row, _, _ in at) + size, max(column for _, column, _ in at) + size)
        if shape[0] * shape[1] > _MOSAIC_PIXELS:
            raise InputError(
                "mosaic-too-large",
                "the chips lie too far apart to be laid side by side",
                value=f"{path}: {shape[0]:,} × {shape[1]:,} pixels in EPSG:{epsg}",
                remedy="build data sets of smaller areas, and give them one by one",
            )
        scenes.append(
            CloudScene(
                name=f"{path.resolve().name}-{epsg}",
                source=StoreMosaic(path=path.absolute(), chip_px=size, chips=at),
                source_shape=shape,
                metres=metres,
                epsg=epsg,
                transform=Affine(metres, 0, left, 0, -metres, top),
            )
        )
    return scenes, corpus.fingerprint


@lru_cache(maxsize=8)
def _corpus(path: Path) -> Corpus:
    return open_corpus(path)
