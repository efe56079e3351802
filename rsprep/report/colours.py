"""Colours of the report: ramps, the aspect wheel, the hatch for no-data, and the marks of splits and states.

Splits differ in lightness as well as in hue, so that they can be told apart without colour vision and in grey print.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsprep.report.data import Rgb

SPLIT_COLOURS = {"train": "#2b5c8f", "val": "#e8b23f", "test": "#2fa58b"}
OTHER_SPLIT = "#8a8f98"
QUARANTINED = "#b5121b"
REJECTED = "#8a8f98"
PLANNED = "#cfd3d8"
NOT_CLEAR = "#d9731f"
FLAT = "#f7f7f2"

HATCH_PAPER = (233, 231, 237)
HATCH_LINE = (201, 197, 210)
"""Both a little violet: no grey of a one-band picture can equal them."""

ELEVATION = ("#2d6a5f", "#6d9a5b", "#c2bd78", "#c9a06a", "#9a7257", "#cbbdb6", "#fbfaf8")
SLOPE = ("#fbf6ea", "#f2cf95", "#dd8f63", "#ab4c62", "#5a2a5c", "#241433")
ASPECT = ("#463c82", "#c4605a", "#efd588", "#4aa0a0")
"""North, east, south, west; interpolated around the circle."""


def rgb(colour: str) -> tuple[int, int, int]:
    """``#rrggbb`` as numbers 0 to 255; raises ValueError for anything else."""
    if len(colour) != 7 or colour[0] != "#":
        raise ValueError(f"a colour is written #rrggbb, got {colour!r}")
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def to_uint8(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Map `low`..`high` to 0..255, clamped: a cast without the clamp would wrap bright pixels to black.

    Not-a-number becomes 0 here; whoever calls this paints those pixels with `hatch` afterwards.
    """
    span = high - low if high > low else 1.0
    scaled = np.clip((values.astype(np.float64) - low) / span, 0.0, 1.0)
    return np.rint(np.nan_to_num(scaled, nan=0.0) * 255.0).astype(np.uint8)


def ramp(values: NDArray[Any], low: float, high: float, stops: tuple[str, ...]) -> Rgb:
    """Colour (y, x) values from the first stop at `low` to the last at `high`, clamped."""
    return _table(stops)[to_uint8(values, low, high)]


def wheel(degrees: NDArray[Any]) -> Rgb:
    """Colour (y, x) directions, degrees clockwise from north, around `ASPECT`; 360 equals 0."""
    turned = np.nan_to_num(np.mod(degrees.astype(np.float64), 360.0), nan=0.0)
    index = np.rint(turned / 360.0 * 256.0).astype(np.int64) % 256
    return _table((*ASPECT, ASPECT[0]), size=257)[index]


def hatch(shape: tuple[int, int]) -> Rgb:
    """Diagonal lines on light paper: the sign for no-data."""
    y, x = np.indices(shape)
    lines = (y + x) % 8 < 2
    return np.array([HATCH_PAPER, HATCH_LINE], dtype=np.uint8)[lines.astype(np.intp)]


def _table(stops: tuple[str, ...], size: int = 256) -> NDArray[np.uint8]:
    """(size, 3) colours, linear between the stops."""
    anchors = np.array([rgb(stop) for stop in stops], dtype=np.float64)
    where = np.linspace(0, len(stops) - 1, size)
    channels = [np.interp(where, np.arange(len(stops)), anchors[:, channel]) for channel in range(3)]
    return np.rint(np.stack(channels, axis=1)).astype(np.uint8)
