"""A planted place as it is seen: from above, and all around from its middle.

The two views have the place in common and nothing else: another season (each material has two colours), another light,
noise of their own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rsprep.corpus.views.landscape import ABOVE, BESIDE, Floats, Landscape

TOP, BOTTOM = 25.0, -55.0
"""Degrees above the horizon of a panorama's upper and lower edge."""
HAZE = 150.0
"""Metres over which two thirds of a colour get lost."""
_FINE = 2
"""Points along the side of a pixel that are averaged."""
_SKY = np.array([168.0, 196.0, 224.0])
_SUN = np.array([0.55, -0.55])
"""Metres that the shadow of one metre is long, to the east and to the north."""


def from_above(land: Landscape, size: int, reach: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """(3, size, size), north up: what lies within `reach` metres to all sides."""
    steps = ((np.arange(size * _FINE) + 0.5) / (size * _FINE) * 2 - 1) * reach
    east, north = np.meshgrid(steps, -steps)
    material, light = land.ground(east, north)
    colours = ABOVE[material] * light[..., None]
    order = np.argsort(land.things[:, 3])
    for e, n, radius, height in land.things[order]:
        shifted_e, shifted_n = e + _SUN[0] * height / 2, n + _SUN[1] * height / 2
        colours[(east - shifted_e) ** 2 + (north - shifted_n) ** 2 < radius**2] *= 0.75
    for (e, n, radius, _), made_of in zip(land.things[order], land.made_of[order], strict=True):
        away = ((east - e) ** 2 + (north - n) ** 2) / radius**2
        inside = away < 1
        lit = 1 + 0.1 * ((north - n) - (east - e))[inside] / radius
        colours[inside] = ABOVE[made_of] * lit[:, None]
    return _developed(colours, rng)


def panorama(land: Landscape, size: int, eye: float, heading: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """(3, size, size): the whole horizon from left to right, the direction `heading` in the middle.

    Parameters
    ----------
    eye : metres of the viewer above the ground.
    heading : degrees clockwise from north.
    """
    across = np.deg2rad(((np.arange(size * _FINE) + 0.5) / (size * _FINE) - 0.5) * 360 + heading)
    up = np.deg2rad(TOP - (np.arange(size * _FINE) + 0.5) / (size * _FINE) * (TOP - BOTTOM))
    below = up < np.deg2rad(-0.5)
    away = eye / np.tan(-np.where(below, up, np.deg2rad(-0.5)))
    material, light = land.ground(away[:, None] * np.sin(across), away[:, None] * np.cos(across))
    colours = _hazy(BESIDE[material] * light[..., None], away[:, None])
    clouds = 1 + 0.08 * np.sin(3 * across + rng.uniform(0, 6)) * np.sin(25 * up[:, None] + rng.uniform(0, 6))
    colours[~below] = (_SKY * clouds[..., None])[~below]
    distance = np.hypot(land.things[:, 0], land.things[:, 1])
    for index in np.argsort(-distance):  # the near ones hide the far ones
        _stand(colours, land.things[index], int(land.made_of[index]), eye, across, up)
    return _developed(colours, rng)


def _stand(colours: Floats, thing: Floats, made_of: int, eye: float, across: Floats, up: Floats) -> None:
    """Paint one upright cylinder: its wall, and its roof as far as it is seen from above."""
    east, north, radius, height = thing
    distance, turn = np.hypot(east, north), across - np.arctan2(east, north)
    beside, along = distance * np.sin(turn), distance * np.cos(turn)
    columns = np.flatnonzero((np.abs(beside) < radius) & (along > 0))
    if not len(columns):
        return
    half = np.sqrt(radius**2 - beside[columns] ** 2)
    near, far = along[columns] - half, along[columns] + half
    foot, edge, back = (np.arctan2(rise, at) for rise, at in ((-eye, near), (height - eye, near), (height - eye, far)))
    shade = 1 + 0.2 * beside[columns] / radius
    rows = up[:, None]
    wall = (rows >= foot) & (rows < edge)
    roof = (rows >= edge) & (rows < back)
    here = colours[:, columns]
    for seen, table in ((wall, BESIDE), (roof, 0.85 * ABOVE)):
        painted = _hazy(table[made_of] * shade[:, None], near)
        here = np.where(seen[..., None], painted[None], here)
    colours[:, columns] = here


def _hazy(colours: Floats, away: Floats) -> Floats:
    """Colours that are `away` metres from the viewer."""
    clear = np.exp(-away / HAZE)[..., None]
    return np.asarray(colours * clear + _SKY * (1 - clear))


def _developed(colours: Floats, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Averaged to pixels, under a light of its own, with noise, as 8 bits."""
    size = colours.shape[0] // _FINE
    pixels = colours.reshape(size, _FINE, size, _FINE, 3).mean(axis=(1, 3))
    light = rng.uniform(0.85, 1.15) * rng.uniform(0.95, 1.05, 3)
    noisy = pixels * light + rng.normal(0, 4, pixels.shape)
    return np.ascontiguousarray(np.moveaxis(np.rint(np.clip(noisy, 0, 255)).astype(np.uint8), 2, 0))
