"""RS-SPADE: pix2pix's U-Net with every batch norm modulated by several sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from rsmodels.nets.conditions import Condition, checked, resized, stacked, total_channels
from rsmodels.nets.decoder import ModulatedDecoder, Stage
from rsmodels.nets.layers import Part, levels, refuse_odd, start_small
from rsmodels.nets.modulation import Fuse, Hints, Modulation, Stems
from rsmodels.nets.norm import BatchNorm2d
from rsmodels.nets.unet import Pix2PixNetwork, UNet


class RsSpadeNetwork(Pix2PixNetwork):
    """Size of the generator, and how its sources modulate it."""

    hidden: int = Field(128, ge=1, le=512, description="channels that each source is embedded into")
    depth: int = Field(1, ge=1, le=4, description="3x3 convolutions in the embedding of a source")
    fuse: Fuse = Field("concat", description="how the embeddings of the sources are brought together")
    stems: Literal["shared", "site"] = Field(
        "shared", description="shared: one embedding of a source for all sites; site: each site learns its own"
    )
    modulate: Literal["all", "decoder"] = Field("all", description="which batch norms of the U-Net are modulated")
    backbone: Literal["unet", "spade"] = Field(
        "unet", description="unet: the paper's; spade: residual modulated blocks without encoder, skips and dropout"
    )


class RsSpadeGenerator(nn.Module):
    """RS-SPADE: `forward(values)` gives float32 (B, out_channels, chip_px, chip_px) in [-1, 1].

    The paper takes pix2pix and computes modulation parameters from all sources after each batch norm. That the
    U-Net's own input is all conditions concatenated, as in pix2pix, is our reading: Fig. 4 has them as label inputs.
    A condition may be coarser than the image by a whole number; it is embedded at its own resolution.
    Raises ModelError: odd-size, no-such-condition, unlike-condition.
    """

    def __init__(
        self, conditions: tuple[Condition, ...], out_channels: int, chip_px: int, settings: RsSpadeNetwork
    ) -> None:
        super().__init__()
        self.conditions, self.chip_px, self.settings = conditions, chip_px, settings
        self.downs = levels(chip_px, settings.downs, what="this generator")
        self.stems = self._new_stems() if settings.stems == "shared" else None
        into = total_channels(conditions)
        self.net: UNet | ModulatedDecoder
        self.begin: nn.Module | None = None
        if settings.backbone == "unet":
            self.net = UNet(into, out_channels, self.downs, settings, self._site)
        else:
            plan = small_plan(settings.width, self.downs)
            self.begin = nn.Conv2d(into, plan[0].width, 3, padding=1, bias=False)
            self.net = ModulatedDecoder(plan[0].width, out_channels, plan, lambda width: self._site(width, "decoder"))
        start_small(self)

    def forward(self, values: Mapping[str, Tensor]) -> Tensor:
        sources = checked(self.conditions, values, self.chip_px)
        result: Tensor = self.net(self.start_of(sources), self.hints(sources))
        return result

    def start_of(self, sources: list[Tensor]) -> Tensor:
        """What the body begins with: the conditions stacked at the chip's size, or features of them at the smallest."""
        if self.begin is None:
            return stacked(self.conditions, sources, self.chip_px)
        smallest = self.chip_px // 2**self.downs
        first: Tensor = self.begin(stacked(self.conditions, [resized(one, smallest) for one in sources], smallest))
        return first

    def hints(self, sources: list[Tensor]) -> Hints:
        """What modulates the sites; `sources` are planes of the conditions at their own resolutions."""
        # The last block of the U-Net has no norm, so that its finest site is at half the chip's size.
        finest = self.chip_px if self.settings.backbone == "spade" else self.chip_px // 2
        return Hints(sources=sources, shared=None if self.stems is None else self.stems(sources, finest))

    def refuses(self, size: int) -> None:
        """Raise ModelError `odd-size` where a chip of `size` pixels does not go through."""
        refuse_odd(size, size, divisor=2**self.downs, least=2**self.downs, what="this generator")

    def _site(self, channels: int, part: Part) -> nn.Module:
        if self.settings.modulate == "decoder" and part == "encoder":
            return BatchNorm2d(channels)
        stems = self.stems or self._new_stems()
        return Modulation(channels, stems.channels, None if self.stems is not None else stems)

    def _new_stems(self) -> Stems:
        return Stems(self.conditions, self.settings.hidden, self.settings.fuse, self.settings.depth)


def small_plan(width: int, ups: int) -> list[Stage]:
    """One block a size and another at the smallest; 8 times `width` channels there and `width` at full size.

    Smaller than SPADE's own generator, which starts with three blocks of 16 times the width.
    """
    widths = [width * min(8, 2 ** (ups - level)) for level in range(ups + 1)]
    return [Stage(widths[0], enlarge=False), *(Stage(one, enlarge=True) for one in widths[1:])]
