"""A layer: pixels of several bands on one grid, with one validity mask for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox


@dataclass(frozen=True, kw_only=True)
class Layer:
    """Bands of one granule, or of a mosaic, on a target grid.

    One mask serves all bands: a pixel that lacks one band lacks them all, so that a mosaic never
    takes two bands of a pixel from two acquisitions.
    """

    values: NDArray[Any]
    """Pixel values, shape (bands, y, x), in the file's own dtype or float32. Meaningless where `valid` is False."""
    valid: NDArray[np.bool_]
    """Shape (y, x); True where every band was observed."""
    bands: tuple[str, ...]
    """Band names in the order of the first axis."""
    grid: GeoBox
    """Where the pixels lie."""

    def __post_init__(self) -> None:
        shape = (int(self.grid.shape[0]), int(self.grid.shape[1]))
        if self.values.shape != (len(self.bands), *shape):
            raise ValueError(
                f"layer values have shape {self.values.shape}, expected {(len(self.bands), *shape)} "
                f"for bands {self.bands} on this grid"
            )
        if self.valid.shape != shape or self.valid.dtype != np.bool_:
            raise ValueError(
                f"layer mask has shape {self.valid.shape} and dtype {self.valid.dtype}, expected {shape} and bool"
            )
        if not self.bands or len(set(self.bands)) != len(self.bands):
            raise ValueError(f"layer bands must be distinct and at least one, got {self.bands}")

    @property
    def valid_fraction(self) -> float:
        """Share of pixels that are valid, 0 to 1."""
        return float(np.count_nonzero(self.valid)) / self.valid.size

    def band(self, name: str) -> NDArray[Any]:
        """Values of band `name`, shape (y, x); raises KeyError for a band the layer lacks."""
        try:
            index = self.bands.index(name)
        except ValueError:
            raise KeyError(f"the layer has no band {name!r}; it has {', '.join(self.bands)}") from None
        band: NDArray[Any] = self.values[index]
        return band
