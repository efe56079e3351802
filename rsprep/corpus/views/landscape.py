"""A planted place: parcels of crops, roads, ponds, houses and trees around somebody who stands in its middle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MATERIALS = (
    # name, colour from above in summer, colour from the ground in autumn
    ("wheat", (196, 178, 92), (168, 138, 78)),
    ("maize", (70, 128, 52), (176, 156, 84)),
    ("rape", (222, 206, 60), (112, 150, 70)),
    ("meadow", (112, 168, 82), (128, 150, 78)),
    ("bare", (150, 112, 84), (110, 78, 58)),
    ("beet", (46, 108, 74), (70, 120, 60)),
    ("asphalt", (124, 124, 130), (92, 92, 98)),
    ("gravel", (206, 198, 184), (182, 168, 148)),
    ("water", (38, 74, 122), (92, 126, 158)),
    ("tiles", (184, 82, 58), (214, 186, 150)),
    ("slate", (84, 88, 100), (226, 226, 220)),
    ("tin", (222, 226, 232), (150, 64, 58)),
    ("copper", (92, 164, 148), (120, 104, 92)),
    ("spruce", (26, 66, 42), (30, 62, 44)),
    ("maple", (78, 142, 54), (206, 120, 40)),
)
"""Everything that the ground and what stands on it may be made of."""
ABOVE: Floats = np.array([above for _, above, _ in MATERIALS], np.float64)
"""(material, 3) red, green, blue."""
BESIDE: Floats = np.array([beside for _, _, beside in MATERIALS], np.float64)
_NAMES = [name for name, _, _ in MATERIALS]
_CROPS, _ROADS, _WATER = slice(0, 6), ("asphalt", "gravel"), _NAMES.index("water")
_HOUSES, _TREES = ("tiles", "slate", "tin", "copper"), ("spruce", "maple")
FREE = 6.0
"""Metres around the viewer in which nothing stands."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Landscape:
    """What there is, in metres east and north of the viewer."""

    sites: Floats
    """(n, 3) east and north of a parcel's site, and the direction of its rows, radians; a parcel is what is nearest."""
    crops: NDArray[np.int64]
    """(n,) material of each parcel."""
    roads: Floats
    """(m, 3) direction (radians), distance from the viewer to the right of it, half the width."""
    paved: NDArray[np.int64]
    """(m,) material of each road."""
    ponds: Floats
    """(p, 5) east, north, half axes, turn of the first one."""
    things: Floats
    """(k, 4) east, north, radius, height of houses and trees, all of them round."""
    made_of: NDArray[np.int64]
    """(k,) material of each."""

    def ground(self, east: Floats, north: Floats) -> tuple[NDArray[np.int64], Floats]:
        """Material under each point, and how bright it is there: the rows of the crops, around 1."""
        apart = (east[..., None] - self.sites[:, 0]) ** 2 + (north[..., None] - self.sites[:, 1]) ** 2
        parcel = apart.argmin(axis=-1)
        material = self.crops[parcel]
        turned = self.sites[parcel, 2]
        light = 1 + 0.09 * np.sin((east * np.cos(turned) + north * np.sin(turned)) * 1.3)
        for a, b, first, second, turn in self.ponds:
            along = (east - a) * np.cos(turn) + (north - b) * np.sin(turn)
            across = (north - b) * np.cos(turn) - (east - a) * np.sin(turn)
            wet = (along / first) ** 2 + (across / second) ** 2 < 1
            material, light = np.where(wet, _WATER, material), np.where(wet, 1.0, light)
        for (angle, offset, half), paved in zip(self.roads, self.paved, strict=True):
            on = np.abs(east * np.cos(angle) - north * np.sin(angle) - offset) < half
            material, light = np.where(on, paved, material), np.where(on, 1.0, light)
        return material, light


def plant(rng: np.random.Generator, reach: float) -> Landscape:
    """A landscape drawn by `rng`, with something to see within `reach` metres in every direction."""
    count = int(rng.integers(7, 12))
    sites = np.column_stack([rng.uniform(-1.2 * reach, 1.2 * reach, (count, 2)), rng.uniform(0, np.pi, count)])
    roads = int(rng.integers(1, 4))
    offsets = np.concatenate([rng.uniform(-5, 5, 1), rng.uniform(-0.7 * reach, 0.7 * reach, roads - 1)])
    ponds = int(rng.integers(0, 3))
    middles = _around(rng, ponds, 0.3 * reach, 0.9 * reach)
    axes = rng.uniform(0.08 * reach, 0.2 * reach, (ponds, 2))
    houses, trees = int(rng.integers(4, 11)), int(rng.integers(5, 16))
    return Landscape(
        sites=sites,
        crops=rng.integers(_CROPS.start, _CROPS.stop, count),
        roads=np.column_stack([rng.uniform(0, np.pi, roads), offsets, rng.uniform(1.5, 3.5, roads)]),
        paved=_drawn(rng, roads, _ROADS),
        ponds=np.column_stack([middles, axes, rng.uniform(0, np.pi, ponds)]),
        things=np.concatenate(
            [_things(rng, houses, reach, (3, 6), (4, 9)), _things(rng, trees, reach, (1.5, 3.5), (4, 10))]
        ),
        made_of=np.concatenate([_drawn(rng, houses, _HOUSES), _drawn(rng, trees, _TREES)]),
    )


def _things(
    rng: np.random.Generator, count: int, reach: float, radius: tuple[float, float], height: tuple[float, float]
) -> Floats:
    radii = rng.uniform(*radius, count)
    places = _around(rng, count, FREE + radius[1], 0.95 * reach)
    return np.column_stack([places, radii, rng.uniform(*height, count)])


def _around(rng: np.random.Generator, count: int, near: float, far: float) -> Floats:
    """(count, 2) points between two distances from the viewer, as dense anywhere."""
    angle, distance = rng.uniform(0, 2 * np.pi, count), np.sqrt(rng.uniform(near**2, max(far, near) ** 2, count))
    return np.column_stack([distance * np.sin(angle), distance * np.cos(angle)])


def _drawn(rng: np.random.Generator, count: int, names: tuple[str, ...]) -> NDArray[Any]:
    return np.array([_NAMES.index(name) for name in names])[rng.integers(0, len(names), count)]
