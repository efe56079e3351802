"""What runs of the label-driven generators can be told: CSEBGAN and the systems it is measured against."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from rsmodels.errors import ModelError
from rsmodels.generators.settings import GeneratorSettings
from rsmodels.nets.clade import CladeNetwork
from rsmodels.nets.csebgan import CsebganNetwork
from rsmodels.nets.inade import InadeNetwork
from rsmodels.nets.multiscale import MultiscaleNetwork
from rsmodels.nets.pix2pixhd import Pix2PixHDNetwork
from rsmodels.nets.rs_unet import RsUNetNetwork
from rsmodels.nets.spade import SpadeNetwork
from rsmodels.nets.vspade import VspadeNetwork
from rsmodels.tasks.settings import Optimiser
from rsprep.errors import ConfigError
from rsprep.settings import Section

BETAS = (0.0, 0.9)


class SemanticLosses(Section):
    """What the generator is punished for; the weight of each part (Eq. 13)."""

    adversarial: Literal["bce", "hinge", "lsgan"] = Field("hinge", description="form of the adversarial loss")
    adversarial_weight: float = Field(
        1.0, ge=0, description="weight of the adversarial loss; 0 leaves the discriminator out"
    )
    feature_matching: float = Field(10.0, ge=0, description="weight of the difference of the discriminator's features")
    kl: float = Field(0.0, ge=0, description="weight of the divergence of what is drawn from a standard normal")


class Perceptual(Section):
    """The difference of generated and real images as a network sees them that does not learn (Eq. 7)."""

    weight: float = Field(10.0, ge=0, description="weight of the loss; 0 leaves it out")
    features: Literal["vgg", "segmenter"] = Field(
        "vgg",
        description="vgg: VGG from a local file, as in the paper; segmenter: a segmentation run trained here",
    )
    weights: str | None = Field(
        None, description="file of VGG's weights (safetensors), or the segmentation run; never random"
    )
    layers: Literal["pyramid", "uniform"] = Field(
        "pyramid", description="weights of the maps: halved from each to the next finer one, or all equal"
    )
    rgb: tuple[int, int, int] | None = Field(
        None, description="positions of red, green and blue among the bands, for VGG; null: by their names"
    )


class Conductor(Section):
    """The segmenter that tells the generator what it sees, pixel by pixel (III-B)."""

    kind: Literal["joint", "frozen", "none"] = Field(
        "joint", description="joint: learns beside the generator; frozen: a segmentation run; none: there is none"
    )
    weight: float = Field(1.0, ge=0, description="weight of its loss for the generator")
    checkpoint: str | None = Field(None, description="segmentation run of a frozen conductor")
    on_real: bool = Field(True, description="it learns from real images and their classes")
    on_fake: bool = Field(
        True, description="it learns from generated images, too, as Eq. 13 has it; false: they teach the generator only"
    )
    network: RsUNetNetwork = RsUNetNetwork()

    @model_validator(mode="after")
    def _learns(self) -> Self:
        if self.kind == "joint" and not (self.on_real or self.on_fake):
            raise ConfigError(
                "idle-conductor",
                "a conductor that learns from neither real nor generated images stays random",
                value="on_real: false, on_fake: false",
                remedy="let it learn from one of them, or set kind: none",
            )
        return self


class SemanticSettings(GeneratorSettings):
    """Settings that all label-driven generators share; the defaults are CSEBGAN's."""

    conditions: tuple[Literal["landcover"]] = Field(
        ("landcover",), description="what it is generated from: one map of classes"
    )
    generator_optimiser: Optimiser = Optimiser(lr=1e-4, betas=BETAS)
    discriminator_optimiser: Optimiser = Optimiser(lr=4e-4, betas=BETAS)
    conductor_optimiser: Optimiser = Optimiser(lr=1e-4, betas=BETAS)
    discriminator: MultiscaleNetwork = MultiscaleNetwork()
    losses: SemanticLosses = SemanticLosses()
    perceptual: Perceptual = Perceptual()
    conductor: Conductor = Conductor(kind="none")

    @model_validator(mode="after")
    def _learns_something(self) -> Self:
        losses = self.losses
        if not (losses.adversarial_weight or self.perceptual.weight or self.conductor.kind != "none"):
            raise ModelError(
                "no-loss",
                "nothing tells the generator what to make",
                value="adversarial_weight 0, perceptual.weight 0, conductor.kind none",
                remedy="give one of them a weight",
            )
        return self


class CsebganSettings(SemanticSettings):
    """A run of CSEBGAN."""

    model: Literal["csebgan"] = Field("csebgan", description="what is trained")
    network: CsebganNetwork = CsebganNetwork()
    conductor: Conductor = Conductor()


class SpadeSettings(SemanticSettings):
    """A run of SPADE."""

    model: Literal["spade"] = Field("spade", description="what is trained")
    network: SpadeNetwork = SpadeNetwork()


class VspadeSettings(SemanticSettings):
    """A run of VSPADE: SPADE as a variational autoencoder."""

    model: Literal["vspade"] = Field("vspade", description="what is trained")
    network: VspadeNetwork = VspadeNetwork()
    losses: SemanticLosses = SemanticLosses(kl=0.05)


class CladeSettings(SemanticSettings):
    """A run of CLADE."""

    model: Literal["clade"] = Field("clade", description="what is trained")
    network: CladeNetwork = CladeNetwork()


class InadeSettings(SemanticSettings):
    """A run of INADE."""

    model: Literal["inade"] = Field("inade", description="what is trained")
    network: InadeNetwork = InadeNetwork()


class Pix2PixHDSettings(SemanticSettings):
    """A run of pix2pixHD."""

    model: Literal["pix2pixhd"] = Field("pix2pixhd", description="what is trained")
    network: Pix2PixHDNetwork = Pix2PixHDNetwork()
