"""VSPADE: SPADE's generator with an encoder of a real image, a variational autoencoder (Park et al. 2019, 4.3).

The decoder begins with a vector z instead of the label map, the only thing that is drawn: it changes the whole image.
In training z comes from the real image through the encoder, held to a standard normal by a divergence; afterwards it
is drawn. Of the paper: z of 256 numbers, the encoder's 3x3 convolutions of stride 2 with instance norm and LeakyReLU,
then two linear layers. Ours: it halves until 4 pixels are left (six times at 256 pixels, as there) instead of bringing
every image to 256.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from rsmodels.nets.conditions import Condition
from rsmodels.nets.labels import Labels, only_classes
from rsmodels.nets.layers import refuse_odd, start_small
from rsmodels.nets.noise import NoiseForm
from rsmodels.nets.spade import Spade, SpadeNetwork
from rsmodels.nets.synthesis import SemanticGenerator, smallest

LEFT = 4
"""Pixels along the side of the encoder's last features."""


class VspadeNetwork(SpadeNetwork):
    """Size of the generator and of its encoder."""

    start: Literal["noise"] = Field("noise", description="the decoder begins with what is drawn")  # type: ignore[assignment]
    z: int = Field(256, ge=1, le=1024, description="numbers that an image is drawn from")
    encoder: int = Field(64, ge=1, le=256, description="channels of the encoder's first layer; up to 8 times that")


class FromNoise(nn.Module):
    """A linear map of noise (B, z) to where the decoder begins, (B, width, side, side)."""

    def __init__(self, z: int, side: int, width: int) -> None:
        super().__init__()
        self.shape = (width, side, side)
        self.linear = nn.Linear(z, width * side * side)

    def forward(self, labels: Labels) -> Tensor:
        started: Tensor = self.linear(labels.drawn).unflatten(1, self.shape)
        return started


class VspadeGenerator(SemanticGenerator):
    """SPADE's decoder and sites, begun with z: as many images of a label map as there is noise."""

    def __init__(
        self, conditions: tuple[Condition, ...], out_channels: int, chip_px: int, settings: VspadeNetwork
    ) -> None:
        classes = only_classes(conditions).channels
        super().__init__(
            conditions,
            out_channels,
            chip_px,
            settings,
            site=lambda channels: Spade(channels, classes + 1, settings.hidden),
            begin=FromNoise(settings.z, smallest(chip_px, settings), 16 * settings.width),
            noise=NoiseForm(shape=(settings.z,), by_class=False),
        )


class ImageEncoder(nn.Module):
    """Real images (B, in_channels, chip_px, chip_px) to mean and log variance of z, each float32 (B, z).

    Raises ModelError `odd-size` for chips below 8 pixels.
    """

    def __init__(self, in_channels: int, chip_px: int, settings: VspadeNetwork) -> None:
        super().__init__()
        refuse_odd(chip_px, chip_px, divisor=1, least=2 * LEFT, what="this encoder")
        layers: list[nn.Module] = []
        before, side, width = in_channels, chip_px, settings.encoder
        while side >= 2 * LEFT:
            layers += [
                nn.Conv2d(before, width, 3, 2, 1, bias=False),
                nn.InstanceNorm2d(width),
                nn.LeakyReLU(0.2, inplace=True),
            ]
            before, side, width = width, -(-side // 2), min(2 * width, 8 * settings.encoder)
        self.features = nn.Sequential(*layers)
        self.to_mean_logvar = nn.Linear(before * side * side, 2 * settings.z)
        start_small(self)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        features = self.features(image).flatten(1)
        mean, logvar = self.to_mean_logvar(features).float().chunk(2, dim=1)
        return mean, logvar
