"""Edits of conditions that keep label, radar and terrain consistent with one another.

There is one family: *the class of one region is exchanged*. A connected region of the land cover becomes another class,
and its radar backscatter is moved by the difference of the two classes' means, in dB and a polarisation; so its
texture stays and its level is that of the new class. The ground is not touched: a class comes into question only where
the region's mean slope lies within two standard deviations of what train chips show for that class, so that no lake is
laid on a hillside. Means, deviations and how often each class is drawn are taken from train chips. Where rare classes
are favoured, a region only becomes a class that has fewer train pixels than its own, the rarer the more often.

What it does not do: the region keeps its outline and its texture, and what surrounds it takes no notice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from rsmodels.data.fields import Field
from rsmodels.data.raw import ChipFields
from rsmodels.synth.rarity import class_weights
from rsprep.store.schema import TERRAIN_BANDS

LEAST_PIXELS = 200
"""Pixels of a class that train chips must show before its figures count."""
SHARES = (0.01, 0.4)
"""Share of a chip that a region may have."""
DEVIATIONS = 2.0
TRIES = 32
SAMPLED = 500
"""Train chips that the figures of the classes are taken from, at most."""
_SLOPE = TERRAIN_BANDS.index("slope")

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassFigures:
    """What train chips show of each class; small."""

    label: Field
    radar: str | None
    """Name of the radar field; None where the generator takes none."""
    terrain: str | None
    pixels: NDArray[np.int64]
    """(class,)"""
    radar_mean: NDArray[np.float64]
    """(class, polarisation) dB."""
    slope_mean: NDArray[np.float64]
    """(class,) degrees."""
    slope_std: NDArray[np.float64]
    favour_rare: bool = False

    @property
    def known(self) -> NDArray[np.bool_]:
        """(class,) True where there are pixels enough."""
        enough = self.pixels >= LEAST_PIXELS
        if self.radar is not None:
            enough &= np.isfinite(self.radar_mean).all(axis=1)
        return np.asarray(enough)

    def chances(self, old: int) -> NDArray[np.float64]:
        """(class,) how often a region of class `old` becomes each class, where all suit it; not normalised."""
        if not self.favour_rare:
            return np.where(np.arange(len(self.pixels)) == old, 0, self.pixels).astype(np.float64)
        return np.where(self.pixels < self.pixels[old], class_weights(self.pixels), 0.0)


def class_figures(
    reader: ChipFields, slots: NDArray[np.int64], seed: int, *, favour_rare: bool = False
) -> ClassFigures:
    """Read up to ``SAMPLED`` of the chips in `slots` (chosen by `seed`) and take the figures of every class."""
    label, radar, terrain = (_of_kind(reader.fields, kind) for kind in ("classes", "radar", "terrain"))
    if label is None:
        raise ValueError("there are no classes to exchange")
    chosen = np.sort(np.random.default_rng(seed).permutation(slots)[:SAMPLED])
    bands = len(radar.bands or ()) if radar else 0
    pixels = np.zeros(len(label.codes), np.int64)
    seen = np.zeros((len(label.codes), bands + 1))
    total, squares = np.zeros_like(seen), np.zeros_like(seen)
    for slot in chosen:
        raw, _ = reader.read(int(slot))
        planes = [*(raw[radar.name] if radar else ()), *([raw[terrain.name][_SLOPE]] if terrain else ())]
        for number, code in enumerate(label.codes):
            here = raw[label.name] == code
            pixels[number] += here.sum()
            for band, plane in enumerate(planes):
                values = plane[here].astype(np.float64)
                values = values[np.isfinite(values)]
                at = (number, band if radar and band < bands else bands)
                seen[at] += len(values)
                total[at] += values.sum()
                squares[at] += (values**2).sum()
    some = np.maximum(seen, 1)
    mean = np.where(seen > 0, total / some, np.nan)
    std = np.sqrt(np.maximum(squares / some - np.nan_to_num(mean) ** 2, 0))
    return ClassFigures(
        label=label,
        radar=radar.name if radar else None,
        terrain=terrain.name if terrain else None,
        pixels=pixels,
        radar_mean=mean[:, :bands],
        slope_mean=mean[:, bands],
        slope_std=std[:, bands],
        favour_rare=favour_rare,
    )


def exchange(arrays: Arrays, figures: ClassFigures, seed: int) -> dict[str, NDArray[Any]] | None:
    """The conditions of one chip with one region of another class; None where no region comes into question.

    Parameters
    ----------
    arrays : field name to raw values ([bands], y, x) as they are stored; left as they are.
    seed : the same makes the same edit.
    """
    rng = np.random.default_rng(seed)
    labels = arrays[figures.label.name]
    codes = np.array(figures.label.codes)
    for _ in range(TRIES):
        row, column = (int(rng.integers(size)) for size in labels.shape)
        old = np.flatnonzero(codes == labels[row, column])
        if not old.size or not figures.known[old[0]]:
            continue
        region = connected(labels == labels[row, column], row, column)
        if not SHARES[0] <= region.mean() <= SHARES[1]:
            continue
        weights = np.where(_fitting(arrays, region, figures), figures.chances(int(old[0])), 0.0)
        if weights.any():
            new = int(rng.choice(len(codes), p=weights / weights.sum()))
            return _exchanged(arrays, region, figures, int(old[0]), new)
    return None


def connected(same: NDArray[np.bool_], row: int, column: int) -> NDArray[np.bool_]:
    """The part of `same` (y, x) that hangs together, edge to edge, with the pixel at `row`, `column`."""
    region = np.zeros(same.shape, np.bool_)
    _flood(same, row, column, region)
    return region


@numba.njit(cache=True, nogil=True)
def _flood(same: Any, row: Any, column: Any, region: Any) -> None:
    height, width = same.shape
    waiting = np.empty(same.size, np.int64)  # each pixel waits once at most
    count = 0
    if same[row, column]:
        region[row, column] = True
        waiting[0] = row * width + column
        count = 1
    while count:
        count -= 1
        y, x = divmod(waiting[count], width)
        for step_y, step_x in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            v, u = y + step_y, x + step_x
            if 0 <= v < height and 0 <= u < width and same[v, u] and not region[v, u]:
                region[v, u] = True
                waiting[count] = v * width + u
                count += 1


def _fitting(arrays: Arrays, region: NDArray[np.bool_], figures: ClassFigures) -> NDArray[np.bool_]:
    """(class,) True where the region's ground suits the class."""
    if figures.terrain is None:
        return figures.known
    slopes = arrays[figures.terrain][_SLOPE][region]
    slopes = slopes[np.isfinite(slopes)]
    if not slopes.size:
        return np.zeros(len(figures.pixels), np.bool_)
    off = np.abs(slopes.mean() - figures.slope_mean)
    return np.asarray(figures.known & (off <= DEVIATIONS * figures.slope_std))  # False for NaN


def _exchanged(
    arrays: Arrays, region: NDArray[np.bool_], figures: ClassFigures, old: int, new: int
) -> dict[str, NDArray[Any]]:
    edited = dict(arrays)
    labels = arrays[figures.label.name].copy()
    labels[region] = figures.label.codes[new]
    edited[figures.label.name] = labels
    if figures.radar is not None:
        step = (figures.radar_mean[new] - figures.radar_mean[old]).astype(np.float32)
        radar = arrays[figures.radar].copy()
        radar[:, region] += step[:, None]
        edited[figures.radar] = radar
    return edited


def _of_kind(fields: tuple[Field, ...], kind: str) -> Field | None:
    return next((field for field in fields if field.kind == kind), None)
