"""The recipe of `rsmodels reproduce`."""

from __future__ import annotations

from typing import Any, ClassVar, Final, Literal

from pydantic import Field, field_validator, model_validator

from rsmodels.downstream.settings import refuse_decided, refuse_same
from rsprep.settings import Section

Stage = Literal["train", "evaluate", "synthetic", "downstream"]
STAGES: Final[tuple[Stage, ...]] = ("train", "evaluate", "synthetic", "downstream")
_RUN = frozenset({"data", "out", "seed", "share", "device", "ratio", "max_steps", "max_time"})
_SET = {
    "segmenter": _RUN - {"seed"} | {"model"},
    "helper": _RUN - {"seed"} | {"model"},
    "train": _RUN | {"model", "preset"},
    "evaluate": frozenset({"checkpoint", "data", "out", "segmenter", "downstream", "device"}),
    "synthetic": frozenset({"data", "checkpoint", "out", "catalog", "share", "device"}),
    "downstream": frozenset({"real", "synthetic", "out", "share"}),
}
"""Keys that the job sets itself, by section."""
_TOLD = "data, out, share and device are keys of the recipe, the seeds follow from their number"


class System(Section):
    """One row of the table: a model with its preset, and how often it is trained."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$", description="its name in the table and of its folders")
    model: str = Field(description="what is trained, as `rsmodels train` calls it")
    preset: str | tuple[str, ...] | None = Field(
        None, description="preset of the model, or several, each over the last"
    )
    seeds: int = Field(1, ge=1, description="runs of it, with the seeds 0, 1, ...")
    settings: dict[str, Any] = Field({}, description="any further keys of the model; they may stand beside these, too")

    @model_validator(mode="before")
    @classmethod
    def _gathered(cls, given: object) -> object:
        """Keys of the model, which stand beside those of the row, as its settings."""
        if not isinstance(given, dict):
            return given
        own = {key: value for key, value in given.items() if key in cls.model_fields and key != "settings"}
        rest = {key: value for key, value in given.items() if key not in cls.model_fields}
        return {**own, "settings": {**(given.get("settings") or {}), **rest}}

    @field_validator("settings")
    @classmethod
    def _not_decided(cls, settings: dict[str, Any]) -> dict[str, Any]:
        refuse_decided(settings, _RUN, "systems", _TOLD)
        return settings


class ReproduceSettings(Section):
    """A table: which systems, trained, judged and put to use how."""

    LISTED_BY: ClassVar[str] = "rsmodels config reproduce"

    title: str = Field("Systems side by side", min_length=1, description="headline of the page")
    data: str = Field(min_length=1, description="data set: its train chips teach, its others judge", examples=["chips"])
    out: str = Field(min_length=1, description="folder of all that is made", examples=["table"])
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where all networks are")
    share: float = Field(
        1.0, gt=0, le=1, description="share of the train chips that systems and downstream runs learn from"
    )
    systems: tuple[System, ...] = Field(
        min_length=1,
        description="rows of the table: name, model, preset, seeds (runs), and any further keys of that model",
        examples=[[{"name": "pix2pix", "model": "pix2pix", "preset": "tiny", "conditions": ["landcover"]}]],
    )
    train: dict[str, Any] = Field({}, description="settings of all systems, over their presets and under their own")
    segmenter: dict[str, Any] = Field(
        {"preset": "tiny"},
        description="settings of the segmentation run that judges; it learns from all train chips; not for colorizers",
    )
    helper: dict[str, Any] | None = Field(
        None, description="settings of another segmentation run, for systems in whose settings {helper} is written"
    )
    evaluate: dict[str, Any] = Field({}, description="settings of all evaluations, as `rsmodels config evaluate` has")
    synthetic: dict[str, Any] | None = Field(
        None, description="settings of a synthetic data set of each system, as `rsmodels config synth-augment` has"
    )
    downstream: dict[str, Any] | None = Field(
        None, description="settings of True against all of these, as `rsmodels config downstream` has"
    )

    @field_validator("systems")
    @classmethod
    def _named_apart(cls, systems: tuple[System, ...]) -> tuple[System, ...]:
        refuse_same([system.name for system in systems])
        return systems

    @model_validator(mode="after")
    def _not_decided(self) -> ReproduceSettings:
        for section, decided in _SET.items():
            refuse_decided(getattr(self, section) or {}, decided, section, _TOLD)
        refuse_decided((self.downstream or {}).get("train") or {}, {"device"}, "downstream.train", _TOLD)
        return self
