"""Settings of `rsmodels downstream`."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from rsprep.errors import ConfigError
from rsprep.settings import Section

DECIDED = frozenset(
    {"model", "preset", "data", "out", "ratio", "split", "seed", "steps", "epochs", "max_steps", "max_time"}
)
"""Keys of a run that the comparison sets itself."""


class DownstreamSettings(Section):
    """A comparison of True and Mix."""

    LISTED_BY: ClassVar[str] = "rsmodels config downstream"

    real: str = Field(min_length=1, description="data set of real chips; its val and test splits judge both")
    synthetic: str | None = Field(None, description="data set of synthetic chips; null: only True is trained, for now")
    out: str = Field(
        min_length=1, description="folder of the runs, the figures and the report", examples=["downstream"]
    )
    ratio: tuple[int, int] = Field((1, 1), description="real and synthetic chips of the mix")
    seeds: int = Field(3, ge=1, description="runs of each kind; an interval needs two")
    seed: int = Field(0, ge=0, description="the first seed; the others follow it")
    match: Literal["steps", "epochs", "both"] = Field(
        "both", description="Mix gets as many updates as True, or as many passes over the real chips, or both in turn"
    )
    preset: str | None = Field(None, description="tiny, base or paper, as for `rsmodels train segmentation`")
    steps: int = Field(0, ge=0, description="updates of a True run; 0: by epochs, or as the preset has it")
    epochs: int = Field(0, ge=0, description="or passes over the real chips")
    split: Literal["val", "test"] = Field("test", description="split of the real data set that is judged on at the end")
    confidence: float = Field(0.95, gt=0, lt=1, description="of the intervals of the gains")
    train: dict[str, Any] = Field({}, description="further settings of all runs, as `rsmodels config segmentation` has")

    @field_validator("ratio", mode="before")
    @classmethod
    def _parts(cls, ratio: object) -> object:
        """``"1:1"`` as (1, 1)."""
        return tuple(ratio.split(":")) if isinstance(ratio, str) else ratio

    @field_validator("ratio")
    @classmethod
    def _positive(cls, ratio: tuple[int, int]) -> tuple[int, int]:
        if min(ratio) < 1:
            raise ValueError("real and synthetic chips as two whole numbers above 0, such as 1:1")
        return ratio

    @field_validator("train")
    @classmethod
    def _not_decided(cls, train: dict[str, Any]) -> dict[str, Any]:
        decided = sorted(DECIDED & train.keys())
        if decided:
            raise ConfigError(
                "decided-elsewhere",
                "the comparison sets these keys of its runs itself",
                value=", ".join(f"train.{key}" for key in decided),
                remedy="leave them out; seeds, steps, epochs, preset and ratio are keys of the comparison",
            )
        return train
