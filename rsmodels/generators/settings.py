"""What runs of the conditional generators can be told."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from rsmodels.data.fields import Field as ChipField
from rsmodels.data.source import ChipSource, field
from rsmodels.nets.patch import PatchNetwork
from rsmodels.nets.rs_spade import RsSpadeNetwork
from rsmodels.nets.unet import Pix2PixNetwork
from rsmodels.tasks.settings import Optimiser, RunSettings
from rsprep.settings import Section

ConditionName = Literal["landcover", "radar", "terrain"]
CONDITIONS: tuple[ConditionName, ...] = ("landcover", "radar", "terrain")


class Losses(Section):
    """What the generator is punished for; the weight of each part."""

    adversarial: Literal["bce", "hinge", "lsgan"] = Field("bce", description="form of the adversarial loss")
    adversarial_weight: float = Field(1.0, ge=0, description="weight of the adversarial loss; 0 leaves it out")
    l1: float = Field(100.0, ge=0, description="weight of the mean absolute difference")
    feature_matching: float = Field(0.0, ge=0, description="weight of the difference of the discriminator's features")
    sam: float = Field(0.0, ge=0, description="weight of the spectral angle")


class GeneratorSettings(RunSettings):
    """Settings that all generators share."""

    image: str | None = Field(None, description="variable that is generated; null: s2, else image")
    bands: tuple[str, ...] | None = Field(None, description="bands of it, in this order; null: all")
    conditions: tuple[ConditionName, ...] = Field(CONDITIONS, min_length=1, description="what it is generated from")
    statistics: Literal["running", "batch"] = Field(
        "running",
        description="what batch norm uses to generate: the averages of training, or the batch's own as pix2pix did",
    )

    def fields(self, source: ChipSource) -> tuple[ChipField, ...]:
        """The image and its conditions."""
        image = field(source, "image", self.image, self.bands)
        return (image, *(field(source, name) for name in self.conditions))

    @field_validator("conditions")
    @classmethod
    def _named_once(cls, conditions: tuple[ConditionName, ...]) -> tuple[ConditionName, ...]:
        if len(set(conditions)) != len(conditions):
            raise ValueError("a condition is named twice")
        return conditions


class GanSettings(GeneratorSettings):
    """Settings of generators that are trained as pix2pix is."""

    generator_optimiser: Optimiser = Optimiser()
    discriminator_optimiser: Optimiser = Optimiser()
    discriminator: PatchNetwork = PatchNetwork()
    losses: Losses = Losses()


class Pix2PixSettings(GanSettings):
    """A run of pix2pix, the baseline of RS-SPADE."""

    model: Literal["pix2pix"] = Field("pix2pix", description="what is trained")
    network: Pix2PixNetwork = Pix2PixNetwork()


class RsSpadeSettings(GanSettings):
    """A run of RS-SPADE."""

    model: Literal["rs-spade"] = Field("rs-spade", description="what is trained")
    network: RsSpadeNetwork = RsSpadeNetwork()
