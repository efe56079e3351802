"""Settings of `rsmodels downstream`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar, Final, Literal

from pydantic import Field, field_validator

from rsprep.cloud.address import absolute
from rsprep.errors import ConfigError
from rsprep.settings import Section

DECIDED = frozenset(
    {"model", "preset", "data", "out", "ratio", "share", "split", "seed", "steps", "epochs", "max_steps", "max_time"}
)
"""Keys of a run that the comparison sets itself."""
SIZES: Final = "sizes"
_RATIO = "real and synthetic chips as two whole numbers above 0, such as 1:1, or the word sizes"


def name_of(path: str) -> str:
    """Name of the data set in this folder, or whose store this is."""
    home = absolute(path)
    return home.parent.name if home.name.endswith(".zarr") else home.name


def refuse_same(names: Sequence[str]) -> None:
    """Raise ConfigError ``same-name`` where two things whose results are named after them are called alike."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(
            "same-name",
            "two have one name, and what is made of each is named after it",
            value=", ".join(twice),
            remedy="name each once, and call them (or their folders) differently",
        )


def refuse_decided(given: Mapping[str, Any], decided: Collection[str], where: str, told: str) -> None:
    """Raise ConfigError ``decided-elsewhere`` where settings of runs name keys that are set for them."""
    found = sorted(set(decided) & given.keys())
    if found:
        raise ConfigError(
            "decided-elsewhere",
            "these keys of the runs are set for them",
            value=", ".join(f"{where}.{key}" for key in found),
            remedy=f"leave them out; {told}",
        )


class DownstreamSettings(Section):
    """A comparison of True and Mix, or of True and several mixes."""

    LISTED_BY: ClassVar[str] = "rsmodels config downstream"

    real: str = Field(min_length=1, description="data set of real chips; its val and test splits judge both")
    synthetic: tuple[str, ...] = Field(
        (), description="data sets of synthetic chips, each mixed in by itself; none: only True is trained, for now"
    )
    out: str = Field(
        min_length=1, description="folder of the runs, the figures and the report", examples=["downstream"]
    )
    ratio: tuple[int, int] | Literal["sizes"] = Field(
        (1, 1), description="real and synthetic chips of the mix; sizes: as many as there are of each"
    )
    share: float = Field(1.0, gt=0, le=1, description="share of the real train chips that is trained on")
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

    @field_validator("synthetic", mode="before")
    @classmethod
    def _several(cls, synthetic: object) -> object:
        """One path as a list of one."""
        return () if synthetic is None else (synthetic,) if isinstance(synthetic, str) else synthetic

    @field_validator("synthetic")
    @classmethod
    def _named_apart(cls, synthetic: tuple[str, ...]) -> tuple[str, ...]:
        refuse_same([name_of(path) for path in synthetic])
        return synthetic

    @field_validator("ratio", mode="before")
    @classmethod
    def _parts(cls, ratio: object) -> object:
        """``"1:1"`` as (1, 1)."""
        if isinstance(ratio, str) and ratio != SIZES:
            parts = ratio.split(":")
            if len(parts) != 2 or not all(part.strip().isdecimal() for part in parts):
                raise ValueError(_RATIO)
            return tuple(parts)
        return ratio

    @field_validator("ratio")
    @classmethod
    def _positive(cls, ratio: tuple[int, int] | Literal["sizes"]) -> tuple[int, int] | Literal["sizes"]:
        if ratio != SIZES and min(ratio) < 1:
            raise ValueError(_RATIO)
        return ratio

    @field_validator("train")
    @classmethod
    def _not_decided(cls, train: dict[str, Any]) -> dict[str, Any]:
        refuse_decided(train, DECIDED, "train", "seeds, steps, epochs, preset and ratio are keys of the comparison")
        return train
