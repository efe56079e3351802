"""A conditional generator and its patch discriminator, as pix2pix trains them.

The step (Isola et al. 2017; RS-SPADE is silent on losses and keeps pix2pix's): the generator runs once; the
discriminator learns from real and detached generated images in one batch; then the generator learns through the
discriminator as it is now. Pixels without data are 0 in both images, so that nothing can be learned from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from rsmodels import losses
from rsmodels.data.batch import ChipBatch
from rsmodels.data.fields import Field
from rsmodels.data.normalise import Normaliser
from rsmodels.generators.settings import GanSettings
from rsmodels.metrics.image import ImageScores
from rsmodels.nets.conditions import Condition
from rsmodels.nets.patch import PatchDiscriminator
from rsmodels.report.pictures import error_map, paint
from rsmodels.tasks.base import Kind, Networks, Phase, Rows, in_mode

IMAGE = "image"
SCORES = ("psnr", "ssim", "sam", "mse")


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


def conditions_of(normaliser: Normaliser, names: Iterable[str]) -> tuple[Condition, ...]:
    """What the networks have to know of the fields that an image is generated from."""
    return tuple(
        Condition(name=name, channels=normaliser.channels(name), classes=normaliser.field(name).kind == "classes")
        for name in names
    )


class GanTask:
    """Any generator of conditions, against a patch discriminator.

    Parameters
    ----------
    settings : of the run.
    normaliser : fitted on the training data.
    generator : conditions to an image in [-1, 1].
    """

    kind: Kind = "generator"
    main = "generator"
    headline: tuple[str, Literal["higher", "lower"]] = ("psnr", "higher")

    def __init__(self, settings: GanSettings, normaliser: Normaliser, generator: nn.Module) -> None:
        self.settings = settings
        self.normaliser = normaliser
        conditions = conditions_of(normaliser, settings.conditions)
        discriminator = PatchDiscriminator(conditions, normaliser.channels(IMAGE), settings.discriminator)
        self.networks = nn.ModuleDict({"generator": generator, "discriminator": discriminator})
        self.fields: tuple[Field, ...] = tuple(normaliser.field(name) for name in (IMAGE, *settings.conditions))
        critic = Phase(name="discriminator", networks=("discriminator",), optimiser=settings.discriminator_optimiser)
        maker = Phase(name="generator", networks=("generator",), optimiser=settings.generator_optimiser)
        self.phases = (critic, maker) if settings.losses.adversarial_weight else (maker,)

    def begin(self, networks: Networks, batch: ChipBatch) -> Pair:
        """Generate once for both phases."""
        conditions = self._conditions(batch)
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
        form = self.settings.losses.adversarial
        logits = networks["discriminator"](pair.conditions, torch.cat([pair.real, pair.fake.detach()]))[-1]
        real, fake = logits.chunk(2)
        on_real = losses.gan_loss(real, True, form)
        on_fake = losses.gan_loss(fake, False, form)
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

    def predict(self, network: nn.Module, batch: ChipBatch) -> Tensor:
        """(B, C, y, x) in [-1, 1]: without dropout; batch norm with the statistics that the settings name."""
        own = batch_statistics(network) if self.settings.statistics == "batch" else nullcontext()
        with in_mode(network, training=False), own:
            image: Tensor = network(self._conditions(batch))
        return image.float()

    def score(self, network: nn.Module, batches: Iterable[ChipBatch]) -> dict[str, float]:
        """PSNR, SSIM, spectral angle and squared error against the real images."""
        scores = ImageScores(data_range=1.0)
        for batch in batches:
            made, real, valid = self.predict(network, batch), batch.values[IMAGE], batch.valid[IMAGE]
            scores.update(
                self.normaliser.unit(IMAGE, made),
                self.normaliser.unit(IMAGE, real),
                valid,
                self.normaliser.physical(IMAGE, made),
                self.normaliser.physical(IMAGE, real),
            )
        found = scores.compute()
        return {name: found[name] for name in SCORES}

    def panels(
        self, network: nn.Module, batch: ChipBatch, colours: Mapping[str, Sequence[str]]
    ) -> tuple[tuple[str, ...], Rows]:
        """Conditions, real image, generated image and where they differ."""
        made, real, valid = self.predict(network, batch), batch.values[IMAGE], batch.valid[IMAGE]
        shown = [
            paint(
                self.normaliser.field(name),
                batch.values[name],
                self.normaliser,
                valid=batch.valid[name],
                colours=colours,
            )
            for name in self.settings.conditions
        ]
        image = self.normaliser.field(IMAGE)
        shown += [paint(image, values, self.normaliser, valid=valid) for values in (real, made)]
        units = zip(self.normaliser.unit(IMAGE, made), self.normaliser.unit(IMAGE, real), valid, strict=True)
        shown.append([error_map(one, other, ok) for one, other, ok in units])
        columns = (*self.settings.conditions, "real", "generated", "difference")
        return columns, [
            (str(key.slot), list(row)) for key, row in zip(batch.chips, zip(*shown, strict=True), strict=True)
        ]

    def _conditions(self, batch: ChipBatch) -> dict[str, Tensor]:
        return {name: batch.values[name] for name in self.settings.conditions}

    def _reflectance(self, image: Tensor) -> Tensor:
        return self.normaliser.physical(IMAGE, image)


@contextmanager
def batch_statistics(network: nn.Module) -> Iterator[None]:
    """Batch norm with the statistics of the batch, and its running ones left as they are."""
    layers = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    before = [(layer.training, layer.momentum) for layer in layers]
    for layer in layers:
        layer.training, layer.momentum = True, 0.0
    try:
        yield
    finally:
        for layer, (training, momentum) in zip(layers, before, strict=True):
            layer.training, layer.momentum = training, momentum
