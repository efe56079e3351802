"""The build configuration: YAML in, every value resolved out.

Unknown keys are refused with a suggestion; every value is checked here once and trusted afterwards.
"""

from __future__ import annotations

import datetime as dt
import difflib
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from rsprep.errors import ConfigError, TimeError

Layer = Literal["s2", "s1", "lulc", "terrain"]
LAYERS: tuple[Layer, ...] = ("s2", "s1", "lulc", "terrain")
S2_BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")
MAX_CONFIG_BYTES = 1_000_000


class Section(BaseModel):
    """A group of settings; frozen, and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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

    bands: tuple[str, ...] = Field(S2_BANDS, min_length=1)
    composite: Literal["best", "median"] = Field(
        "best", description="best: each pixel from the least cloudy date that is clear there; median: over clear dates"
    )
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

    polarisations: tuple[Literal["VV", "VH"], ...] = Field(("VV", "VH"), min_length=1)
    orbit: Literal["auto", "ascending", "descending"] = Field(
        "auto", description="auto: the orbit direction that covers more of the AOI; the two are never mixed"
    )
    border_px: int = Field(3, ge=0, le=50, description="pixels eroded along dead borders before compositing")


class LandCover(Section):
    """Land-cover labels in Dynamic World numbering."""

    method: Literal["mode", "probability"] = Field(
        "mode", description="mode of the labels, or argmax of the mean probability"
    )
    min_observations: int = Field(1, ge=1, description="fewer valid observations than this make a pixel nodata")


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
    quotas: dict[int, int] = Field(
        default_factory=dict, description="land-cover class to the number of chips wanted with it as the largest class"
    )


class Split(Section):
    """Train, validation and test by spatial block."""

    fractions: tuple[float, float, float] = Field((0.7, 0.2, 0.1), description="shares of train, val and test blocks")
    block_km: float = Field(20.0, gt=0, description="side of a block on the ground")
    buffer_m: float = Field(1000.0, ge=0, description="least distance between chips of different splits")
    seed: int = 0

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

    @field_validator("scheduler")
    @classmethod
    def _known_scheduler(cls, scheduler: str) -> str:
        if scheduler not in ("threads", "processes") and not scheduler.startswith(("tcp://", "tls://")):
            raise ValueError(f"unknown scheduler {scheduler!r}; use threads, processes or tcp://host:port")
        return scheduler


class BuildConfig(Section):
    """Everything `rsprep build-multisource` needs to know."""

    aoi: str = Field(description="path of a GeoJSON or GeoPackage, or west,south,east,north")
    out: str = Field(description="folder of the data set")
    source: str = "planted"
    endpoint: str | None = Field(None, description="STAC API or catalog.json that replaces the source's own")
    start: dt.datetime | None = None
    end: dt.datetime | None = Field(None, description="end of the window; a bare date counts to its last moment")
    catalog: str = Field("./catalog", description="STAC catalog in which the finished data set is registered")
    layers: tuple[Layer, ...] = Field(LAYERS, min_length=1)
    grid: Grid = Field(default_factory=Grid)
    sentinel2: Sentinel2 = Field(default_factory=Sentinel2)
    sentinel1: Sentinel1 = Field(default_factory=Sentinel1)
    landcover: LandCover = Field(default_factory=LandCover)
    terrain: Terrain = Field(default_factory=Terrain)
    select: Select = Field(default_factory=Select)
    split: Split = Field(default_factory=Split)
    engine: Engine = Field(default_factory=Engine)

    @field_validator("start", "end", mode="before")
    @classmethod
    def _utc(cls, value: Any, info: Any) -> Any:
        return parse_moment(value, is_end=info.field_name == "end")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.start and self.end and self.start > self.end:
            raise TimeError(
                "reversed",
                "the time window ends before it starts",
                value=f"{self.start.isoformat()} .. {self.end.isoformat()}",
                remedy="swap --start and --end",
            )
        return self


def parse_moment(value: Any, *, is_end: bool) -> dt.datetime | None:
    """Read a date or datetime as UTC.

    A bare date means its first moment, or its last when it ends a window. A datetime without a zone
    is refused: local time would silently shift the window.
    """
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = (
                dt.date.fromisoformat(value)
                if len(value) <= 10
                else dt.datetime.fromisoformat(value.replace("Z", "+00:00"))
            )
        except ValueError as error:
            raise TimeError(
                "unreadable", f"not a date ({error})", value=value, remedy="write 2021-06-01 or 2021-06-01T10:00:00Z"
            ) from None
    if isinstance(value, dt.datetime):
        if value.tzinfo is None:
            raise TimeError(
                "naive",
                "the time has no zone",
                value=value.isoformat(),
                remedy="add Z for UTC, as in 2021-06-01T10:00:00Z",
            )
        return value.astimezone(dt.UTC)
    if isinstance(value, dt.date):
        moment = dt.time.max if is_end else dt.time.min
        return dt.datetime.combine(value, moment, tzinfo=dt.UTC)
    raise TimeError("unreadable", "not a date", value=value, remedy="write 2021-06-01 or 2021-06-01T10:00:00Z")


def read_config(path: str | Path) -> dict[str, Any]:
    """Read a YAML configuration as a plain mapping; checked later by :func:`make_config`."""
    path = Path(path)
    if not path.is_file():
        raise ConfigError("not-found", "there is no such configuration file", value=str(path), remedy="check --config")
    if path.stat().st_size > MAX_CONFIG_BYTES:
        raise ConfigError(
            "too-large", "a configuration is never this large", value=str(path), remedy="is this the right file?"
        )
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(
            "not-yaml", f"the file is not YAML: {error}", value=str(path), remedy="see pipelines/ for examples"
        ) from None
    if not isinstance(content, dict):
        raise ConfigError(
            "not-a-mapping",
            "the file does not hold key: value pairs",
            value=str(path),
            remedy="see pipelines/ for examples",
        )
    return content


def make_config(values: dict[str, Any]) -> BuildConfig:
    """Check `values` and fill in the defaults; raises ConfigError or TimeError for what is wrong first."""
    try:
        return BuildConfig.model_validate(values)
    except ValidationError as error:
        raise _explain(error) from None


def _explain(error: ValidationError) -> ConfigError:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        close = difflib.get_close_matches(str(first["loc"][-1]), _known_keys(), n=1)
        remedy = f"did you mean {close[0]!r}?" if close else "see docs/configuration.md for the known keys"
        return ConfigError("unknown-key", "this key is not known", value=where, remedy=remedy)
    if first["type"] == "missing":
        return ConfigError("missing", f"{where} is required", remedy=f"give {where}")
    message = first["msg"].removeprefix("Value error, ")
    return ConfigError(
        f"bad-{first['loc'][-1] if isinstance(first['loc'][-1], str) else first['loc'][0]}".replace("_", "-"),
        f"{where}: {message}",
        value=first["input"],
        remedy="see docs/configuration.md",
    )


def _known_keys() -> list[str]:
    keys = list(BuildConfig.model_fields)
    for field in BuildConfig.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            keys += list(field.annotation.model_fields)
    return keys


def dump_config(config: BuildConfig) -> str:
    """The resolved configuration as YAML (``config.lock.yaml``)."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
