"""Settings of `rsprep cloud-masks`, and what the codes of a cloud mask stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from rsprep.corpus.settings import CorpusSettings
from rsprep.masks.shapes import CLEAR, CLOUD, UNKNOWN, SeedRules

Code = Annotated[int, Field(ge=0, le=255)]
UNNAMED: Final = -1


@dataclass(frozen=True, kw_only=True)
class CodeMap:
    """What the codes of a class raster stand for; a code that is not named is an error."""

    name: str
    thick: tuple[int, ...]
    """Thick cloud: what seeds are made of."""
    clear: tuple[int, ...]
    """Everything else that is known: clear sky, thin cloud, shadow."""
    nodata: tuple[int, ...] = ()

    def table(self, declared: float | None = None) -> NDArray[np.int16]:
        """(256,) code to 0 clear, 1 thick, 255 unknown; −1 for codes that are not named.

        Parameters
        ----------
        declared : nodata that a file declares; counts where the map does not name that code.
        """
        table = np.full(256, UNNAMED, np.int16)
        if declared is not None and float(declared).is_integer() and 0 <= declared <= 255:
            table[int(declared)] = UNKNOWN
        for codes, meaning in ((self.thick, CLOUD), (self.clear, CLEAR), (self.nodata, UNKNOWN)):
            table[list(codes)] = meaning
        return table

    def to_text(self) -> str:
        """For people: ``thick 9, other 2 3 4, nodata 0 1``."""
        parts = (("thick", self.thick), ("other", self.clear), ("nodata", self.nodata))
        return ", ".join(f"{word} {' '.join(map(str, codes))}" for word, codes in parts if codes)


PRESETS: Final[Mapping[str, CodeMap]] = {
    one.name: one
    for one in (
        # Sentinel-2 scene classification: 8 is cloud of medium probability, 10 thin cirrus, 3 shadow.
        CodeMap(name="scl", thick=(9,), clear=(2, 3, 4, 5, 6, 7, 8, 10, 11), nodata=(0, 1)),
        CodeMap(name="omnicloudmask", thick=(1,), clear=(0, 2, 3)),
        CodeMap(name="cloudsen12", thick=(1,), clear=(0, 2, 3)),
        CodeMap(name="binary", thick=(1,), clear=(0,)),
        CodeMap(name="binary-255", thick=(255,), clear=(0,)),
    )
}


class CloudSettings(CorpusSettings):
    """Everything `rsprep cloud-masks` needs to know."""

    INPUTS: ClassVar[tuple[str, ...]] = ("scenes",)

    scenes: tuple[str, ...] = Field(
        min_length=1,
        description="class rasters (a file or a folder of them), STAC catalogs with SCL assets, data sets of rsprep",
        examples=[["scenes"]],
    )
    classes: Literal["", "scl", "omnicloudmask", "cloudsen12", "binary", "binary-255"] = Field(
        "", description="what the codes of rasters stand for; STAC items and data sets tell themselves"
    )
    thick: tuple[Code, ...] = Field((), description="codes of thick cloud, instead of those of classes")
    clear: tuple[Code, ...] = Field((), description="all other codes that are known, instead of those of classes")
    nodata: tuple[Code, ...] = Field((), description="codes of pixels without data, instead of those of classes")
    detector: Literal["", "s2cloudless", "omnicloudmask"] = Field(
        "", description="the scenes are not class rasters but bands, in which this detector is to find the clouds"
    )
    threshold: float = Field(0.4, gt=0, lt=1, description="probability from which a pixel is cloud, for s2cloudless")
    scale: float = Field(1e-4, gt=0, description="reflectance = number × scale + offset, for the detector")
    offset: float = Field(0.0, description="see scale; −0.1 for Level-1C from 2022 on, unless it is removed already")
    size: int = Field(256, ge=16, le=4096, description="pixels along a seed's side")
    min_area: float = Field(0.05, gt=0, le=1, description="least share of a seed that is cloud")
    max_area: float = Field(0.8, gt=0, le=1, description="largest share")
    max_cut: float = Field(
        0.15, ge=0, le=1, description="largest share of its outline that a piece of a wide cloud owes to the window"
    )
    opening: int = Field(0, ge=0, le=32, description="cut bridges between clouds up to twice this many pixels wide")
    fill_holes: int = Field(16, ge=0, description="fill holes of up to so many pixels")
    large: Literal["cut", "shrink", "drop"] = Field(
        "cut", description="clouds wider than a seed: cut into windows, shrunk until they fit, or dropped"
    )
    isolate: bool = Field(True, description="leave out other clouds in the window")
    resolution: float | None = Field(
        None, gt=0, description="metres along a pixel's side to resample the scenes to, nearest; null: as they are"
    )
    duplicate_iou: float = Field(
        0.9,
        gt=0,
        le=1,
        description="overlap from which two shapes, turned and resized to match, are the same",
    )
    n_diverse: int = Field(
        28, ge=0, description="how many of the most diverse seeds are marked: of whole clouds, where there are so many"
    )
    max_seeds: int = Field(0, ge=0, description="keep so many of the most diverse seeds; 0: all")
    split: Literal["none", "scene"] = Field("none", description="none: all for training; scene: whole scenes by ratio")
    ratio: tuple[float, float, float] = Field((0.7, 0.2, 0.1), description="shares of train, val and test scenes")
    seed: int = Field(0, description="another seed deals the scenes out differently")

    @field_validator("scenes", mode="before")
    @classmethod
    def _one_or_more(cls, scenes: Any) -> Any:
        return [scenes] if isinstance(scenes, str) else scenes

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.min_area > self.max_area:
            raise ValueError(f"min_area {self.min_area} is more than max_area {self.max_area}")
        if min(self.ratio) < 0 or sum(self.ratio) <= 0:
            raise ValueError(f"ratio: shares are at least 0 and not all 0; got {self.ratio}")
        named = [*self.thick, *self.clear, *self.nodata]
        if len(set(named)) < len(named):
            raise ValueError("a code is named twice in thick, clear and nodata")
        return self

    @property
    def rules(self) -> SeedRules:
        """What becomes a seed."""
        shared = ("size", "min_area", "max_area", "max_cut", "opening", "fill_holes", "large", "isolate")
        return SeedRules(**{name: getattr(self, name) for name in shared})

    @property
    def raster_codes(self) -> CodeMap | None:
        """What the codes of rasters stand for; None where that is not told."""
        if not self.classes and not (self.thick and self.clear):
            return None
        return self._changed(PRESETS.get(self.classes) or CodeMap(name="own", thick=(), clear=()))

    @property
    def stac_codes(self) -> CodeMap:
        """The same for the asset SCL of STAC items, whose coding is known."""
        return self._changed(PRESETS["scl"]) if self.classes in ("", "scl") else PRESETS["scl"]

    def _changed(self, base: CodeMap) -> CodeMap:
        """A map with the codes that are given by themselves; those they displace stay known, as not thick."""
        given = ((CLEAR, self.clear), (UNKNOWN, self.nodata), (CLOUD, self.thick))
        if not any(codes for _, codes in given):
            return base
        meaning = {code: word for code, word in enumerate(base.table().tolist()) if word != UNNAMED}
        for word, codes in given:
            if codes and word != CLEAR:
                meaning = {code: CLEAR if was == word else was for code, was in meaning.items()}
            meaning |= dict.fromkeys(codes, word)
        thick, clear, nodata = (
            tuple(sorted(code for code, was in meaning.items() if was == word)) for word in (CLOUD, CLEAR, UNKNOWN)
        )
        name = base.name if base.name == "own" else f"{base.name}, changed"
        return CodeMap(name=name, thick=thick, clear=clear, nodata=nodata)
