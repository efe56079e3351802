"""What all generators of images share: how they are used, scored and shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, Literal

from torch import Tensor, nn

from rsmodels.data.batch import ChipBatch, ChipKey
from rsmodels.data.fields import Field
from rsmodels.data.normalise import Normaliser
from rsmodels.generators.settings import GeneratorSettings
from rsmodels.metrics.image import ImageScores
from rsmodels.nets.conditions import Condition
from rsmodels.nets.noise import NoiseForm
from rsmodels.report.pictures import error_map, paint
from rsmodels.tasks.base import Kind, Rows, in_mode

IMAGE = "image"
SCORES = ("psnr", "ssim", "sam", "mse")


def conditions_of(normaliser: Normaliser, names: Iterable[str]) -> tuple[Condition, ...]:
    """What the networks have to know of the fields that an image is generated from."""
    return tuple(
        Condition(name=name, channels=normaliser.channels(name), classes=normaliser.field(name).kind == "classes")
        for name in names
    )


class GeneratorTask:
    """A generator of images from conditions; how it learns is left to those that build on it."""

    kind: Kind = "generator"
    main = "generator"
    headline: tuple[str, Literal["higher", "lower"]] = ("psnr", "higher")

    def __init__(self, settings: GeneratorSettings, normaliser: Normaliser, networks: Mapping[str, nn.Module]) -> None:
        self.settings = settings
        self.normaliser = normaliser
        self.networks = nn.ModuleDict(dict(networks))
        self.fields: tuple[Field, ...] = tuple(normaliser.field(name) for name in (IMAGE, *settings.conditions))

    @property
    def noise(self) -> NoiseForm | None:
        """What the generator draws for a chip; None where it makes one image of given conditions."""
        form: NoiseForm | None = getattr(self.networks[self.main], "noise", None)
        return form

    def predict(self, network: nn.Module, batch: ChipBatch, noise: Tensor | None = None) -> Tensor:
        """(B, C, y, x) in [-1, 1]: without dropout; batch norm with the statistics that the settings name.

        A stochastic generator is given `noise`, or else noise that follows from the place of each chip in its store:
        the same chips give the same images.
        """
        own = batch_statistics(network) if self.settings.statistics == "batch" else nullcontext()
        told: list[Any] = [self.conditions(batch)]
        if self.noise is not None:
            given = self.noise.seeded([seed_of(key) for key in batch.chips]) if noise is None else noise
            told.append(given.to(batch.values[self.settings.conditions[0]].device))
        with in_mode(network, training=False), own:
            image: Tensor = network(*told)
        return image.float()

    def score(self, network: nn.Module, batches: Iterable[ChipBatch]) -> dict[str, float]:
        """PSNR, SSIM, spectral angle and squared error against the real images."""
        return self.scored(network, batches)

    def scored(
        self, network: nn.Module, batches: Iterable[ChipBatch], also: Callable[[ChipBatch, Tensor], None] | None = None
    ) -> dict[str, float]:
        """The same; `also` is shown each batch with what was made of it."""
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
            if also is not None:
                also(batch, made)
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

    def conditions(self, batch: ChipBatch) -> dict[str, Tensor]:
        """What the generator is told of a batch."""
        return {name: batch.values[name] for name in self.settings.conditions}


def seed_of(key: ChipKey) -> int:
    """Seed of the noise of a chip where none is given."""
    return (key.source << 32) + key.slot


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
