"""What every run can be told, whatever it trains."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from rsmodels.data.augment import Augment
from rsmodels.data.fields import Field as ChipField
from rsmodels.data.fit import Normalise
from rsmodels.data.source import ChipSource
from rsprep.errors import ConfigError
from rsprep.settings import Section

Split = Literal["train", "val", "test"]


class Optimiser(Section):
    """Adam, one for each network that is trained in its own phase."""

    lr: float = Field(2e-4, gt=0, description="learning rate")
    betas: tuple[float, float] = Field((0.5, 0.999), description="decay of the two running moments")
    weight_decay: float = Field(0.0, ge=0, description="decoupled weight decay")


class Schedule(Section):
    """How the learning rates change over a run: a factor on all of them."""

    shape: Literal["constant", "linear", "cosine"] = Field("constant", description="shape of the decay to 0")
    hold: float = Field(0.5, ge=0, lt=1, description="share of the steps before the decay begins")
    warmup: int = Field(0, ge=0, description="steps over which the rates rise from 0")


class Loading(Section):
    """How chips become batches."""

    threads: int = Field(2, ge=1, description="threads that read chips; changes no batch")
    window: int = Field(8, ge=1, description="shards whose chips are shuffled together")


class RunSettings(Section):
    """A run: what to train on, for how long, and where it goes."""

    LISTED_BY: ClassVar[str] = "rsmodels config"

    model: str = Field(description="what is trained")
    data: tuple[str, ...] = Field(min_length=1, description="data sets to train on", examples=[["chips"]])
    out: str = Field(min_length=1, description="folder of the run", examples=["run"])
    ratio: tuple[int, ...] = Field((), description="chips of each data set in a batch's stream; equal unless told")
    share: float = Field(1.0, gt=0, le=1, description="share of the first data set's train chips that is trained on")
    split: Split = Field("train", description="split that is trained on")
    validate_on: Split | None = Field("val", description="split of the first data set that is scored; null for none")
    seed: int = Field(0, description="everything random follows from it")
    batch: int = Field(8, ge=1, description="chips of one step, over all devices")
    steps: int = Field(0, ge=0, description="steps of the whole run; 0: by epochs")
    epochs: int = Field(0, ge=0, description="passes over the first data set; 0: by steps")
    max_steps: int = Field(0, ge=0, description="stop after this step and go on another time; 0: do not")
    max_time: float = Field(0.0, ge=0, description="stop after so many seconds likewise; 0: do not")
    precision: Literal["fp32", "bf16"] = Field("fp32", description="bf16: networks in bfloat16, losses in float32")
    channels_last: bool = Field(True, description="memory order of images")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where the networks are")
    devices: int = Field(1, ge=1, description="processes or GPUs that share each batch")
    clip: float = Field(0.0, ge=0, description="largest norm of a network's gradient; 0: any")
    ema: float = Field(0.0, ge=0, lt=1, description="decay of the running average of the weights; 0: none")
    log_every: int = Field(20, ge=1, description="steps between lines of metrics.jsonl")
    save_every: int = Field(500, ge=1, description="steps between validations, sample pictures and checkpoints")
    keep: int = Field(2, ge=1, description="checkpoints that stay, besides the best one")
    validate_chips: int = Field(128, ge=1, description="most chips that a validation takes")
    schedule: Schedule = Schedule()
    normalise: Normalise = Normalise()
    augment: Augment = Augment(turn=False)
    loading: Loading = Loading()

    def fields(self, source: ChipSource) -> tuple[ChipField, ...]:
        """What a batch holds, the image first, as `source` has it; ModelError where it lacks something."""
        raise NotImplementedError

    @field_validator("ratio", mode="before")
    @classmethod
    def _parts(cls, ratio: object) -> object:
        """``"1:1"`` as (1, 1)."""
        return tuple(ratio.split(":")) if isinstance(ratio, str) else ratio

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if bool(self.steps) == bool(self.epochs):
            raise ConfigError(
                "how-long",
                "a run is as long as its steps or its epochs say: one of the two",
                value=f"steps {self.steps}, epochs {self.epochs}",
                remedy="give --steps or --epochs",
            )
        if self.ratio and (len(self.ratio) != len(self.data) or min(self.ratio) < 1):
            raise ConfigError(
                "bad-ratio",
                "the ratio has one whole number above 0 for each data set",
                value=f"{':'.join(map(str, self.ratio))} for {len(self.data)} data sets",
                remedy="as in --data real --data synthetic --ratio 1:1",
            )
        if self.batch % self.devices:
            raise ConfigError(
                "bad-batch",
                "every device takes the same number of chips",
                value=f"batch {self.batch} on {self.devices} devices",
                remedy="choose a multiple",
            )
        return self


NO_WEIGHT_DEPENDS_ON = frozenset(
    {
        "data",
        "out",
        "max_steps",
        "max_time",
        "device",
        "log_every",
        "save_every",
        "keep",
        "validate_chips",
        "validate_on",
    }
)
"""Keys that may differ when a run goes on; the data sets are compared by what they hold."""
