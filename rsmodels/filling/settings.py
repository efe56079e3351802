"""Settings of `rsmodels inpaint`."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from rsprep.config import Engine
from rsprep.corpus.settings import CorpusSettings


class InpaintSettings(CorpusSettings):
    """What is filled, where it is hidden, and by whom."""

    LISTED_BY: ClassVar[str] = "rsmodels config filling"
    INPUTS: ClassVar[tuple[str, ...]] = ("input", "checkpoint", "mask")

    input: str = Field(
        min_length=1, description="a data set, a folder of pictures, or one raster", examples=["scene.tif"]
    )
    out: str = Field("filled", min_length=1, description="folder of what comes out")
    checkpoint: str | None = Field(None, description="trained inpainter: a checkpoint, or a run", examples=["run"])
    method: Literal["telea", "navier-stokes"] | None = Field(
        None, description="a filler of OpenCV's instead, which needs no training"
    )
    mask: str | None = Field(
        None,
        description="what is hidden: a raster, a folder of masks with the pictures' names, or a variable of the data "
        "set; of a data set without it: what s2_valid does not call clear, or what the mask of occlusion pairs hides",
    )
    mask_codes: tuple[int, ...] = Field(
        (), description="codes of the mask that hide, such as 3,8,9,10 of SCL; without them 1 or 255 does"
    )
    grow: int = Field(
        0, ge=0, le=256, description="pixels by which masks are grown: a mask of clouds often misses their rims"
    )
    variable: str | None = Field(None, description="variable of a data set that is filled; s2 or occluded by default")
    max_hidden: float = Field(
        1.0, gt=0, le=1, description="leave out chips of a data set of which a larger share is hidden"
    )
    bands: tuple[str, ...] | None = Field(
        None, description="bands of a raster, by name or number, in the order of the model's; null: by name, or all"
    )
    fill_nodata: bool = Field(False, description="fill pixels without data where the mask hides them, too")
    scale: float | None = Field(
        None, description="from a raster's numbers to those that the model learned: number * scale + offset"
    )
    offset: float = Field(0.0, description="see scale; -1000 for Sentinel-2 files with the offset of 2022 and later")
    tile: int | None = Field(None, ge=16, le=8192, description="pixels along a tile; as the model learned, or 256")
    overlap: int | None = Field(None, ge=0, le=4096, description="pixels that tiles share; a quarter of a tile")
    window: int = Field(2048, ge=64, le=32768, description="pixels along what is read of a raster at a time")
    batch: int = Field(8, ge=1, le=4096, description="tiles that a model fills at a time")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where the model runs")
    # One worker unless told otherwise: the model uses all cores, or the GPU, by itself.
    engine: Engine = Engine(workers=1)

    @field_validator("mask_codes", "bands", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        if isinstance(value, int):
            return (value,)
        return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value

    @field_validator("bands", mode="before")
    @classmethod
    def _texts(cls, value: Any) -> Any:
        return [str(one) for one in value] if isinstance(value, (list, tuple)) else value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.checkpoint is None) == (self.method is None):
            raise ValueError("give a checkpoint, or a method that needs none (telea, navier-stokes): one of the two")
        if self.scale == 0:
            raise ValueError("scale: a number other than 0")
        if self.tile is not None and self.overlap is not None and 2 * self.overlap > self.tile:
            raise ValueError(f"overlap: at most half of a tile of {self.tile}; got {self.overlap}")
        return self
