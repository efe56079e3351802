"""Settings of `rsprep maskmix`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from rsprep.corpus.settings import CorpusSettings
from rsprep.masks.maskmix.settings import MAX_SIZE, MIN_SIZE, MixSettings

Split = Literal["auto", "inherit", "train", "val", "test"]


class MaskMixSettings(CorpusSettings):
    """Everything `rsprep maskmix` needs to know."""

    INPUTS: ClassVar[tuple[str, ...]] = ("seeds",)

    seeds: str = Field(
        min_length=1,
        description="seed masks: a data set made by `rsprep cloud-masks`, or a folder of PNGs (0 and 1, or 0 and 255)",
        examples=["seeds"],
    )
    n: int = Field(1000, ge=1, le=10_000_000, description="masks to make")
    size: int = Field(256, ge=MIN_SIZE, le=MAX_SIZE, description="pixels along a mask's side")
    seed: int = Field(0, ge=0, lt=2**63, description="another seed gives other masks; mask k depends on it and k alone")
    all_seeds: bool = Field(
        False, description="false: of a data set with seeds marked as diverse only those; true: all of them"
    )
    split: Split = Field(
        "auto",
        description="train, val or test for all masks; inherit: each mask has the split of its seed; auto: inherit "
        "where seeds are of several splits, else train",
    )
    png: bool = Field(False, description="write masks/ID.png (0 and 255) and manifest.csv beside the store, too")
    mix: MixSettings = MixSettings()
