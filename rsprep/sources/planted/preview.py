"""One picture of a planted area: what a day's optical image, a radar pass, the land cover and the relief look like."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from PIL import Image

from rsprep.sources.planted import optics, weather
from rsprep.sources.planted.cover import LAYERS
from rsprep.sources.planted.world import World

PALETTE = np.array(
    [
        [65, 155, 223], [57, 125, 73], [136, 176, 83], [122, 135, 198], [228, 150, 53],
        [223, 195, 90], [196, 40, 27], [165, 155, 143], [179, 159, 225],
    ],
    np.uint8,
)  # fmt: skip
"""Colours of the classes as Dynamic World shows them."""


def write_preview(world: World, grid: GeoBox, moment: dt.datetime, path: Path, *, side: int = 720) -> None:
    """Write a PNG of four panels: true colour with clouds, Sentinel-1, land cover, shaded relief.

    Parameters
    ----------
    grid : the area; it is shown with at most `side` pixels a side.
    moment : day of the optical panel.
    path : of the PNG.
    """
    factor = max(max(int(n) for n in grid.shape) / side, 1.0)
    rows, columns = (math.ceil(int(n) / factor) for n in grid.shape)
    a, b, c, d, e, f = tuple(grid.transform)[:6]
    small = GeoBox((rows, columns), Affine(a * factor, b * factor, c, d * factor, e * factor, f), grid.crs)
    ground = world.grounds(small)[10]
    colour = world.reflectance(ground, moment, ("B04", "B03", "B02"))
    opacity, shade, _ = world.clouds(small, moment)
    tint = weather.CLOUD[[optics.BANDS.index(band) for band in ("B04", "B03", "B02")]]
    weather.veil(colour, opacity, shade, tint)
    decibel = 10 * np.log10(world.backscatter(ground, moment, "ascending"))
    radar = np.stack([(decibel[0] + 21) / 20, (decibel[1] + 27) / 20, (decibel[0] - decibel[1]) / 13])
    east, north = ground.layers[LAYERS], ground.layers[LAYERS + 1]
    lit = (1 - 0.9 * (north - east)) / np.sqrt(1 + 2 * (east**2 + north**2)) / 1.5
    relief = np.where(ground.elevation > 0, lit, 0.25)
    panels = [
        _byte(np.clip(colour / 2600, 0, None) ** 0.75),
        _byte(radar),
        PALETTE[ground.probabilities.argmax(axis=0)],
        _byte(np.stack([relief] * 3)),
    ]
    gap = np.full((rows, 6, 3), 255, np.uint8)
    row = [piece for panel in panels for piece in (panel, gap)][:-1]
    Image.fromarray(np.concatenate(row, axis=1)).save(path, format="PNG")


def _byte(channels: NDArray[np.floating]) -> NDArray[np.uint8]:
    """(3, y, x) in 0..1 to (y, x, 3) bytes."""
    return np.asarray((np.clip(channels, 0, 1) * 255).transpose(1, 2, 0), np.uint8)
