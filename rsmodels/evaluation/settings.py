"""What an evaluation can be told."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, field_validator

from rsmodels.evaluation.sight import Which
from rsprep.settings import Section


class EvaluateSettings(Section):
    """An evaluation."""

    LISTED_BY: ClassVar[str] = "rsmodels config evaluate"

    checkpoint: str = Field(min_length=1, description="checkpoint, or a run, of which the newest whole one is taken")
    data: str = Field(min_length=1, description="data set to evaluate on")
    split: Literal["train", "val", "test"] = Field("test", description="split of it")
    out: str | None = Field(None, description="folder of the figures; null: evaluations/ in the run")
    segmenter: str | None = Field(
        None, description="segmentation checkpoint that judges generated images: by its features and by its classes"
    )
    perceptual: Which = Field(
        "auto", description="what diversity is seen with; auto: vgg where weights are given, else the segmenter"
    )
    vgg: str | None = Field(
        None, description="weights of VGG (safetensors, torchvision's layout); with LPIPS's linear weights it is LPIPS"
    )
    task: str | None = Field(
        None,
        description="run that repaired images are to serve, trained on clean ones; null: that of training; none: none",
    )
    against: tuple[str, ...] = Field(
        ("telea", "navier-stokes"),
        description="who else repairs: telea, navier-stokes, other inpainting runs; none: nobody",
    )
    naturalness_chips: int = Field(
        256, ge=0, description="train chips that the naturalness of repaired images is fitted on; 0: leave it out"
    )
    samples: int = Field(10, ge=2, le=1000, description="images of each mask that diversity is measured on")
    pairs: int = Field(10, ge=1, description="random pairs of them that are compared")
    diversity_chips: int = Field(64, ge=1, description="masks that diversity is measured on, evenly spread")
    downstream: str | None = Field(None, description="folder of `rsmodels downstream`: what these images gained there")
    gallery_mb: int = Field(
        256, ge=0, description="memory for thumbnails of train chips, to find recited ones; 0: do not look"
    )
    batch: int = Field(16, ge=1, description="chips at once")
    threads: int = Field(2, ge=0, description="threads that read chips")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where the networks are")
    random_chips: int = Field(8, ge=0, description="chips shown besides the best, the median and the worst")
    seed: int = Field(0, description="which chips these are, and which noise is drawn")
    allow_seen: bool = Field(False, description="evaluate also on val or test chips that the model has seen")
    allow_few: bool = Field(False, description="Fréchet distance also of too few images")

    @field_validator("against", mode="before")
    @classmethod
    def _names(cls, value: object) -> object:
        """``"telea,run"`` as (telea, run)."""
        given = value.split(",") if isinstance(value, str) else value
        if not isinstance(given, (list, tuple)):
            return given
        names = [one.strip() if isinstance(one, str) else one for one in given]
        return () if names == ["none"] else tuple(names)
