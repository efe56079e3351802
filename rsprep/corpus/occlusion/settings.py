"""Settings of `rsprep occlude`."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from rsprep.corpus.settings import CorpusSettings
from rsprep.masks.occlusion import Bounds, Placing


class OccludeSettings(CorpusSettings):
    """What is hidden by which masks, and how."""

    INPUTS: ClassVar[tuple[str, ...]] = ("images", "masks", "clouds", "cloud_masks", "split_file")

    images: str = Field(
        description="folder of pictures (PNG, JPEG, GeoTIFF), or a data set that rsprep wrote", examples=["images"]
    )
    masks: str = Field(description="folder of binary masks, or a data set with a variable `mask`", examples=["masks"])
    variable: str = Field("", description="image variable of a data set; s2 or image by default")
    size: int | None = Field(
        None, ge=16, le=4096, description="pixels along a chip's side; 256, or what the data set has"
    )
    resize: bool = Field(False, description="enlarge pictures that are smaller than a chip, instead of refusing them")
    bands: Literal["rgb", "any"] = Field("rgb", description="rgb: pictures have three bands; any: all the same number")
    whole: bool = Field(
        False, description="every picture becomes one chip, averaged down to its size, instead of being cut into chips"
    )
    carry: tuple[str, ...] = Field(
        (), description="variables of the data set that are passed on as they are; mask becomes classes"
    )
    min_valid: float = Field(0.0, ge=0, le=1, description="leave out chips of a data set with less valid_fraction")
    area: tuple[float, float] = Field((0.15, 0.60), description="least and largest share of a chip that is hidden")
    place: Literal["auto", "as-is", "random"] = Field(
        "auto", description="random: turn, resize and move masks; as-is: lay them on; auto: as-is where sizes are equal"
    )
    rotate: float = Field(180.0, ge=0, le=180, description="largest turn to either side, degrees")
    shift: float = Field(1 / 3, ge=0, le=1, description="largest way from the chip's middle, as a share of its side")
    zoom: tuple[float, float] = Field((0.25, 4.0), description="least and largest factor on a mask's size")
    per_image: int = Field(1, ge=1, le=1000, description="masks, and so chips, for each piece of an image")
    fill: Literal["white", "clouds"] | tuple[float, ...] = Field(
        "white", description="white, clouds (pixels of real ones), or numbers: one, or one a band"
    )
    clouds: str = Field("", description="folder of cloud pictures for fill: clouds")
    cloud_masks: str = Field(
        "", description="folder of their masks, of the same names; by default NAME_mask beside them"
    )
    split: Literal["auto", "folder", "hash", "file", "train", "val", "test"] = Field(
        "auto",
        description="where an image's split comes from; auto: the data set or folder names, else a hash of its name",
    )
    split_file: str = Field("", description="CSV with columns image and split, for split: file")
    ratio: tuple[float, float, float] = Field((0.7, 0.2, 0.1), description="shares of train, val, test for split: hash")
    mask_split: Literal["own", "hash"] = Field(
        "own", description="own: masks keep the split they have; hash: they are dealt out anew, seed by seed"
    )
    tries: int = Field(20, ge=1, le=1000, description="draws of mask, place and cloud before a chip is given up")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="another seed draws differently")

    @field_validator("fill", mode="before")
    @classmethod
    def _one_number(cls, value: Any) -> Any:
        return (value,) if isinstance(value, int | float) else value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not 0 <= self.area[0] <= self.area[1] <= 1 or self.area[1] == 0:
            raise ValueError(f"area: shares go from 0 to 1, the lower one first; got {self.area}")
        if not 0 < self.zoom[0] <= self.zoom[1]:
            raise ValueError(f"zoom: factors are above 0, the lower one first; got {self.zoom}")
        if min(self.ratio) < 0 or sum(self.ratio) <= 0:
            raise ValueError(f"ratio: shares are at least 0 and not all 0; got {self.ratio}")
        if (self.fill == "clouds") != bool(self.clouds):
            raise ValueError("fill: clouds and the folder clouds: go together")
        if (self.split == "file") != bool(self.split_file):
            raise ValueError("split: file and split_file: go together")
        if not isinstance(self.fill, str) and not self.fill:
            raise ValueError("fill: give a number")
        return self

    @property
    def bounds(self) -> Bounds:
        """Share of a chip that may be hidden."""
        return Bounds(low=self.area[0], high=self.area[1])

    @property
    def placing(self) -> Placing:
        """How far masks may be moved."""
        return Placing(rotate=self.rotate, shift=self.shift, zoom=self.zoom)
