"""What a source definition says about each product: where its bands are and how their numbers are coded."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from rsprep.config import S2_BANDS
from rsprep.products.sentinel1 import Calibration, Kind, Units

Dtype = Literal["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"]
Resampling = Literal["nearest", "bilinear", "cubic", "average"]
ProductName = Literal["sentinel2", "sentinel1", "landcover", "dem"]

_Text = Annotated[str, Field(min_length=1)]
Scalar = bool | int | float | str


@dataclass(frozen=True, kw_only=True)
class Band:
    """Where one band of the store is found in a provider's items, and how its numbers are coded."""

    asset: str
    """Asset key in the provider's items."""
    number: int = 1
    """Band number in the file, counted from 1."""
    dtype: str
    nodata: float | None
    """The number that means "no data", never taken from the file; None only where a product has none."""
    resampling: Resampling
    """Kernel that takes this band to another grid; ``nearest`` for classes."""


class Rule(BaseModel):
    """Settings of one product; frozen, and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _Product(Rule):
    collection: _Text
    """Collection id in the provider's catalog."""
    dtype: Dtype
    nodata: float | None
    """Has no default: a raster whose nodata nobody declared would turn its gaps into measurements."""
    properties: dict[_Text, _Text] = Field(default_factory=dict)
    """STAC key to the provider's own property; granules carry it under the STAC key."""
    where: dict[_Text, Scalar] = Field(default_factory=dict)
    """Property (under either name) to the value that it must have, or must hold where it is a list; other items are
    left out, and counted where nothing is found."""
    footprint: Literal["bounds", "data"] = "bounds"
    """data: a footprint outlines real pixels, so that a granule which shows none of them is at fault; bounds: it may
    be the outline of the file, which is allowed to be empty."""
    resolution: _Text | None = None
    """Pixel size as the provider publishes it, in words; files tell their own."""
    licence: _Text | None = None
    """Licence of this product in a few words; None: see the licence of the source."""
    attribution: _Text | None = None
    """What to print beside whatever is made of it."""

    @model_validator(mode="after")
    def _representable(self) -> Self:
        check_nodata(self.nodata, self.dtype)
        return self


class Score(Rule):
    """A companion collection that scores how clear each pixel is (0 to 1), matched by the index of the image."""

    collection: _Text
    band: _Text
    dtype: Literal["float32", "float64"] = "float32"

    def as_band(self) -> Band:
        """The score as a band; below 0 is no score, so −1 stands for a pixel without one."""
        return Band(asset=self.band, dtype=self.dtype, nodata=-1.0, resampling="bilinear")


class Sentinel2Product(_Product):
    """Surface reflectance as digital numbers (reflectance × 10⁴, with or without the offset of baseline 04.00)."""

    nodata: float
    assets: dict[str, _Text] = Field(min_length=1)
    scl: _Text | None
    """Asset of the scene classification; None where the provider has none."""
    score: Score | None = None
    """Cloud score in a companion collection (Cloud Score+); None where the provider has none."""
    resampling: Resampling = "bilinear"
    tile: _Text | None = None
    """Item property that names the tile (MGRS); None where there is none."""
    baseline: _Text | None = None
    """Item property with the processing baseline, as in ``"04.00"``."""
    offset_applied: bool | _Text | None = None
    """True or False for a whole collection, or the item property that says whether the −1000 was removed already."""

    @model_validator(mode="after")
    def _known_bands(self) -> Self:
        unknown = [name for name in self.assets if name not in S2_BANDS]
        if unknown:
            raise ValueError(f"unknown Sentinel-2 band {unknown[0]!r}; known: {', '.join(S2_BANDS)}")
        return self

    def bands(self) -> dict[str, Band]:
        """Store name to band, then ``SCL`` and ``score``; class 0 of the SCL is no data by its product guide."""
        table = {
            name: Band(asset=asset, dtype=self.dtype, nodata=self.nodata, resampling=self.resampling)
            for name, asset in self.assets.items()
        }
        if self.scl is not None:
            table["SCL"] = Band(asset=self.scl, dtype="uint8", nodata=0.0, resampling="nearest")
        if self.score is not None:
            table["score"] = self.score.as_band()
        return table


class Sentinel1Product(_Product):
    """Backscatter of one of three kinds, see :data:`rsprep.products.sentinel1.Kind`, which are kept apart."""

    nodata: float
    kind: Kind = "rtc"
    assets: dict[Literal["VV", "VH"], _Text] = Field(min_length=1)
    units: Units
    calibration: Calibration
    resampling: Resampling = "bilinear"
    orbit: _Text | None = "sat:orbit_state"
    """Item property with the orbit direction; None where the provider does not tell."""

    @model_validator(mode="after")
    def _typed_apart(self) -> Self:
        if self.kind != "grd" and (self.units == "amplitude" or self.calibration == "uncalibrated"):
            raise ValueError("units amplitude and calibration uncalibrated are for kind: grd only")
        return self

    def bands(self) -> dict[str, Band]:
        """Store name (``VV``, ``VH``) to band."""
        return {
            str(name): Band(asset=asset, dtype=self.dtype, nodata=self.nodata, resampling=self.resampling)
            for name, asset in self.assets.items()
        }


class LandCoverProduct(_Product):
    """Classes in a provider's own coding, and class probabilities where it publishes them."""

    nodata: float
    label: _Text
    probabilities: dict[Annotated[int, Field(ge=0, le=8)], int | _Text] | None = None
    """Dynamic World class to an asset of its own, or to a band number of ``probabilities_asset``."""
    probabilities_asset: _Text | None = None
    probabilities_dtype: Dtype = "float32"
    probabilities_nodata: float | None = None
    crosswalk: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    """Name of the table in ``catalogs/crosswalks`` that takes the coding to Dynamic World numbers."""
    epoch: Literal["exact", "nearest"] = "exact"
    """nearest: maps of whole years; the year nearest to the period is taken, even where it lies outside."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.probabilities is None:
            return self
        if self.probabilities_nodata is None:
            raise ValueError(
                "probabilities_nodata must be declared where there are probabilities (.nan is a number here)"
            )
        check_nodata(self.probabilities_nodata, self.probabilities_dtype)
        if sorted(self.probabilities) != list(range(9)):
            raise ValueError("probabilities must name all nine classes 0 to 8")
        numbers = [value for value in self.probabilities.values() if isinstance(value, int)]
        if numbers and self.probabilities_asset is None:
            raise ValueError("probabilities by band number need probabilities_asset")
        if numbers and (min(numbers) < 1 or len(set(numbers)) < len(numbers)):
            raise ValueError("probabilities: band numbers start at 1 and each is used once")
        return self

    def bands(self) -> dict[str, Band]:
        """Store name (``label``, ``p0`` … ``p8``) to band."""
        table = {"label": Band(asset=self.label, dtype=self.dtype, nodata=self.nodata, resampling="nearest")}
        for index, where in sorted((self.probabilities or {}).items()):
            number, asset = (where, self.probabilities_asset or "") if isinstance(where, int) else (1, where)
            table[f"p{index}"] = Band(
                asset=asset,
                number=number,
                dtype=self.probabilities_dtype,
                nodata=self.probabilities_nodata,
                resampling="bilinear",
            )
        return table


class Absent(Rule):
    """What a gap between DEM tiles means."""

    rule: Literal["error", "tile-list"]
    """error: always a fault; tile-list: 0 m (sea) where the list of published tiles has none, a fault elsewhere."""
    href: _Text | None = None
    """The list, relative to the root of the catalog; None: the collection links to it (``rel: tile-list``)."""
    tile_degrees: Annotated[float, Field(gt=0, le=30)] | _Text = 1.0
    """Side of a tile in degrees, or the collection summary that tells it; names in the list give SW corners."""
    withheld: tuple[Annotated[str, Field(pattern=r"^[NS]\d{2}[EW]\d{3}$")], ...] = ()
    """South-west corners (``N40E045``) of tiles of land that some releases lack: without a tile they are no sea."""


class DemProduct(_Product):
    """Elevation in metres."""

    asset: _Text = "data"
    absent: Absent
    surface: Literal["DSM", "DTM"]
    """Whether trees and buildings are in the heights (surface model) or not (terrain model)."""
    vertical_datum: _Text

    def bands(self) -> dict[str, Band]:
        """Store name (``elevation``) to band."""
        return {"elevation": Band(asset=self.asset, dtype=self.dtype, nodata=self.nodata, resampling="cubic")}


Product = Sentinel2Product | Sentinel1Product | LandCoverProduct | DemProduct


def check_nodata(nodata: float | None, dtype: str) -> None:
    """Raise ValueError where a raster of `dtype` cannot hold `nodata`."""
    kind: Any = np.dtype(dtype)
    if nodata is None or kind.kind == "f":
        return
    limits = np.iinfo(kind)
    if not math.isfinite(nodata) or nodata != int(nodata) or not limits.min <= nodata <= limits.max:
        raise ValueError(f"nodata {nodata} cannot occur in a raster of type {dtype}")
