"""The build configuration: YAML in, every value resolved out.

Unknown keys are refused with a suggestion; every value is checked here once and trusted afterwards.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from rsprep.errors import ConfigError
from rsprep.moments import check_order, parse_moment
from rsprep.settings import Section, make_settings

Layer = Literal["s2", "s1", "lulc", "terrain"]
LAYERS: tuple[Layer, ...] = ("s2", "s1", "lulc", "terrain")
S2_BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")


class Grid(Section):
    """How the ground is cut into chips."""

    chip_size: int = Field(256, ge=16, le=4096, description="pixels along a chip's side")
    resolution: float = Field(10.0, gt=0, le=1000, description="metres along a pixel's side")
    snap: Literal["utm", "source"] = Field(
        "utm", description="utm: start on multiples of the resolution; source: on the Sentinel-2 pixel lattice"
    )
    partial: Literal["drop", "keep"] = Field(
        "drop", description="keep: keep chips that stick out of the AOI or of the data"
    )
    block_px: int = Field(1024, ge=16, le=8192, description="pixels along the side of one unit of work (one shard)")

    @property
    def block_chips(self) -> int:
        """Chips along the side of one shard."""
        return max(1, self.block_px // self.chip_size)


class Sentinel2(Section):
    """Optical layer: surface reflectance and the mask of clear observations."""

    bands: tuple[str, ...] = Field(S2_BANDS, min_length=1, description="bands of the store, in this order")
    composite: Literal["best", "median"] = Field(
        "best", description="best: each pixel from the least cloudy date that is clear there; median: over clear dates"
    )
    sky: Literal["auto", "scl", "cloud-score"] = Field(
        "auto",
        description="what tells clear sky: the scene classification or a cloud score; auto: the score if there is one",
    )
    min_clear_score: float = Field(0.6, ge=0, le=1, description="least cloud score (1 is clear) of a clear pixel")
    mask_snow: bool = Field(False, description="count SCL class 11 (snow, ice) as not clear")
    max_scene_cloud: float = Field(100.0, ge=0, le=100, description="skip granules with more cloud than this, percent")

    @field_validator("bands")
    @classmethod
    def _known_bands(cls, bands: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [band for band in bands if band not in S2_BANDS]
        if unknown:
            raise ValueError(f"unknown Sentinel-2 band {unknown[0]!r}; known: {', '.join(S2_BANDS)}")
        if len(set(bands)) != len(bands):
            raise ValueError("a band is named twice")
        return bands


class Sentinel1(Section):
    """Radar layer: backscatter in dB, composited in power."""

    polarisations: tuple[Literal["VV", "VH"], ...] = Field(
        ("VV", "VH"), min_length=1, description="polarisations of the store, in this order"
    )
    orbit: Literal["auto", "ascending", "descending"] = Field(
        "auto", description="auto: the orbit direction that covers more of the AOI; the two are never mixed"
    )
    border_px: int = Field(3, ge=0, le=50, description="pixels eroded along dead borders before compositing")

    @field_validator("polarisations")
    @classmethod
    def _named_once(cls, polarisations: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(polarisations)) != len(polarisations):
            raise ValueError("a polarisation is named twice")
        return polarisations


class LandCover(Section):
    """Land-cover labels in Dynamic World numbering."""

    method: Literal["mode", "probability"] = Field(
        "mode", description="mode of the labels, or argmax of the mean probability"
    )
    min_observations: int = Field(1, ge=1, description="fewer valid observations than this make a pixel nodata")


class Origin(Section):
    """A source for one layer."""

    source: str = Field(min_length=1, description="name of a source definition, or path of a YAML file")
    endpoint: str | None = Field(None, description="address that replaces the source's own")

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        return {"source": value} if isinstance(value, str) else value

    @field_validator("endpoint")
    @classmethod
    def _no_secret(cls, endpoint: str | None) -> str | None:
        return _without_secret(endpoint)


class EarthEngine(Section):
    """How Earth Engine is reached. Nothing in here changes a pixel."""

    project: str | None = Field(
        None, description="Cloud project to charge; null: EARTHENGINE_PROJECT, GOOGLE_CLOUD_PROJECT or the login's own"
    )
    credentials: str = Field(
        "auto",
        min_length=1,
        description="auto, saved (earthengine authenticate), adc (gcloud), anonymous (loopback only), or a key file",
    )
    concurrent: int = Field(20, ge=1, le=40, description="most requests at a time, over all workers")
    requests_per_second: float = Field(80.0, gt=0, le=100, description="most requests a second, over all workers")
    deadline_s: float = Field(180.0, gt=0, description="seconds after which a request is given up and tried again")


class Terrain(Section):
    """Elevation and what is derived from it."""

    resampling: Literal["bilinear", "cubic"] = Field("cubic", description="kernel that takes the DEM to the grid")
    azimuth: float = Field(315.0, ge=0, le=360, description="direction of the light, degrees clockwise from north")
    altitude: float = Field(45.0, gt=0, le=90, description="height of the light above the horizon, degrees")
    z_factor: float = Field(1.0, gt=0, description="multiplies heights before slope and hillshade")


class Select(Section):
    """Which finished chips are kept."""

    min_valid: float = Field(0.0, ge=0, le=1, description="least fraction of clear Sentinel-2 pixels")
    max_cloud: float = Field(1.0, ge=0, le=1, description="largest fraction of pixels observed but never clear")
    quotas: dict[Annotated[int, Field(ge=0, le=8)], Annotated[int, Field(ge=0)]] = Field(
        default_factory=dict,
        description="land-cover class, 0 to 8, to the number of chips wanted with it as the largest class",
    )


class Split(Section):
    """Train, validation and test by spatial block."""

    fractions: tuple[float, float, float] = Field((0.7, 0.2, 0.1), description="shares of train, val and test blocks")
    block_km: float = Field(20.0, gt=0, description="side of a block on the ground")
    buffer_m: float = Field(1000.0, ge=0, description="least distance between chips of different splits")
    seed: int = Field(0, description="another seed deals the blocks out differently")

    @field_validator("fractions")
    @classmethod
    def _sum_to_one(cls, fractions: tuple[float, float, float]) -> tuple[float, float, float]:
        if min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6:
            raise ValueError(f"split fractions must be at least 0 and sum to 1, got {fractions}")
        return fractions


class Engine(Section):
    """Where the work runs. Nothing in here changes a pixel."""

    scheduler: str = Field("threads", description="threads, processes, or tcp://host:port of a running cluster")
    workers: int = Field(0, ge=0, description="0: one a core")
    retries: int = Field(3, ge=0, description="how often a failed read is tried again")
    outage_s: float = Field(
        900.0, ge=0, description="seconds for which a server that does not answer, or is busy, is waited for"
    )
    worker_ttl: float = Field(
        60.0, gt=0, description="seconds of silence after which a local worker process counts as frozen (at least 5)"
    )

    @field_validator("scheduler")
    @classmethod
    def _known_scheduler(cls, scheduler: str) -> str:
        if scheduler not in ("threads", "processes") and not scheduler.startswith(("tcp://", "tls://")):
            raise ValueError(f"unknown scheduler {scheduler!r}; use threads, processes or tcp://host:port")
        return scheduler


class BuildConfig(Section):
    """Everything `rsprep build-multisource` needs to know."""

    aoi: str = Field(
        min_length=1,
        description="area of interest: path of a GeoJSON or GeoPackage, or west,south,east,north",
        examples=["region.geojson"],
    )
    out: str = Field(
        min_length=1,
        description="folder of the data set, or an address such as s3://bucket/chips",
        examples=["chips"],
    )
    source: str = Field(
        "planted", min_length=1, description="name of a source definition in catalogs/sources, or path of a YAML file"
    )
    endpoint: str | None = Field(None, description="STAC API or catalog.json that replaces the source's own")
    sources: dict[Layer, tuple[Origin, ...]] = Field(
        default_factory=dict,
        description="layer to a source of its own; lulc may name several: where one sees nothing, the next serves",
    )
    granules: str | None = Field(
        None, description="data set whose granules are read again; null: the sources are searched"
    )
    start: dt.datetime | None = Field(
        None, description="begin of the time window, as 2021-06-01 or 2021-06-01T10:00:00Z; null leaves it open"
    )
    end: dt.datetime | None = Field(None, description="end of the window; a bare date counts to its last moment")
    catalog: str = Field(
        "./catalog", min_length=1, description="STAC catalog in which the finished data set is registered"
    )
    layers: tuple[Layer, ...] = Field(LAYERS, min_length=1, description="what a chip holds")
    grid: Grid = Field(default_factory=Grid)
    sentinel2: Sentinel2 = Field(default_factory=Sentinel2)
    sentinel1: Sentinel1 = Field(default_factory=Sentinel1)
    landcover: LandCover = Field(default_factory=LandCover)
    terrain: Terrain = Field(default_factory=Terrain)
    select: Select = Field(default_factory=Select)
    split: Split = Field(default_factory=Split)
    engine: Engine = Field(default_factory=Engine)
    earthengine: EarthEngine = Field(default_factory=EarthEngine)

    @field_validator("sources", mode="before")
    @classmethod
    def _one_or_several(cls, sources: Any) -> Any:
        if not isinstance(sources, Mapping):
            return sources
        return {layer: given if isinstance(given, list | tuple) else (given,) for layer, given in sources.items()}

    @field_validator("layers")
    @classmethod
    def _named_once(cls, layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
        if len(set(layers)) != len(layers):
            raise ValueError("a layer is named twice")
        return layers

    @field_validator("endpoint")
    @classmethod
    def _no_secret(cls, endpoint: str | None) -> str | None:
        return _without_secret(endpoint)

    @field_validator("start", "end", mode="before")
    @classmethod
    def _utc(cls, value: Any, info: Any) -> Any:
        return parse_moment(value, is_end=info.field_name == "end")

    def origins(self, layer: Layer) -> tuple[Origin, ...]:
        """The sources of a layer, the preferred one first."""
        return self.sources.get(layer) or (Origin(source=self.source, endpoint=self.endpoint),)

    @model_validator(mode="after")
    def _one_source_a_layer(self) -> Self:
        for layer, origins in self.sources.items():
            if not origins or (len(origins) > 1 and layer != "lulc"):
                raise ConfigError(
                    "bad-sources",
                    f"sources.{layer} takes one source; only lulc may have others to fall back on",
                    value=", ".join(origin.source for origin in origins),
                    remedy=f"name one source for {layer}, or leave it out",
                )
        return self

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        check_order(self.start, self.end)
        needs: dict[Layer, dict[str, bool]] = {
            "s2": {"grid.snap: source": self.grid.snap == "source", "select.max_cloud": self.select.max_cloud < 1},
            "lulc": {"select.quotas": bool(self.select.quotas)},
        }
        for layer, settings in needs.items():
            for setting, asked in settings.items():
                if asked and layer not in self.layers:
                    raise ConfigError(
                        "needs-layer",
                        f"{setting} needs the layer {layer}, which is not built",
                        value=f"layers: {', '.join(self.layers)}",
                        remedy=f"add {layer} to --layers, or leave {setting} out",
                    )
        return self


def _without_secret(endpoint: str | None) -> str | None:
    """`endpoint`; ConfigError where it holds what must not lie beside the data, as the resolved configuration does."""
    parts = urlsplit(endpoint or "")
    if parts.scheme and (parts.query or parts.username or parts.password):
        raise ConfigError(
            "endpoint-secret",
            "the endpoint carries a query or a password, which would be stored with the data set",
            value=endpoint,
            remedy="give the address alone; signing belongs into the source definition",
        )
    return endpoint


def make_config(values: dict[str, Any]) -> BuildConfig:
    """Check `values` and fill in the defaults; raises ConfigError or TimeError for what is wrong first."""
    return make_settings(BuildConfig, values)
