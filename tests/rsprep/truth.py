"""What a built data set and the planted world say of the same ground."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from rsprep.job.journal_view import JournalView
from rsprep.job.records import ChipRow
from rsprep.sources.planted import World, optics
from rsprep.sources.planted.world import away_from_edges

FAR_FROM_EDGE = 0.3
"""Lead of the likeliest class over the next from which on a pixel counts as away from edges."""


def noon(day: dt.date) -> dt.datetime:
    return dt.datetime(day.year, day.month, day.day, 12, tzinfo=dt.UTC)


def grid_of(chip: xr.Dataset) -> GeoBox:
    """Pixel grid of one chip, from what the store says alone."""
    pixel, side = float(chip.attrs["pixel_size"]), int(chip.attrs["chip_size"])
    affine = Affine(pixel, 0, float(chip.x_origin), 0, -pixel, float(chip.y_origin))
    return GeoBox((side, side), affine, int(chip.epsg))


def together(chips: xr.Dataset) -> tuple[xr.Dataset, GeoBox, NDArray[np.bool_]]:
    """All chips of one zone side by side on one grid, and where there is a chip (y, x)."""
    chips = chips.load()
    assert len(set(chips.epsg.to_numpy().tolist())) == 1
    pixel, side = float(chips.attrs["pixel_size"]), int(chips.attrs["chip_size"])
    left, top = chips.x_origin.to_numpy().min(), chips.y_origin.to_numpy().max()
    columns = ((chips.x_origin.to_numpy() - left) / pixel).astype(int)
    rows = ((top - chips.y_origin.to_numpy()) / pixel).astype(int)
    shape = int(rows.max()) + side, int(columns.max()) + side
    there = np.zeros(shape, np.bool_)
    layers = {}
    for name, layer in chips.data_vars.items():
        whole = np.zeros((*layer.shape[1:-2], *shape), layer.dtype)
        for values, row, column in zip(layer.to_numpy(), rows, columns, strict=True):
            whole[..., row : row + side, column : column + side] = values
            there[row : row + side, column : column + side] = True
        layers[name] = (*layer.dims[1:-2], "y", "x"), whole
    bands = {name: chips[name] for name in chips.coords if str(name).endswith("_band")}
    grid = GeoBox(shape, Affine(pixel, 0, left, 0, -pixel, top), int(chips.epsg[0]))
    return xr.Dataset(layers, coords=bands), grid, there


class CoarseGround:
    """Truth on a grid whose pixels are a whole number of times 10 m: area averages of the 10 m truth."""

    def __init__(self, world: World, grid: GeoBox) -> None:
        self._world, self._shape = world, tuple(int(side) for side in grid.shape)
        self._factor = round(grid.affine.a / 10)
        rows, columns = (side * self._factor for side in self._shape)
        fine = GeoBox((rows, columns), grid.affine @ Affine.scale(1 / self._factor), grid.crs)
        self._ground = world.grounds(fine)[10]
        self.elevation = self._mean(self._ground.elevation)
        self.probabilities = self._mean(self._ground.probabilities)

    def power(self, day: dt.date, orbit: str) -> NDArray[Any]:
        """(2, y, x) mean of VV and VH."""
        return self._mean(self._world.backscatter(self._ground, noon(day), orbit))

    def reflectance(self, day: dt.date, bands: tuple[str, ...]) -> NDArray[Any]:
        """(bands, y, x) reflectance × 10⁴ in bands of 10 m, without clouds."""
        return self._mean(self._world.reflectance(self._ground, noon(day), bands))

    def clear(self, day: dt.date) -> NDArray[np.bool_]:
        """(y, x) True where the sky is clear over the whole pixel and a little around it."""
        cloudy = self._mean(self._world.weather(self._ground.grid, noon(day)) > 0) > 0
        return ~cloudy & away_from_edges(cloudy.astype(np.uint8), 2)

    def _mean(self, values: NDArray[Any]) -> NDArray[Any]:
        rows, columns = self._shape
        shape = (*values.shape[:-2], rows, self._factor, columns, self._factor)
        return np.asarray(values.reshape(shape).mean(axis=(-3, -1)))


def reflectance_errors(chips: xr.Dataset, truth: NDArray[Any], where: NDArray[np.bool_]) -> dict[str, float]:
    """Band to mean relative error over the pixels `where` (y, x)."""
    errors = {}
    for at, band in enumerate(chips.s2_band.to_numpy().tolist()):
        expected = truth[optics.BANDS.index(band)][where].astype(float)
        errors[str(band)] = float(np.mean(np.abs(chips.s2.to_numpy()[at][where] - expected) / expected))
    return errors


def rows_of(dataset: Path, state: str | None = None) -> list[ChipRow]:
    """The chips of a data set as its journal has them."""
    with JournalView.open(dataset) as journal:
        return list(journal.chips(state))


def digests(dataset: Path) -> dict[str, str]:
    """Chip to digest of its pixels."""
    return {row.chip_id: row.digest for row in rows_of(dataset, "committed")}
