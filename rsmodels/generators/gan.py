"""A conditional generator and its patch discriminator, as pix2pix trains them.

The step (Isola et al. 2017; RS-SPADE is silent on losses and keeps pix2pix's): the generator runs once; the
discriminator learns from real and detached generated images in one batch; then the generator learns through the
discriminator as it is now. Pixels without data are 0 in both images, so that nothing can be learned from them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rsmodels import losses
from rsmodels.data.batch import ChipBatch
from rsmodels.data.normalise import Normaliser
from rsmodels.generators.base import IMAGE, GeneratorTask, conditions_of
from rsmodels.generators.settings import GanSettings
from rsmodels.nets.patch import PatchDiscriminator
from rsmodels.tasks.base import Networks, Phase


@dataclass(frozen=True, kw_only=True, eq=False)
class Pair:
    """What the phases of a step share."""

    conditions: dict[str, Tensor]
    real: Tensor
    """(B, C, y, x) in [-1, 1], 0 where there is no data."""
    fake: Tensor
    """The same of what was generated."""
    valid: Tensor
    """(B, 1, y, x) bool."""


class GanTask(GeneratorTask):
    """Any generator of conditions, against a patch discriminator.

    Parameters
    ----------
    settings : of the run.
    normaliser : fitted on the training data.
    generator : conditions to an image in [-1, 1].
    """

    settings: GanSettings

    def __init__(self, settings: GanSettings, normaliser: Normaliser, generator: nn.Module) -> None:
        conditions = conditions_of(normaliser, settings.conditions)
        discriminator = PatchDiscriminator(conditions, normaliser.channels(IMAGE), settings.discriminator)
        super().__init__(settings, normaliser, {"generator": generator, "discriminator": discriminator})
        critic = Phase(name="discriminator", networks=("discriminator",), optimiser=settings.discriminator_optimiser)
        maker = Phase(name="generator", networks=("generator",), optimiser=settings.generator_optimiser)
        self.phases = (critic, maker) if settings.losses.adversarial_weight else (maker,)

    def begin(self, networks: Networks, batch: ChipBatch) -> Pair:
        """Generate once for both phases."""
        conditions = self.conditions(batch)
        valid = batch.valid[IMAGE]
        fake = networks["generator"](conditions)
        return Pair(
            conditions=conditions,
            real=batch.values[IMAGE].clamp(-1, 1) * valid,
            fake=fake * valid,
            valid=valid,
        )

    def loss(self, phase: str, networks: Networks, batch: ChipBatch, state: Pair) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of one phase and its parts."""
        return self._critic(networks, state) if phase == "discriminator" else self._maker(networks, state)

    def _critic(self, networks: Networks, pair: Pair) -> tuple[Tensor, dict[str, Tensor]]:
        logits = networks["discriminator"](pair.conditions, torch.cat([pair.real, pair.fake.detach()]))[-1]
        on_real, on_fake = losses.told_apart(logits, self.settings.losses.adversarial)
        total = 0.5 * (on_real + on_fake)
        return total, {"d_real": on_real, "d_fake": on_fake}

    def _maker(self, networks: Networks, pair: Pair) -> tuple[Tensor, dict[str, Tensor]]:
        weights = self.settings.losses
        parts = {"l1": losses.masked_l1(pair.fake, pair.real, pair.valid)}
        total = weights.l1 * parts["l1"]
        if weights.sam:
            parts["sam"] = losses.sam_loss(self._reflectance(pair.fake), self._reflectance(pair.real), pair.valid)
            total = total + weights.sam * parts["sam"]
        if weights.adversarial_weight:
            # real and generated in one batch as in the critic's phase: batch norm then sees what it learned on
            features = networks.frozen("discriminator", pair.conditions, torch.cat([pair.real, pair.fake]))
            fake = features[-1].chunk(2)[1]
            parts["g_adversarial"] = losses.gan_loss(fake, True, weights.adversarial, for_generator=True)
            total = total + weights.adversarial_weight * parts["g_adversarial"]
            if weights.feature_matching:
                pairs = [feature.chunk(2) for feature in features]
                parts["features"] = losses.feature_matching([fake for _, fake in pairs], [real for real, _ in pairs])
                total = total + weights.feature_matching * parts["features"]
        return total, parts

    def _reflectance(self, image: Tensor) -> Tensor:
        return self.normaliser.physical(IMAGE, image)
