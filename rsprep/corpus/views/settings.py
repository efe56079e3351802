"""Settings of `rsprep simulate-views`."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from rsprep.corpus.settings import CorpusSettings


class ViewsSettings(CorpusSettings):
    """Which places are planted, and how they are seen."""

    n: int = Field(600, ge=3, le=1_000_000, description="places")
    size: int = Field(128, ge=16, le=1024, description="pixels along the side of both views")
    reach: float = Field(50.0, gt=0, le=200, description="metres from the middle to the edge of the view from above")
    eye: float = Field(5.0, gt=0, le=50, description="metres of the viewer above the ground")
    heading: float = Field(
        0.0,
        ge=0,
        le=180,
        description="largest turn of a panorama's middle away from north, degrees; 0 for aligned views",
    )
    ratio: tuple[float, float, float] = Field(
        (0.7, 0.1, 0.2), description="shares of train, val, test, by a hash of the place's name"
    )
    seed: int = Field(0, ge=0, le=2**32 - 1, description="another seed plants other places")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if min(self.ratio) < 0 or sum(self.ratio) <= 0:
            raise ValueError(f"ratio: shares are at least 0 and not all 0; got {self.ratio}")
        return self
