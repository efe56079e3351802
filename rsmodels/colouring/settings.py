"""Settings of `rsmodels colorize`."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from rsprep.settings import Section


class ColorizeSettings(Section):
    """What is coloured, and by whom."""

    LISTED_BY: ClassVar[str] = "rsmodels config colorize"

    input: str = Field(min_length=1, description="a folder of pictures, or one raster", examples=["grey.tif"])
    out: str = Field("coloured", min_length=1, description="folder of what comes out")
    checkpoint: str = Field(
        min_length=1, description="trained colorization network: a run, or one of its checkpoints", examples=["run"]
    )
    keep_lightness: bool | None = Field(
        None, description="take the lightness of what is coloured instead of the network's; null: as the run has it"
    )
    bands: tuple[str, ...] | None = Field(
        None,
        description="band that is coloured, or red, green and blue whose lightness is; names or numbers from 1; null: "
        "by name, or in their order",
    )
    scale: float | None = Field(
        None, description="from a raster's numbers to those that the model learned: number * scale + offset"
    )
    offset: float = Field(0.0, description="see scale; -1000 for Sentinel-2 files with the offset of 2022 and later")
    range: tuple[float, float] | None = Field(
        None, description="instead of a scale: the raster's numbers that are to be black and white, such as 0,2047"
    )
    tile: int | None = Field(None, ge=16, le=8192, description="pixels along a tile; null: as the model learned")
    overlap: int | None = Field(None, ge=0, le=4096, description="pixels that tiles share; null: a quarter of a tile")
    window: int = Field(2048, ge=64, le=32768, description="pixels along what is read of a raster at a time")
    batch: int = Field(8, ge=1, le=4096, description="tiles that the model colours at a time")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where the model runs")

    @field_validator("bands", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        if isinstance(value, int):
            return (str(value),)
        if isinstance(value, str):
            return [name.strip() for name in value.split(",") if name.strip()]
        return [str(one) for one in value] if isinstance(value, (list, tuple)) else value

    @field_validator("range", mode="before")
    @classmethod
    def _ends(cls, value: Any) -> Any:
        return [end.strip() for end in value.split(",")] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.scale == 0:
            raise ValueError("scale: a number other than 0")
        if self.range is not None and self.range[0] >= self.range[1]:
            raise ValueError(f"range: the lower end first, got {self.range[0]:g},{self.range[1]:g}")
        if self.range is not None and (self.scale is not None or self.offset):
            raise ValueError("range: stands in place of scale and offset; give one of the two")
        if self.bands is not None and len(self.bands) not in (1, 3):
            raise ValueError(f"bands: one, or red, green and blue; got {len(self.bands)}")
        if self.tile is not None and self.overlap is not None and 2 * self.overlap > self.tile:
            raise ValueError(f"overlap: at most half of a tile of {self.tile}; got {self.overlap}")
        return self
