"""Settings of the semantic corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from rsprep.corpus.settings import CorpusSettings


class SemanticSettings(CorpusSettings):
    """Everything `rsprep semantic-masks` needs to know."""

    INPUTS: ClassVar[tuple[str, ...]] = ("scenes",)

    scenes: str = Field(
        min_length=1, description="folder that holds one of images and one of masks", examples=["scenes"]
    )
    classes: str = Field(
        min_length=1,
        description="class table of the masks: a name in catalogs/crosswalks, or a YAML file",
        examples=["gid-15"],
    )
    to: str = Field("", description="class table that the store follows instead; classes it lacks become unknown")
    images: str = Field("images", description="folder of the images, below scenes")
    masks: str = Field("masks", description="folder of the masks, below scenes")
    image_suffix: str = Field("", description="what names of images end with, as in _sat")
    mask_suffix: str = Field("", description="what names of masks end with, as in _label")
    mask_palette: bool = Field(
        False, description="look the codes of palette PNGs up by their colours; otherwise the stored index is the code"
    )
    bands: tuple[str, ...] = Field((), description="names of the bands; empty: as the files tell, else b1, b2, …")
    size: int = Field(256, ge=16, le=4096, description="pixels along a chip's side")
    edge: Literal["drop", "pad"] = Field(
        "drop", description="what is left at the right and at the bottom: drop it, or pad it with unknown"
    )
    max_unknown: float = Field(0.8, ge=0, le=1, description="largest share of a chip of which nothing is known")
    split: Literal["scene", "block"] = Field(
        "scene", description="what goes to one split as a whole: a scene, or a block of chips within a scene"
    )
    block: int = Field(4, ge=1, le=1000, description="chips along the side of such a block; blocks touch one another")
    ratio: tuple[float, float, float] = Field((4.0, 1.0, 1.0), description="train, val and test, as [4, 1, 1]")
    seed: int = Field(0, description="another seed deals the scenes out differently")
    resolution: float | None = Field(
        None, gt=0, description="metres along a pixel's side, where the files do not tell; null: not known"
    )

    @property
    def image_folder(self) -> Path:
        """Where the images lie."""
        return Path(self.scenes) / self.images

    @property
    def mask_folder(self) -> Path:
        """Where the masks lie."""
        return Path(self.scenes) / self.masks

    @field_validator("ratio", mode="before")
    @classmethod
    def _parts(cls, ratio: Any) -> Any:
        if isinstance(ratio, int):  # YAML takes a bare 4:1:1 for hours, minutes and seconds
            raise ValueError("write it as [4, 1, 1], or in quotes")  # noqa: TRY004  # pydantic expects ValueError
        return ratio.split(":") if isinstance(ratio, str) else ratio

    @field_validator("ratio")
    @classmethod
    def _shares(cls, ratio: tuple[float, float, float]) -> tuple[float, float, float]:
        if min(ratio) < 0 or sum(ratio) <= 0:
            raise ValueError("shares are at least 0, and one is more")
        return ratio

    @field_validator("bands")
    @classmethod
    def _distinct(cls, bands: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(bands)) != len(bands) or not all(bands):
            raise ValueError("every band has a name of its own")
        return bands
