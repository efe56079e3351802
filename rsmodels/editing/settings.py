"""Settings of `rsmodels edit`."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from rsprep.settings import Section

ALL = "all"
"""Redraws the whole noise."""
_SEED = 2**31


class EditSettings(Section):
    """One chip before and after an edit."""

    LISTED_BY: ClassVar[str] = "rsmodels config edit"

    checkpoint: str = Field(min_length=1, description="trained generator: a checkpoint, or a run", examples=["run"])
    data: str = Field(min_length=1, description="data set that the chip is of", examples=["chips"])
    chip: str = Field(min_length=1, description="name of the chip whose mask is painted", examples=["00-r000-c000"])
    split: Literal["train", "val", "test"] | None = Field(None, description="split that it must be of; null: any")
    redraw: tuple[str, ...] = Field((), description="classes whose noise is drawn anew; all: the whole noise")
    replace: dict[str, str] = Field({}, description="class to the class that its pixels become")
    mask: str | None = Field(None, description="changed mask in the codes of the data set, a PNG or a TIFF")
    seed: int = Field(0, ge=0, lt=_SEED, description="noise of the image before")
    new_seed: int = Field(1, ge=0, lt=_SEED, description="noise that redrawn classes have after it")
    out: str = Field("edit", min_length=1, description="folder of the edit")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where the generator runs")

    @field_validator("redraw", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value

    @field_validator("replace", mode="before")
    @classmethod
    def _pairs(cls, value: Any) -> Any:
        """``water=vegetation``, or several with commas between them, as a mapping."""
        if not isinstance(value, str):
            return value
        pairs = [pair.partition("=") for pair in value.split(",") if pair.strip()]
        if any(not (old.strip() and new.strip()) for old, _, new in pairs):
            raise ValueError("pairs of classes such as water=vegetation, with commas between them")
        if len({old.strip() for old, _, _ in pairs}) != len(pairs):
            raise ValueError("a class can become one other only")
        return {old.strip(): new.strip() for old, _, new in pairs}
