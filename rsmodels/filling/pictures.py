"""Pictures of an image before and after: what is hidden, what was filled, where there is nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsprep.report import colours
from rsprep.report.data import Rgb
from rsprep.report.render import FALSE_COLOURS, TRUE_COLOUR

NOTE = (
    "Orange: hidden. The pictures of a row have one stretch, taken from what is not hidden; hatched pixels have no "
    "data. Pixels that are not hidden are those of the input, bit for bit."
)


def bands_shown(names: Sequence[str], filled: Sequence[int]) -> tuple[int, ...]:
    """Positions of three bands, or of one: natural colours where there are such, else the first that are filled."""
    for wanted in (TRUE_COLOUR, *FALSE_COLOURS):
        if set(wanted) <= set(names):
            return tuple(list(names).index(name) for name in wanted)
    return tuple(filled[: 3 if len(filled) >= 3 else 1])


def stretch_of(planes: NDArray[Any], seen: NDArray[np.bool_]) -> list[tuple[float, float]]:
    """Lowest and highest number to show of each plane (band, y, x), from the pixels that are seen (y, x)."""
    if planes.dtype == np.uint8:
        return [(0.0, 255.0)] * len(planes)
    pixels = planes[:, seen].astype(np.float64)
    if not pixels.shape[1]:
        return [(0.0, 1.0)] * len(planes)
    return [(float(low), float(high)) for low, high in np.percentile(pixels, (1, 99), axis=1).T]


def before_after(
    before: NDArray[Any],
    empty: NDArray[np.bool_],
    hidden: NDArray[np.bool_],
    after: NDArray[Any],
    stretch: Sequence[tuple[float, float]],
) -> list[Rgb | None]:
    """Input, mask and output.

    Parameters
    ----------
    before, after : (1 or 3, y, x).
    empty : (y, x) True where the input has no data.
    hidden : (y, x).
    stretch : from :func:`stretch_of`.
    """
    shown, made = (_painted(planes, stretch) for planes in (before, after))
    filled = (before != after).any(axis=0)
    grey = np.repeat((90 + 0.6 * shown.mean(axis=2, keepdims=True)).astype(np.uint8), 3, axis=2)
    mask = np.where(hidden[..., None], np.array(colours.rgb(colours.NOT_CLEAR), np.uint8), grey)
    hatch = colours.hatch(empty.shape)
    return [
        np.where(empty[..., None], hatch, shown),
        np.where((empty & ~hidden)[..., None], hatch, mask),
        np.where((empty & ~filled)[..., None], hatch, made),
    ]


def _painted(planes: NDArray[Any], stretch: Sequence[tuple[float, float]]) -> Rgb:
    painted = [colours.to_uint8(plane, *limits) for plane, limits in zip(planes, stretch, strict=True)]
    return np.stack(painted * 3 if len(painted) == 1 else painted, axis=-1)
