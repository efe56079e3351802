"""Settings of `rsmodels report --blind`."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from rsprep.settings import Section


class BlindSettings(Section):
    """A page on which people score real and generated images without knowing which is which."""

    LISTED_BY: ClassVar[str] = "rsmodels config blind"

    folders: tuple[str, ...] = Field(
        (),
        description="folders of pictures: the first of real ones, each other of a system; NAME=FOLDER names it",
    )
    checkpoint: tuple[str, ...] = Field(
        (), description="instead of folders: runs, or checkpoints, that make the images; NAME=RUN names it"
    )
    data: str | None = Field(None, description="data set that these make images of; its own are the real ones")
    split: Literal["train", "val", "test"] = Field("test", description="split of it")
    out: str = Field("blind.html", min_length=1, description="the page, a file")
    title: str = Field("How real do these images look?", min_length=1, description="headline that raters read")
    real: int = Field(10, ge=1, description="real images that are shown")
    generated: int = Field(20, ge=1, description="images of each system that are shown")
    longest: int = Field(512, ge=16, description="larger pictures are shrunk to so many pixels along their longer side")
    seed: int = Field(0, description="another seed draws other images")
    allow_seen: bool = Field(False, description="show val or test chips also if a model has seen them")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where the networks are")

    @field_validator("folders", "checkpoint", mode="before")
    @classmethod
    def _one(cls, value: object) -> object:
        """A single one as a tuple of one."""
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if bool(self.folders) == bool(self.checkpoint):
            raise ValueError("folders: images come from folders, or from checkpoints and data, not from both or none")
        if self.checkpoint and self.data is None:
            raise ValueError("data: checkpoints make images of a data set, which is not named")
        if self.folders and self.data is not None:
            raise ValueError("data: goes with checkpoints; folders bring their own images")
        if len(self.folders) == 1:
            raise ValueError("folders: the first has the real images, and at least one more is needed")
        return self
