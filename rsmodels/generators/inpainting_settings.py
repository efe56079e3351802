"""What runs of the inpainting networks can be told."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rsmodels.data.augment import Augment
from rsmodels.data.fields import Field as ChipField
from rsmodels.data.source import ChipSource, field
from rsmodels.nets.dcgan import DcganNetwork
from rsmodels.nets.inpainting import CoarseToFineNetwork
from rsmodels.nets.patch import PatchNetwork
from rsmodels.nets.rs_unet import RsUNetNetwork
from rsmodels.tasks.settings import Loading, Optimiser, RunSettings
from rsprep.masks.maskmix.settings import MixSettings
from rsprep.settings import Section

IMAGE, MASK = "image", "mask"


class InpaintLosses(Section):
    """What the generator is punished for; the weight of each part (Eq. 6)."""

    l1: float = Field(1.0, ge=0, description="weight of the mean absolute difference, of both maps (Eq. 3)")
    adversarial: Literal["bce", "lsgan", "hinge"] = Field("bce", description="form of the adversarial loss; bce: Eq. 5")
    adversarial_weight: float = Field(1.0, ge=0, description="weight of the adversarial loss (α2); 0 leaves it out")


class DeepDistance(Section):
    """The difference of refined and clean images as a network sees them that does not learn (Eq. 4)."""

    weight: float = Field(1.0, ge=0, description="weight of the loss (α1); 0 leaves it out")
    features: Literal["lpips", "task"] = Field(
        "lpips", description="lpips: LPIPS from a local file, as in the paper; task: the frozen task network's maps"
    )
    weights: str | None = Field(None, description="file of LPIPS's weights (safetensors); never random")
    rgb: tuple[int, int, int] | None = Field(
        None, description="positions of red, green and blue among the bands, for LPIPS; null: by their names"
    )


class TaskLoss(Section):
    """The task that repaired images are to serve, as a frozen network does it (III-B 3)."""

    checkpoint: str | None = Field(
        None, description="run of classification, segmentation, hrnet or retrieval, trained on clean images; null: none"
    )
    weight: float = Field(5.0, ge=0, description="weight of its loss (λ); 0 leaves it out")
    shown: Literal["composite", "map"] = Field(
        "composite", description="what it is shown: the repaired image, or the refined map alone"
    )


class PatchCritic(PatchNetwork):
    """A patch discriminator that gives 32 x 32 verdicts on 256 x 256 pixels, as the paper's does."""

    padding: Literal["pix2pix", "same"] = Field(
        "same", description="of the two layers of stride 1: pix2pix loses a pixel at each, same loses none"
    )


class CoarseCritic(PatchCritic):
    """Size and kind of the discriminator of coarse maps."""

    kind: Literal["patch", "dcgan"] = Field("patch", description="patch, or one verdict an image as of DCGAN")

    def dcgan(self) -> DcganNetwork:
        """The same width, of the other kind."""
        return DcganNetwork(width=self.width)


class InpaintSettings(RunSettings):
    """Settings that all inpainting networks share."""

    image: str = Field("clean", description="variable that is hidden and repaired")
    bands: tuple[str, ...] | None = Field(None, description="bands of it, in this order; null: all")
    mask: str = Field("mask", description="variable that is 1 where the image is hidden")
    generator_optimiser: Optimiser = Optimiser()
    discriminator_optimiser: Optimiser = Optimiser()
    losses: InpaintLosses = InpaintLosses()
    perceptual: DeepDistance = DeepDistance()
    task: TaskLoss = TaskLoss()
    coarse_critic: CoarseCritic = CoarseCritic()
    refined_critic: PatchCritic = PatchCritic()
    augment: Augment = Augment(turn=False, maskmix=MixSettings())
    # Corpora are made folder by folder: of few shards, a batch would hold few kinds of scenes.
    loading: Loading = Loading(window=1024)

    def fields(self, source: ChipSource) -> tuple[ChipField, ...]:
        """The clean image and what hides it; what the task needs is added when its network is known."""
        return (field(source, IMAGE, self.image, self.bands), field(source, MASK, self.mask))


class CoarseToFineSettings(InpaintSettings):
    """A run of coarse-to-fine inpainting."""

    model: Literal["inpaint"] = Field("inpaint", description="what is trained")
    network: CoarseToFineNetwork = CoarseToFineNetwork()


class InpaintUNetSettings(InpaintSettings):
    """A run of a plain U-Net, the simplest thing that fills holes: no discriminators, no task."""

    model: Literal["inpaint-unet"] = Field("inpaint-unet", description="what is trained")
    network: RsUNetNetwork = RsUNetNetwork()
    losses: InpaintLosses = InpaintLosses(adversarial_weight=0.0)
    perceptual: DeepDistance = DeepDistance(weight=0.0)
