"""Generators of label maps, as CSEBGAN trains them: generator, discriminator and conductor (Wang et al., III-B and C).

A step: the generator runs once; the discriminators learn from real and generated images (Eq. 12); the conductor learns
to segment both (Eq. 8); then the generator learns from both as they are now and from the differences of features
(Eqs. 6, 7, 10, 11). Eq. 13 is a minimum over generator and conductor together of the conductor's loss on generated
images: each of the two gets that gradient in its own phase, with a learning rate of its own. Systems without a
conductor, such as SPADE, are the same step without it. Pixels without data are 0 in both images.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from rsmodels import losses
from rsmodels.data.batch import ChipBatch
from rsmodels.data.fields import IGNORE
from rsmodels.data.normalise import Normaliser
from rsmodels.errors import ModelError
from rsmodels.generators.base import IMAGE, GeneratorTask, conditions_of
from rsmodels.generators.semantic_settings import SemanticSettings
from rsmodels.metrics.extractors import BandStatistics
from rsmodels.metrics.frechet import Moments, kernel_distance
from rsmodels.nets.multiscale import MultiscaleDiscriminator
from rsmodels.nets.noise import drawn
from rsmodels.nets.rs_unet import RsUNet
from rsmodels.tasks.base import Networks, Phase, in_mode
from rsmodels.tasks.frozen import Helpers


@dataclass(frozen=True, kw_only=True, eq=False)
class Painted:
    """What the phases of a step share."""

    conditions: dict[str, Tensor]
    labels: Tensor
    """(B, y, x) class indices, ``IGNORE`` where the class or the image is unknown."""
    real: Tensor
    """(B, C, y, x) in [-1, 1], 0 where there is no data."""
    fake: Tensor
    """The same of what was generated."""
    divergence: Tensor | None
    """Of what was drawn from a standard normal; None where nothing holds it to one."""


class SemanticTask(GeneratorTask):
    """A generator of a label map against discriminators at several scales, with or without a conductor.

    Parameters
    ----------
    settings : of the run.
    normaliser : fitted on the training data.
    generator : label map (and noise) to an image in [-1, 1].
    encoder : real image to mean and log variance of the generator's noise, for a variational one; None for others.
    helpers : networks that it looks through while it learns; without them the task can be used, but not trained.

    Raises
    ------
    ModelError : ``no-divergence`` where ``losses.kl`` weighs something that the generator does not have.
    """

    settings: SemanticSettings
    headline: tuple[str, Literal["higher", "lower"]] = ("kernel", "lower")

    def __init__(
        self,
        settings: SemanticSettings,
        normaliser: Normaliser,
        generator: nn.Module,
        *,
        encoder: nn.Module | None = None,
        helpers: Helpers | None = None,
    ) -> None:
        if settings.losses.kl and encoder is None and not hasattr(generator, "divergence"):
            raise ModelError(
                "no-divergence",
                f"nothing that {settings.model} draws is held to a standard normal",
                value=f"losses.kl: {settings.losses.kl:g}",
                remedy="set losses.kl to 0, or train csebgan or vspade",
            )
        conditions, bands = conditions_of(normaliser, settings.conditions), normaliser.channels(IMAGE)
        self.helpers = helpers or Helpers()
        networks: dict[str, nn.Module] = {"generator": generator}
        phases = []
        if settings.losses.adversarial_weight:
            networks["discriminator"] = MultiscaleDiscriminator(conditions, bands, settings.discriminator)
            phases.append(_phase("discriminator", settings))
        if settings.conductor.kind == "joint":
            networks["conductor"] = RsUNet(bands, conditions[0].channels, settings.conductor.network)
            phases.append(_phase("conductor", settings))
        if encoder is not None:
            networks["encoder"] = encoder
        learning = ("generator", "encoder") if encoder is not None else ("generator",)
        phases.append(Phase(name="generator", networks=learning, optimiser=settings.generator_optimiser))
        super().__init__(settings, normaliser, networks)
        self.phases = tuple(phases)

    def begin(self, networks: Networks, batch: ChipBatch) -> Painted:
        """Generate once for all phases."""
        self.helpers.to(batch.values[IMAGE].device)
        conditions, valid = self.conditions(batch), batch.valid[IMAGE]
        labels = conditions[self.settings.conditions[0]]
        real = batch.values[IMAGE].clamp(-1, 1) * valid
        divergence = None
        if "encoder" in self.networks:
            mean, log_variance = networks["encoder"](real)
            divergence = losses.divergence(mean, log_variance)
            noise = mean + drawn(mean.shape, mean.device) * torch.exp(0.5 * log_variance)
            fake = networks["generator"](conditions, noise)
        else:
            fake = networks["generator"](conditions)
        return Painted(
            conditions=conditions,
            labels=torch.where(valid[:, 0], labels, IGNORE),
            real=real,
            fake=fake * valid,
            divergence=divergence,
        )

    def loss(
        self, phase: str, networks: Networks, batch: ChipBatch, state: Painted
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of one phase and its parts."""
        if phase == "generator":
            return self._maker(networks, state)
        return self._critic(networks, state) if phase == "discriminator" else self._conductor(networks, state)

    def score(self, network: nn.Module, batches: Iterable[ChipBatch]) -> dict[str, float]:
        """As any generator's, and the kernel distance of levels and textures: the only one that knows no pairs."""
        statistics = BandStatistics(self.normaliser.channels(IMAGE))
        real, made = (Moments(dim=statistics.dim) for _ in range(2))

        def compare(batch: ChipBatch, image: Tensor) -> None:
            valid = batch.valid[IMAGE]
            real.update(statistics(batch.values[IMAGE].float().clamp(-1, 1) * valid))
            made.update(statistics(image * valid))

        found = self.scored(network, batches, compare)
        few = min(real.count, made.count) < 2
        return {"kernel": float("nan") if few else kernel_distance(real, made), **found}

    def _critic(self, networks: Networks, state: Painted) -> tuple[Tensor, dict[str, Tensor]]:
        """Eq. 12, the mean over scales."""
        form = self.settings.losses.adversarial
        both = torch.cat([state.real, state.fake.detach()])
        logits = [scale[-1].chunk(2) for scale in networks["discriminator"](state.conditions, both)]
        on_real = _mean([losses.gan_loss(real, True, form) for real, _ in logits])
        on_fake = _mean([losses.gan_loss(fake, False, form) for _, fake in logits])
        return on_real + on_fake, {"d_real": on_real, "d_fake": on_fake}

    def _conductor(self, networks: Networks, state: Painted) -> tuple[Tensor, dict[str, Tensor]]:
        """Eqs. 8 and 9, and the conductor's half of Eq. 10; both images in one batch, for one set of statistics."""
        how = self.settings.conductor
        names = [name for name, wanted in (("c_real", how.on_real), ("c_fake", how.on_fake)) if wanted]
        images = {"c_real": state.real, "c_fake": state.fake.detach()}
        logits = networks["conductor"](torch.cat([images[name] for name in names])).chunk(len(names))
        parts = {name: losses.cross_entropy(one, state.labels) for name, one in zip(names, logits, strict=True)}
        return torch.stack(list(parts.values())).sum(), parts

    def _maker(self, networks: Networks, state: Painted) -> tuple[Tensor, dict[str, Tensor]]:
        """Eq. 13 for the generator."""
        weights = self.settings.losses
        parts: dict[str, Tensor] = {}
        total = state.fake.new_zeros(())
        if weights.adversarial_weight:
            parts |= self._deceived(networks, state)
            total = total + weights.adversarial_weight * parts["g_adversarial"]
            if weights.feature_matching:
                total = total + weights.feature_matching * parts["features"]
        if self.settings.perceptual.weight:
            parts["perceptual"] = self._perceptual(networks, state)
            total = total + self.settings.perceptual.weight * parts["perceptual"]
        if self.settings.conductor.kind != "none":
            parts["conducted"] = losses.cross_entropy(self._conducted(networks, state), state.labels)
            total = total + self.settings.conductor.weight * parts["conducted"]
        if weights.kl:
            parts["kl"] = self._divergence(state)
            total = total + weights.kl * parts["kl"]
        return total, parts

    def _deceived(self, networks: Networks, state: Painted) -> dict[str, Tensor]:
        """Eqs. 6 and 11; no norm looks at a batch, so that real images need no gradient and no company."""
        form = self.settings.losses.adversarial
        fakes = networks.frozen("discriminator", state.conditions, state.fake)
        parts = {
            "g_adversarial": _mean([losses.gan_loss(scale[-1], True, form, for_generator=True) for scale in fakes])
        }
        if self.settings.losses.feature_matching:
            with torch.no_grad():
                reals = networks.frozen("discriminator", state.conditions, state.real)
            pairs = zip(fakes, reals, strict=True)
            parts["features"] = _mean([losses.feature_matching(fake, real) for fake, real in pairs])
        return parts

    def _conducted(self, networks: Networks, state: Painted) -> Tensor:
        """Logits of the conductor for what was generated (Eq. 10).

        It looks as at any image, with the statistics that it has learned: with those of the batch a generator could
        please it by moving them.
        """
        if self.settings.conductor.kind == "frozen":
            seen: Tensor = networks.through(_there(self.helpers.conductor, "conductor"), state.fake)
            return seen
        with in_mode(self.networks["conductor"], training=False):
            logits: Tensor = networks.frozen("conductor", state.fake)
        return logits

    def _perceptual(self, networks: Networks, state: Painted) -> Tensor:
        """Eq. 7."""
        eyes = _there(self.helpers.perceptual, "perceptual")
        with torch.no_grad():
            real = networks.through(eyes, state.real)
        return losses.perceptual(networks.through(eyes, state.fake), real, self.settings.perceptual.layers)

    def _divergence(self, state: Painted) -> Tensor:
        if state.divergence is not None:
            return state.divergence
        found: Tensor = self.networks["generator"].divergence()  # type: ignore[operator]  # the constructor has looked
        return found


def _phase(name: str, settings: SemanticSettings) -> Phase:
    optimiser = settings.discriminator_optimiser if name == "discriminator" else settings.conductor_optimiser
    return Phase(name=name, networks=(name,), optimiser=optimiser)


def _mean(values: list[Tensor]) -> Tensor:
    return torch.stack(values).mean()


def _there(network: nn.Module | None, name: str) -> nn.Module:
    if network is None:
        raise ValueError(f"the task was made without its helper {name}: it can be used, but not trained")
    return network
