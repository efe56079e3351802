"""Colorization by BMMAENet (Wang et al., III): branches of several sizes, the finest of which meets a discriminator.

A step: the generator colours the grey image once; the discriminator learns to tell the finest branch's colours from
real ones, both beside the grey image (Eq. 10); then the generator learns from it (Eq. 9) and from the colour errors of
all branches, each against real colours of its size (Eq. 8). Pixels without data are 0 in all images.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from rsmodels import losses
from rsmodels.data.batch import ChipBatch
from rsmodels.data.fields import Field
from rsmodels.data.normalise import Normaliser
from rsmodels.generators.colorization_settings import GREY, IMAGE, ColorizationSettings
from rsmodels.generators.haze import veiled
from rsmodels.lab import to_lab, to_rgb
from rsmodels.metrics.colour import colour_scores
from rsmodels.metrics.image import ImageScores
from rsmodels.nets.conditions import Condition
from rsmodels.nets.patch import PatchDiscriminator
from rsmodels.report.pictures import error_map, paint
from rsmodels.tasks.base import Kind, Networks, Phase, Rows, in_mode

CHANNELS = 3
SCORES = ("psnr", "ssim", "mse")
_FORMS = {"l1": losses.masked_l1, "l2": losses.masked_l2}


@dataclass(frozen=True, kw_only=True, eq=False)
class Coloured:
    """What the phases of a step share."""

    grey: Tensor
    """(B, 1, y, x) of -1 to 1."""
    real: Tensor
    """(B, 3, y, x) in the network's space, 0 where there is no data."""
    made: list[Tensor]
    """The same of each branch, finest first."""
    valid: Tensor
    """(B, 1, y, x) bool."""


class ColorizationTask:
    """A generator of colours for grey images.

    Parameters
    ----------
    settings : of the run.
    normaliser : fitted on the training data.
    network : grey (B, 1, y, x) to the colours of each branch, finest first.
    """

    kind: Kind = "colorization"
    main = "generator"
    headline: tuple[str, Literal["higher", "lower"]] = ("psnr", "higher")

    def __init__(self, settings: ColorizationSettings, normaliser: Normaliser, network: nn.Module) -> None:
        self.settings = settings
        self.normaliser = normaliser
        self.fields: tuple[Field, ...] = tuple(normaliser.fields)
        networks: dict[str, nn.Module] = {"generator": network}
        phases = []
        if settings.losses.adversarial_weight:
            beside = (Condition(name=GREY, channels=1),)
            networks["discriminator"] = PatchDiscriminator(beside, CHANNELS, settings.discriminator)
            phases.append(
                Phase(name="discriminator", networks=("discriminator",), optimiser=settings.discriminator_optimiser)
            )
        phases.append(Phase(name="generator", networks=("generator",), optimiser=settings.generator_optimiser))
        self.phases = tuple(phases)
        self.networks = nn.ModuleDict(networks)

    def begin(self, networks: Networks, batch: ChipBatch) -> Coloured:
        """Colour once for both phases."""
        valid = batch.valid[IMAGE]
        grey = self.grey(batch, step=batch.step)
        made: list[Tensor] = networks["generator"](grey)
        real = self.space(batch.values[IMAGE]) * valid
        return Coloured(grey=grey, real=real, made=[made[0] * valid, *made[1:]], valid=valid)

    def loss(
        self, phase: str, networks: Networks, batch: ChipBatch, state: Coloured
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of one phase and its parts."""
        return self._critic(networks, state) if phase == "discriminator" else self._maker(networks, state)

    def _critic(self, networks: Networks, state: Coloured) -> tuple[Tensor, dict[str, Tensor]]:
        both = torch.cat([state.real, state.made[0].detach()])
        logits = networks["discriminator"]({GREY: state.grey}, both)[-1]
        on_real, on_fake = losses.told_apart(logits, self.settings.losses.adversarial)
        return 0.5 * (on_real + on_fake), {"d_real": on_real, "d_fake": on_fake}

    def _maker(self, networks: Networks, state: Coloured) -> tuple[Tensor, dict[str, Tensor]]:
        weights = self.settings.losses
        parts, total = {}, torch.zeros((), device=state.real.device)
        for level, (made, share) in enumerate(zip(state.made, weights.shares(len(state.made)), strict=True)):
            name = "colour" if not level else f"colour_{2**level}"
            parts[name] = self._apart(made, *_smaller(state.real, state.valid, level))
            total = total + share * parts[name]
        if weights.adversarial_weight:
            # real and generated in one batch as in the critic's phase: batch norm then sees what it learned on
            both = torch.cat([state.real, state.made[0]])
            fake = networks.frozen("discriminator", {GREY: state.grey}, both)[-1].chunk(2)[1]
            parts["g_adversarial"] = losses.gan_loss(fake, True, weights.adversarial, for_generator=True)
            total = total + weights.adversarial_weight * parts["g_adversarial"]
        return total, parts

    def _apart(self, made: Tensor, real: Tensor, valid: Tensor) -> Tensor:
        how = self.settings.losses
        if how.colour == "huber":
            return losses.masked_huber(made, real, valid, delta=how.delta)
        return _FORMS[how.colour](made, real, valid)

    # Spaces

    def space(self, images: Tensor) -> Tensor:
        """Normalised colours (B, 3, y, x), cut off at -1 and 1, in the space that the network works in."""
        rgb = self.normaliser.unit(IMAGE, images)
        return to_lab(rgb) if self.settings.space == "lab" else rgb * 2.0 - 1.0

    def image(self, colours: Tensor, grey: Tensor | None = None) -> Tensor:
        """The way back; with `grey` (B, 1, y, x) that lightness in place of the network's."""
        if self.settings.space == "rgb":
            return colours.float()
        if grey is not None:
            colours = torch.cat([grey, colours[:, 1:]], dim=1)
        return to_rgb(colours) * 2.0 - 1.0

    def grey(self, batch: ChipBatch, step: int | None = None) -> Tensor:
        """(B, 1, y, x) of -1 to 1: what is coloured, under its veil if it has one; 0 where there is no data.

        A veil follows from the chip and, in training, from `step`.
        """
        if GREY in batch.values:
            return batch.values[GREY].clamp(-1.0, 1.0) * batch.valid[GREY]
        seen, haze = self.normaliser.unit(IMAGE, batch.values[IMAGE]), self.settings.haze
        if haze is not None:
            seen = veiled(seen, batch.chips, haze, self.settings.seed, step)
        return to_lab(seen)[:, :1] * batch.valid[IMAGE]

    # In use

    def colours(self, network: nn.Module, grey: Tensor, keep_lightness: bool | None = None) -> Tensor:
        """(B, 3, y, x) normalised red, green and blue of grey images (B, 1, y, x) of -1 to 1, float32.

        Parameters
        ----------
        keep_lightness : take `grey` for their lightness; None: as the settings have it.
        """
        keep = self.settings.keep_lightness if keep_lightness is None else keep_lightness
        with in_mode(network, training=False):
            made: list[Tensor] = network(grey)
        return self.image(made[0].float(), grey.float() if keep else None)

    def predict(self, network: nn.Module, batch: ChipBatch, noise: Tensor | None = None) -> Tensor:
        """(B, 3, y, x) coloured images, normalised."""
        del noise  # it draws none
        return self.colours(network, self.grey(batch))

    def score(self, network: nn.Module, batches: Iterable[ChipBatch]) -> dict[str, float]:
        """PSNR, SSIM and squared error, and the share of pixels whose colours are within 2 and 5 levels."""
        scores, met = ImageScores(data_range=1.0), []
        for batch in batches:
            made = self.normaliser.unit(IMAGE, self.predict(network, batch))
            real, valid = self.normaliser.unit(IMAGE, batch.values[IMAGE]), batch.valid[IMAGE]
            scores.update(made, real, valid)
            met.append(colour_scores(made, real, valid))
        likeness = scores.compute()
        of_colours = {name: float(torch.cat([one[name] for one in met]).nanmean()) for name in met[0]}
        return {name: likeness[name] for name in SCORES} | of_colours

    def panels(
        self, network: nn.Module, batch: ChipBatch, colours: Mapping[str, Sequence[str]]
    ) -> tuple[tuple[str, ...], Rows]:
        """What is coloured, coloured image, real image, and where they differ."""
        real, valid, made = batch.values[IMAGE], batch.valid[IMAGE], self.predict(network, batch)
        image = self.normaliser.field(IMAGE)
        grey = self.grey(batch).expand(-1, CHANNELS, -1, -1)
        shown = [paint(image, one, self.normaliser, valid=valid) for one in (grey, made, real)]
        units = zip(self.normaliser.unit(IMAGE, made), self.normaliser.unit(IMAGE, real), valid, strict=True)
        shown.append([error_map(one, other, ok) for one, other, ok in units])
        rows: Rows = [
            (str(key.slot), list(row)) for key, row in zip(batch.chips, zip(*shown, strict=True), strict=True)
        ]
        return ("grey", "coloured", "real", "difference"), rows


def _smaller(real: Tensor, valid: Tensor, level: int) -> tuple[Tensor, Tensor]:
    """Colours at 1 / 2^level of the size by averaging, odd sides rounded up; a pixel is valid if all within it are."""
    if not level:
        return real, valid
    size = 2**level
    seen = -F.max_pool2d(-valid.float(), size, ceil_mode=True) > 0.5
    return F.avg_pool2d(real, size, ceil_mode=True, count_include_pad=False), seen
