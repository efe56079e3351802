"""What runs of colorization can be told."""

from __future__ import annotations

from typing import Final, Literal, Self

from pydantic import Field, model_validator

from rsmodels.data.fields import Field as ChipField
from rsmodels.data.fields import visible
from rsmodels.data.fit import Normalise
from rsmodels.data.source import ChipSource, field
from rsmodels.errors import ModelError
from rsmodels.generators.haze import Haze
from rsmodels.nets.bmmaenet import BmmaeNetwork
from rsmodels.nets.patch import PatchNetwork
from rsmodels.tasks.settings import Loading, Optimiser, RunSettings
from rsprep.settings import Section

IMAGE, GREY = "image", "grey"
LIGHTNESS: Final = "lightness"
"""In place of a band: what is coloured is the image itself without its colours."""


class ColourLosses(Section):
    """What the generator is punished for; the weight of each part (Eq. 8)."""

    colour: Literal["huber", "l1", "l2"] = Field("huber", description="form of the colour error; huber: Eq. 11")
    delta: float = Field(1.0, gt=0, description="difference above which the Huber loss is linear, on -1 to 1")
    branches: tuple[float, float, float] = Field(
        (70.0, 20.0, 10.0),
        description="weight of the colour error of each branch, finest first (λ); fewer branches share the rest",
    )
    adversarial: Literal["bce", "hinge", "lsgan"] = Field("bce", description="form of the adversarial loss; bce: Eq. 9")
    adversarial_weight: float = Field(1.0, ge=0, description="weight of the adversarial loss; 0 leaves it out")

    def shares(self, branches: int) -> tuple[float, ...]:
        """Weights of so many branches: the last one has what absent ones would have had (λ₃ = 100 - α - β)."""
        return (*self.branches[: branches - 1], sum(self.branches[branches - 1 :]))


class ColorizationSettings(RunSettings):
    """A run of BMMAENet, or of what it is measured against."""

    model: Literal["bmmaenet"] = Field("bmmaenet", description="what is trained")
    image: str | None = Field(None, description="variable with the colours; null: s2, image or clean")
    bands: tuple[str, str, str] | None = Field(
        None, description="red, green and blue of it; null: by their names, or its three bands"
    )
    grey: str = Field(
        LIGHTNESS, description="what is coloured: lightness of these colours, or a band of the variable, such as B08"
    )
    space: Literal["lab", "rgb"] = Field("lab", description="colours that the network makes: Lab or red, green, blue")
    keep_lightness: bool = Field(
        False, description="in use, take the lightness of what is coloured instead of the network's; with lab only"
    )
    haze: Haze | None = Field(
        None, description="veil what is coloured, and learn the clear colours below; keeps no lightness. null: clear"
    )
    network: BmmaeNetwork = BmmaeNetwork()
    discriminator: PatchNetwork = PatchNetwork(padding="same")
    losses: ColourLosses = ColourLosses()
    generator_optimiser: Optimiser = Optimiser(lr=3e-4)
    discriminator_optimiser: Optimiser = Optimiser(lr=3e-4)
    # as a screen shows them: levels of 8 bit as they are, reflectance by one linear stretch for all three bands
    normalise: Normalise = Normalise(curve="linear", together=True, whole=True)
    # Corpora are made folder by folder: of few shards, a batch would hold few kinds of scenes.
    loading: Loading = Loading(window=1024)

    def fields(self, source: ChipSource) -> tuple[ChipField, ...]:
        """The three colours, and the band that is coloured if it is one of its own.

        Raises
        ------
        ModelError : ``no-red-green-blue``, and those of :func:`rsmodels.data.source.field`.
        """
        image = field(source, IMAGE, self.image, self.bands)
        if self.bands is None:
            image = field(source, IMAGE, image.variable, _colours(image.bands))
        if self.grey == LIGHTNESS:
            return (image,)
        return (image, field(source, GREY, image.variable, (self.grey,)))

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.normalise.curve != "linear" or not self.normalise.together:
            raise ValueError("normalise: colours are scaled linearly and together, as a screen shows them")
        if self.keep_lightness and (self.space != "lab" or self.grey != LIGHTNESS):
            raise ValueError("keep_lightness: goes with space: lab and grey: lightness")
        if self.haze is not None and (self.keep_lightness or self.grey != LIGHTNESS):
            raise ValueError("haze: lies over the colours' own lightness, and is not to be kept")
        if min(self.losses.branches) < 0:
            raise ValueError(f"losses.branches: weights are at least 0, got {self.losses.branches}")
        return self


def _colours(bands: tuple[str, ...] | None) -> tuple[str, ...]:
    """Names of red, green and blue."""
    places = visible(bands)
    if places is not None and bands is not None:
        return tuple(bands[place] for place in places)
    if bands is not None and len(bands) == 3:
        return bands
    raise ModelError(
        "no-red-green-blue",
        f"red, green and blue are not found among {', '.join(bands or ()) or 'the bands'}",
        value=len(bands or ()),
        remedy="name them with --bands, as B04,B03,B02",
    )
