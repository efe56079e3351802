"""What segmentation networks have in common, so that whoever looks through one need not know which it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn

from rsmodels.errors import ModelError
from rsmodels.nets.layers import refuse_odd


class Segmenter(nn.Module, ABC):
    """(B, in_channels, y, x) to logits (B, classes, y, x), by way of maps of several sizes.

    Raises ModelError: odd-size, unlike-image.
    """

    called: str
    """Its name in errors."""
    divisor = 32
    """Sides of images are multiples of this, in pixels."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.in_channels = in_channels

    def forward(self, x: Tensor) -> Tensor:
        return self.decoded(self.pyramid(x))

    def features(self, x: Tensor) -> Tensor:
        """The deepest map, which has the most channels and the fewest pixels."""
        return self.pyramid(x)[-1]

    def pyramid(self, x: Tensor) -> list[Tensor]:
        """All maps that the classes are read from, finest first, each half as wide and high as the one before."""
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise ModelError(
                "unlike-image",
                "the images have another shape than the network was made for",
                value=tuple(x.shape),
                remedy=f"(batch, {self.in_channels}, y, x)",
            )
        refuse_odd(x.shape[-2], x.shape[-1], divisor=self.divisor, least=self.divisor, what=self.called)
        return self.encoded(x)

    @abstractmethod
    def encoded(self, x: Tensor) -> list[Tensor]:
        """The pyramid of images that are known to fit."""

    @abstractmethod
    def decoded(self, maps: Sequence[Tensor]) -> Tensor:
        """Logits from the pyramid, as wide and high as the images were."""
