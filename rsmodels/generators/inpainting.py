"""Inpainting that learns from a task (Sun et al., III): two maps, two discriminators, one frozen network.

A step: the generator fills the image once, coarsely and refined; each discriminator learns to tell its composites (Eq.
2) from clean images, both beside the occluded one (Eq. 5); then the generator learns from the difference of both maps
to the clean image, from what LPIPS sees of the refined one, from the discriminators, and from the task (Eq. 6). Pixels
without data are 0 in all images.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from rsmodels import losses
from rsmodels.data.batch import ChipBatch
from rsmodels.data.fields import Field
from rsmodels.data.normalise import Normaliser
from rsmodels.generators.inpainting_settings import IMAGE, MASK, InpaintSettings
from rsmodels.metrics.image import ImageScores
from rsmodels.nets.conditions import Condition
from rsmodels.nets.dcgan import DcganDiscriminator
from rsmodels.nets.inpainting import Inpainted, composite, hidden
from rsmodels.nets.patch import PatchDiscriminator
from rsmodels.report.pictures import error_map, paint
from rsmodels.tasks.base import Kind, Networks, Phase, Rows, in_mode
from rsmodels.tasks.frozen import Helpers

OCCLUDED = "occluded"
CRITICS = ("coarse_critic", "refined_critic")
SCORES = ("psnr", "ssim", "mse")


@dataclass(frozen=True, kw_only=True, eq=False)
class Filled:
    """What the phases of a step share."""

    occluded: Tensor
    """(B, C, y, x) normalised, white where the mask hides it, 0 where there is no data."""
    clean: Tensor
    mask: Tensor
    """(B, 1, y, x) of 0 and 1."""
    valid: Tensor
    """(B, 1, y, x) bool."""
    maps: Inpainted
    """As the network gives them."""
    repaired: Inpainted
    """Composites of the maps (Eq. 2)."""


class InpaintTask:
    """Any network of :mod:`rsmodels.nets.inpainting`, with as much of the paper's losses as the settings ask for.

    Parameters
    ----------
    settings : of the run.
    normaliser : fitted on the training data.
    network : image and mask to :class:`~rsmodels.nets.inpainting.Inpainted`.
    chip_px : pixels along a chip's side.
    helpers : task network and eyes of the perceptual loss; without them the task can be used, but not trained.
    """

    kind: Kind = "inpainting"
    main = "generator"

    def __init__(
        self,
        settings: InpaintSettings,
        normaliser: Normaliser,
        network: nn.Module,
        chip_px: int,
        *,
        helpers: Helpers | None = None,
    ) -> None:
        self.settings = settings
        self.normaliser = normaliser
        self.helpers = helpers or Helpers()
        networks: dict[str, nn.Module] = {"generator": network}
        phases = []
        if settings.losses.adversarial_weight:
            bands = normaliser.channels(IMAGE)
            beside = (Condition(name=OCCLUDED, channels=bands),)
            coarse = settings.coarse_critic
            networks["coarse_critic"] = (
                DcganDiscriminator(beside, bands, chip_px, coarse.dcgan())
                if coarse.kind == "dcgan"
                else PatchDiscriminator(beside, bands, coarse)
            )
            networks["refined_critic"] = PatchDiscriminator(beside, bands, settings.refined_critic)
            phases.append(Phase(name="critics", networks=CRITICS, optimiser=settings.discriminator_optimiser))
        phases.append(Phase(name="generator", networks=("generator",), optimiser=settings.generator_optimiser))
        self.phases = tuple(phases)
        self.networks = nn.ModuleDict(networks)

    @property
    def fields(self) -> tuple[Field, ...]:
        """Image and mask, and what the task network holds an image against."""
        task = self.helpers.task
        names = (IMAGE, MASK) if task is None else (IMAGE, MASK, task.target)
        return tuple(self.normaliser.field(name) for name in names)

    @property
    def headline(self) -> tuple[str, Literal["higher", "lower"]]:
        """What the task gains where there is one, else likeness."""
        task = self.helpers.task
        return ("psnr" if task is None else f"task_{task.headline}", "higher")

    def begin(self, networks: Networks, batch: ChipBatch) -> Filled:
        """Fill once for all phases."""
        self.helpers.to(batch.values[IMAGE].device)
        valid, mask = batch.valid[IMAGE], batch.values[MASK]
        clean = batch.values[IMAGE] * valid
        occluded = hidden(clean, mask) * valid
        made: Inpainted = networks["generator"](clean, mask)
        coarse, refined = (composite(one, occluded, mask) * valid for one in made)
        return Filled(
            occluded=occluded, clean=clean, mask=mask, valid=valid, maps=made, repaired=Inpainted(coarse, refined)
        )

    def loss(self, phase: str, networks: Networks, batch: ChipBatch, state: Filled) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of one phase and its parts."""
        return self._critics(networks, state) if phase == "critics" else self._maker(networks, batch, state)

    def _critics(self, networks: Networks, state: Filled) -> tuple[Tensor, dict[str, Tensor]]:
        form, parts = self.settings.losses.adversarial, {}
        for name, fake in zip(CRITICS, state.repaired, strict=True):
            both = torch.cat([state.clean, fake.detach()])
            on_real, on_fake = losses.told_apart(networks[name]({OCCLUDED: state.occluded}, both)[-1], form)
            parts[f"d_{name.removesuffix('_critic')}"] = 0.5 * (on_real + on_fake)
        return torch.stack(list(parts.values())).sum(), parts

    def _maker(self, networks: Networks, batch: ChipBatch, state: Filled) -> tuple[Tensor, dict[str, Tensor]]:
        weights, parts = self.settings.losses, {}
        both = [losses.masked_l1(one, state.clean, state.valid) for one in state.maps]
        # a network of one stage gives the same map twice
        parts["l1"] = both[0] + both[1] if state.maps.coarse is not state.maps.refined else both[1]
        total = weights.l1 * parts["l1"]
        if weights.adversarial_weight:
            parts["g_adversarial"] = self._fooled(networks, state)
            total = total + weights.adversarial_weight * parts["g_adversarial"]
        deep = self.helpers.deep
        if deep is not None:
            parts["perceptual"] = networks.through(deep.loss, state.maps.refined * state.valid, state.clean)
            total = total + self.settings.perceptual.weight * parts["perceptual"]
        task = self.helpers.task
        if task is not None and self.settings.task.weight:
            repaired = self.settings.task.shown == "composite"
            shown = state.repaired.refined if repaired else state.maps.refined * state.valid
            parts["task"] = networks.through(task.loss, shown, batch.values[task.target])
            total = total + self.settings.task.weight * parts["task"]
        return total, parts

    def _fooled(self, networks: Networks, state: Filled) -> Tensor:
        """Adversarial loss of both composites, real and filled in one batch as in the critics' phase."""
        parts = []
        for name, fake in zip(CRITICS, state.repaired, strict=True):
            logits = networks.frozen(name, {OCCLUDED: state.occluded}, torch.cat([state.clean, fake]))[-1]
            parts.append(
                losses.gan_loss(logits.chunk(2)[1], True, self.settings.losses.adversarial, for_generator=True)
            )
        return torch.stack(parts).sum()

    # In use

    def maps(self, network: nn.Module, images: Tensor, mask: Tensor) -> Inpainted:
        """Coarse and refined map (B, C, y, x) of images (B, C, y, x) under masks (B, 1, y, x), float32."""
        with in_mode(network, training=False):
            made: Inpainted = network(images, mask)
        return Inpainted(made.coarse.float(), made.refined.float())

    def predict(self, network: nn.Module, batch: ChipBatch, noise: Tensor | None = None) -> Tensor:
        """(B, C, y, x) repaired images: the clean ones bit for bit where the mask is 0."""
        del noise  # it draws none
        return self.repaired(network, batch.values[IMAGE], batch.values[MASK])

    def repaired(self, network: nn.Module, images: Tensor, mask: Tensor) -> Tensor:
        """Images with the refined map where the mask is 1."""
        return composite(self.maps(network, images, mask).refined, images, mask)

    def score(self, network: nn.Module, batches: Iterable[ChipBatch]) -> dict[str, float]:
        """PSNR, SSIM and squared error of repaired images, and the task's score of them as ``task_...``."""
        scores, task = ImageScores(data_range=1.0), self.helpers.task

        def repaired() -> Iterator[tuple[Tensor, Tensor]]:
            """Scores each batch in passing, so that it is filled once."""
            for batch in batches:
                made = self.predict(network, batch)
                clean = self.normaliser.unit(IMAGE, batch.values[IMAGE])
                scores.update(self.normaliser.unit(IMAGE, made), clean, batch.valid[IMAGE])
                yield made * batch.valid[IMAGE], batch.values[IMAGE if task is None else task.target]

        if task is None:
            deque(repaired(), maxlen=0)
            found = {}
        else:
            self.helpers.to(next(network.parameters()).device)
            found = {f"task_{name}": value for name, value in task.score(repaired()).items()}
        likeness = scores.compute()
        return {name: likeness[name] for name in SCORES} | found

    def panels(
        self, network: nn.Module, batch: ChipBatch, colours: Mapping[str, Sequence[str]]
    ) -> tuple[tuple[str, ...], Rows]:
        """Occluded image, coarse and refined repair, clean image, and where the repair differs from it."""
        clean, mask, valid = batch.values[IMAGE], batch.values[MASK], batch.valid[IMAGE]
        maps = self.maps(network, clean, mask)
        repaired = [composite(one, clean, mask) for one in maps]
        image = self.normaliser.field(IMAGE)
        shown = [paint(image, one, self.normaliser, valid=valid) for one in (hidden(clean, mask), *repaired, clean)]
        units = zip(self.normaliser.unit(IMAGE, repaired[1]), self.normaliser.unit(IMAGE, clean), valid, strict=True)
        shown.append([error_map(one, other, ok) for one, other, ok in units])
        rows: Rows = [
            (str(key.slot), list(row)) for key, row in zip(batch.chips, zip(*shown, strict=True), strict=True)
        ]
        return ("occluded", "coarse", "repaired", "clean", "difference"), rows
