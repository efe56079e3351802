"""What a chip store holds: its variables, their types and what their numbers mean (schema 1).

No-data is said in two places: as the array's fill value and, for integers, as the attribute
``nodata``. It is on purpose not said as CF ``_FillValue`` or ``scale_factor``: readers such as
``xarray.open_zarr`` would then turn every integer variable into floats, class codes included.
So a plain open shows the numbers as stored; for floats no-data is NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from rsprep.config import BuildConfig, Terrain
from rsprep.dynamic_world import CLASSES, COLOURS, NODATA
from rsprep.errors import StoreError
from rsprep.files import plain_name

SCHEMA_VERSION = 1
NOWHERE = 0
"""Stands for the EPSG code of chips that lie nowhere on the ground: pictures without a place."""
S2_NODATA = -32768
S2_SCALE = 1e-4
TERRAIN_BANDS = ("elevation", "slope", "aspect", "hillshade")


@dataclass(frozen=True, kw_only=True)
class Variable:
    """One array of the store, with a chip axis in front and y, x behind."""

    name: str
    bands: tuple[str, ...] | None
    """Band names along `band_dim`; None for a variable without a band axis."""
    band_dim: str | None
    """Name of the band axis (``s2_band``); None for a variable without one."""
    dtype: str
    """numpy name of the stored type (``int16``)."""
    fill: float
    """No-data value, NaN for floats."""
    attrs: Mapping[str, Any] = field(default_factory=dict)
    """Attributes written on the array."""

    def __post_init__(self) -> None:
        if (self.bands is None) != (self.band_dim is None):
            raise ValueError(f"variable {self.name}: bands and band_dim go together")
        if np.isnan(self.fill) and np.dtype(self.dtype).kind != "f":
            raise ValueError(f"variable {self.name}: {self.dtype} cannot hold NaN")

    @property
    def has_nodata(self) -> bool:
        """True where `fill` means no-data; a mask such as `s2_valid` has a value everywhere."""
        return np.dtype(self.dtype).kind == "f" or "nodata" in self.attrs

    @property
    def dims(self) -> tuple[str, ...]:
        """Axis names: chip, then the bands if any, then y and x."""
        return ("chip", *((self.band_dim,) if self.band_dim else ()), "y", "x")

    def chip_shape(self, chip_px: int) -> tuple[int, ...]:
        """Shape of one chip: ([bands], y, x)."""
        return (*((len(self.bands),) if self.bands else ()), chip_px, chip_px)

    def blank(self, count: int, chip_px: int) -> np.ndarray:
        """`count` chips of no-data: (count, [bands], y, x)."""
        return np.full((count, *self.chip_shape(chip_px)), self.fill, self.dtype)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "bands": list(self.bands) if self.bands else None,
            "band_dim": self.band_dim,
            "dtype": self.dtype,
            "fill": "NaN" if np.isnan(self.fill) else self.fill,
            "attrs": dict(self.attrs),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Variable:
        return cls(
            name=plain_name(record["name"]),
            bands=tuple(record["bands"]) if record["bands"] else None,
            band_dim=record["band_dim"],
            dtype=record["dtype"],
            fill=float("nan") if record["fill"] == "NaN" else record["fill"],
            attrs=record["attrs"],
        )


ColumnKind = Literal["float32", "int32", "string", "bool"]


@dataclass(frozen=True, kw_only=True)
class Column:
    """One value a chip that a corpus records beside the coordinates that every store has."""

    name: str
    kind: ColumnKind
    meaning: str

    @property
    def unknown(self) -> float | int | str | bool:
        """Stands in slots without a chip."""
        stands_in: dict[ColumnKind, float | int | str | bool]
        stands_in = {"float32": float("nan"), "int32": 0, "string": "", "bool": False}
        return stands_in[self.kind]


@dataclass(frozen=True, kw_only=True)
class Schema:
    """All variables of a store, and how chips are laid out in it."""

    variables: tuple[Variable, ...]
    chip_px: int
    """Pixels along a chip's side."""
    resolution: float
    """Metres along a pixel's side; 1 where it is not known."""
    slots_per_shard: int
    """Chips that one shard file holds; one task writes all of them."""
    columns: tuple[Column, ...] = ()
    """What a corpus records of each chip beside the coordinates that every store has."""

    def __getitem__(self, name: str) -> Variable:
        for variable in self.variables:
            if variable.name == name:
                return variable
        raise KeyError(name)

    @property
    def side(self) -> float:
        """Metres along a chip's side."""
        return self.chip_px * self.resolution

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the variables, in order."""
        return tuple(variable.name for variable in self.variables)

    @property
    def band_coords(self) -> dict[str, tuple[str, ...]]:
        """Band axis to band names."""
        return {v.band_dim: v.bands for v in self.variables if v.band_dim is not None and v.bands is not None}

    @property
    def shard_bytes(self) -> int:
        """Bytes of one shard of every variable, uncompressed."""
        chip = sum(int(np.prod(v.chip_shape(self.chip_px))) * np.dtype(v.dtype).itemsize for v in self.variables)
        return chip * self.slots_per_shard

    def to_json(self) -> dict[str, Any]:
        columns = {"columns": [vars(column) for column in self.columns]} if self.columns else {}
        return columns | {
            "version": SCHEMA_VERSION,
            "chip_px": self.chip_px,
            "resolution": self.resolution,
            "slots_per_shard": self.slots_per_shard,
            "variables": [variable.to_json() for variable in self.variables],
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Schema:
        if record.get("version") != SCHEMA_VERSION:
            raise StoreError(
                "schema-version",
                f"this release reads schema {SCHEMA_VERSION}",
                value=record.get("version"),
                remedy="open it with the release that wrote it",
            )
        return cls(
            variables=tuple(Variable.from_json(variable) for variable in record["variables"]),
            chip_px=record["chip_px"],
            resolution=record["resolution"],
            slots_per_shard=record["slots_per_shard"],
            columns=tuple(Column(**column) for column in record.get("columns", ())),
        )


def multisource_schema(
    config: BuildConfig,
    *,
    s2_sky: str = "unknown",
    s1_kind: str = "unknown",
    s1_calibration: str = "unknown",
    s1_orbit: str = "unknown",
    lulc_origin: str = "unknown",
    dem_surface: str = "unknown",
    dem_datum: str = "unknown",
) -> Schema:
    """Schema of a multi-source data set with the layers that `config` asks for.

    Parameters
    ----------
    config : the resolved build configuration.
    s2_sky : what tells clear observations apart, see :func:`rsprep.job.sky.sky_words`.
    s1_kind : ``rtc`` or ``gtc``, see :data:`rsprep.products.sentinel1.Kind`.
    s1_calibration : ``gamma0`` or ``sigma0``, from the source definition.
    s1_orbit : ``ascending`` or ``descending``, as chosen for this build.
    lulc_origin : where the classes come from, e.g. the name of the crosswalk.
    dem_surface : ``DSM`` (with trees and buildings) or ``DTM``.
    dem_datum : what heights are counted from, e.g. ``EGM2008``.
    """
    variables: list[Variable] = []
    if "s2" in config.layers:
        variables += _optical(config.sentinel2.bands, s2_sky)
    if "s1" in config.layers:
        variables.append(_radar(config.sentinel1.polarisations, s1_kind, s1_calibration, s1_orbit))
    if "lulc" in config.layers:
        variables.append(_landcover(lulc_origin))
    if "terrain" in config.layers:
        variables.append(_terrain(dem_surface, dem_datum, config.terrain))
    return Schema(
        variables=tuple(variables),
        chip_px=config.grid.chip_size,
        resolution=config.grid.resolution,
        slots_per_shard=config.grid.block_chips**2,
    )


def _optical(bands: tuple[str, ...], sky: str) -> list[Variable]:
    reflectance = {
        "long_name": "surface reflectance",
        "units": "1e-4",
        "scale": S2_SCALE,
        "nodata": S2_NODATA,
        "note": "reflectance = value * scale; the provider's offset is already removed",
    }
    clear = {
        "long_name": "clear Sentinel-2 observation",
        "units": "1",
        "flag_values": [0, 1],
        "flag_meanings": "not_clear clear",
        "told_by": sky,
    }
    return [
        Variable(name="s2", bands=bands, band_dim="s2_band", dtype="int16", fill=S2_NODATA, attrs=reflectance),
        Variable(name="s2_valid", bands=None, band_dim=None, dtype="uint8", fill=0, attrs=clear),
    ]


def _radar(polarisations: tuple[str, ...], kind: str, calibration: str, orbit: str) -> Variable:
    attrs = {
        "long_name": "radar backscatter",
        "units": "dB",
        "kind": kind,
        "calibration": calibration,
        "orbit": orbit,
    }
    return Variable(name="s1", bands=polarisations, band_dim="s1_band", dtype="float32", fill=float("nan"), attrs=attrs)


def _landcover(origin: str) -> Variable:
    attrs = {
        "long_name": "land cover in Dynamic World numbering",
        "units": "1",
        "nodata": NODATA,
        "flag_values": list(range(len(CLASSES))),
        "flag_meanings": " ".join(CLASSES),
        "flag_colors": " ".join(COLOURS),
        "origin": origin,
    }
    return Variable(name="lulc", bands=None, band_dim=None, dtype="uint8", fill=NODATA, attrs=attrs)


def _terrain(surface: str, datum: str, light: Terrain) -> Variable:
    attrs: dict[str, Any] = {
        "long_name": "elevation of the surface, slope, aspect, hillshade",
        "band_units": ["m", "degree", "degree clockwise from north", "1"],
        "surface": surface,
        "vertical_datum": datum,
        "note": "aspect is NaN where the ground is flat; hillshade runs from 0 to 255",
    }
    usual = Terrain()
    if (light.azimuth, light.altitude) != (usual.azimuth, usual.altitude):
        attrs |= {"azimuth": light.azimuth, "altitude": light.altitude}  # who turns a chip must make its hillshade anew
    return Variable(
        name="terrain", bands=TERRAIN_BANDS, band_dim="terrain_band", dtype="float32", fill=float("nan"), attrs=attrs
    )
