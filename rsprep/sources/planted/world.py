"""The planted world: an endless landscape whose truth can be asked on any grid."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from rsprep.sources.planted import optics, radar, weather
from rsprep.sources.planted.cover import CLASS_OF, LAYERS, cover
from rsprep.sources.planted.ground import RADIUS, gradient, points, window
from rsprep.sources.planted.noise import uniform
from rsprep.sources.planted.psf import blur, reach
from rsprep.sources.planted.relief import relief

ALL = ("elevation", "lulc", "probabilities", "s2", "s1")


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What stays the same from date to date on one grid."""

    grid: GeoBox
    points: NDArray[np.float64]
    """(3, y, x) metres from the Earth's centre."""
    elevation: NDArray[np.float32]
    """(y, x) metres at the pixel's centre, not blurred."""
    layers: NDArray[np.float32]
    """(materials + 3, y, x): shares of materials, brightness, rise toward east, rise toward north."""

    @property
    def sines(self) -> NDArray[np.float32]:
        """(y, x) sine of the latitude."""
        return np.asarray(self.points[2] / RADIUS, np.float32)

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """(9, y, x) shares of the Dynamic World classes; they sum to 1."""
        out = np.zeros((9, *self.elevation.shape), np.float32)
        for material, code in enumerate(CLASS_OF):
            out[code] += self.layers[material]
        return out


@dataclass(frozen=True, kw_only=True)
class World:
    """An endless seeded landscape, defined by functions of the ground.

    The same `seed` gives the same world everywhere and always; its truth on a grid does not depend on the
    grid's projection, so the same place has the same values in every UTM zone.
    """

    seed: int = 0

    @property
    def _key(self) -> int:
        return (self.seed * 1_000_003 + 12_345) % 2_000_000_000

    def grounds(self, grid: GeoBox, resolutions: Sequence[int] = (10,)) -> dict[int, Ground]:
        """The ground of `grid` as bands of each of these resolutions (10, 20, 60 m) can carry it."""
        metres = math.hypot(grid.transform.a, grid.transform.d)
        if grid.crs is not None and grid.crs.geographic:
            metres *= math.radians(1) * RADIUS
        sigmas = {resolution: optics.SPREAD[resolution] / metres for resolution in resolutions}
        margin = max(reach(sigma) for sigma in sigmas.values()) + 1
        shape = tuple(int(n) + 2 * margin for n in grid.shape)
        wide = window(grid, (slice(-margin, shape[0] - margin), slice(-margin, shape[1] - margin)))
        where = points(wide)
        land = np.empty((4, *shape), np.float32)
        relief(where, self._key, land)
        layers = np.empty((LAYERS + 2, *shape), np.float32)
        gradient(where, land[0], layers[LAYERS:])
        cover(where, land, np.hypot(layers[LAYERS], layers[LAYERS + 1]), self._key, layers[:LAYERS])
        inner = slice(margin, -margin)
        where, elevation = where[:, inner, inner], land[0, inner, inner].copy()
        out = {}
        for resolution, sigma in sigmas.items():
            skip = slice(margin - reach(sigma), reach(sigma) - margin)
            blurred = blur(np.ascontiguousarray(layers[:, skip, skip]), sigma)
            out[resolution] = Ground(grid=grid, points=where, elevation=elevation, layers=blurred)
        return out

    def elevation(self, grid: GeoBox) -> NDArray[np.float32]:
        """(y, x) metres at every pixel's centre; 0 on the sea."""
        where = points(grid)
        land = np.empty((4, *where.shape[1:]), np.float32)
        relief(where, self._key, land)
        return np.asarray(land[0])

    def reflectance(self, ground: Ground, moment: dt.datetime, bands: Sequence[str]) -> NDArray[np.float32]:
        """(bands, y, x) clear-sky reflectance x 1e4 of `ground`, which must be blurred for these bands."""
        index = [optics.BANDS.index(band) for band in bands]
        out = np.empty((len(index), *ground.elevation.shape), np.float32)
        tables = np.ascontiguousarray(optics.spectra(moment)[:, :, index])
        optics.reflectance(ground.layers, ground.sines, tables, optics.sun(moment), out)
        return out

    def backscatter(self, ground: Ground, moment: dt.datetime, orbit: str) -> NDArray[np.float32]:
        """(2, y, x) mean power of VV and VH, gamma nought."""
        out = np.empty((2, *ground.elevation.shape), np.float32)
        radar.backscatter(ground.layers, radar.powers(moment), radar.LOOK_AZIMUTH[orbit], out)
        return out

    def cloudiness(self, moment: dt.datetime) -> float:
        """Cloudiness of a day, -1.2 (clear) to 0.3 (mostly overcast); days near in time differ widely."""
        start = float(uniform(1, 1, 1, self._key))
        return -1.2 + 1.5 * math.modf(start + 0.618034 * moment.toordinal())[0]

    def clouds(
        self, grid: GeoBox, moment: dt.datetime
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint8]]:
        """Opacity, shade and SCL code (0 = clear, 3, 8, 9, 10) of a day's clouds, each (y, x)."""
        where = points(grid)
        shape = where.shape[1:]
        opacity, shade = np.empty(shape, np.float32), np.empty(shape, np.float32)
        code = np.empty(shape, np.uint8)
        seed = (self._key + 7919 * moment.toordinal()) % 2_000_000_000
        weather.clouds(where, self.cloudiness(moment), optics.sun(moment), seed, opacity, shade, code)
        return opacity, shade, code

    def weather(self, grid: GeoBox, moment: dt.datetime) -> NDArray[np.uint8]:
        """(y, x) SCL code of clouds at every pixel's centre: 0 clear, 3 shadow, 8 and 9 cloud, 10 thin cirrus."""
        return self.clouds(grid, moment)[2]

    def truth(self, grid: GeoBox, moment: dt.datetime, bands: Sequence[str] = ALL) -> dict[str, Any]:
        """What a perfect build would find on `grid`.

        Parameters
        ----------
        grid : any grid; one of 10 m or finer for truth that resampled imagery can be held against.
        moment : aware time of the acquisition (only the day matters).
        bands : which keys to fill.

        Returns
        -------
        dict with "elevation" (y, x) float32 metres at pixel centres; "probabilities" (9, y, x) float32, sum 1;
        "lulc" (y, x) uint8, the likeliest class; "s2" (12, y, x) int16 reflectance x 1e4 in the order of
        optics.BANDS, without clouds, each band as smooth as its own resolution can carry; "s1" a dict from
        "ascending" and "descending" to (2, y, x) float32 mean power (VV, VH) without speckle.
        """
        out: dict[str, Any] = {}
        resolutions = (10, 20, 60) if "s2" in bands else (10,)
        grounds = self.grounds(grid, resolutions)
        ground = grounds[10]
        if "elevation" in bands:
            out["elevation"] = ground.elevation
        if "probabilities" in bands:
            out["probabilities"] = ground.probabilities
        if "lulc" in bands:
            out["lulc"] = ground.probabilities.argmax(axis=0).astype(np.uint8)
        if "s1" in bands:
            out["s1"] = {orbit: self.backscatter(ground, moment, orbit) for orbit in radar.ORBITS}
        if "s2" in bands:
            s2 = np.empty((len(optics.BANDS), *ground.elevation.shape), np.int16)
            for resolution, seen in grounds.items():
                names = [band for band in optics.BANDS if optics.RESOLUTION[band] == resolution]
                values = np.rint(self.reflectance(seen, moment, names))
                s2[[optics.BANDS.index(name) for name in names]] = values.astype(np.int16)
            out["s2"] = s2
        return out


def margin(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """(y, x) lead of the likeliest class over the next one, 0 on a class edge to 1 deep inside a class."""
    top = np.partition(probabilities, len(probabilities) - 2, axis=0)
    return np.asarray(top[-1] - top[-2])


def away_from_edges(labels: NDArray[np.uint8], pixels: int) -> NDArray[np.bool_]:
    """(y, x) True where all labels within `pixels` pixels, diagonals included, are the same; False on the rim."""
    rows, columns = labels.shape
    same = np.zeros(labels.shape, np.bool_)
    inner = labels[pixels : rows - pixels, pixels : columns - pixels]
    alike = np.ones(inner.shape, np.bool_)
    for down in range(2 * pixels + 1):
        for across in range(2 * pixels + 1):
            alike &= labels[down : down + inner.shape[0], across : across + inner.shape[1]] == inner
    same[pixels : rows - pixels, pixels : columns - pixels] = alike
    return same
