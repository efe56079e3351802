"""Trained networks that do not learn any more, beside a generator that does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import torch
from torch import Tensor, nn

from rsmodels.data.fields import IGNORE
from rsmodels.data.normalise import Normaliser
from rsmodels.errors import ModelError
from rsmodels.losses import cross_entropy
from rsmodels.metrics.perceptual import PerceptualDistance
from rsmodels.metrics.segmentation import Confusion
from rsmodels.nets.segmenter import Segmenter

IMAGE, LABEL = "image", "label"
TINY = 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class Helpers:
    """Networks that a task looks through and that are no part of it: never trained, never saved with it."""

    conductor: FrozenSegmenter | None = None
    perceptual: nn.Module | None = None
    """Images as the generator makes them to a list of feature maps."""
    task: TaskNetwork | None = None
    """What repaired images are to serve."""
    deep: PerceptualDistance | None = None
    """How far two images are apart, as a network sees them."""

    def to(self, device: torch.device) -> None:
        """Move the networks."""
        eyes = None if self.deep is None else self.deep.levels
        for network in (self.conductor, self.perceptual, self.task, eyes):
            if isinstance(network, nn.Module):
                network.to(device)


class TaskNetwork(Protocol):
    """A task that images are to serve, as a frozen network does it: what task-driven inpainting learns from."""

    @property
    def target(self) -> str:
        """Field of a batch that an image is held against: ``label``, ``scene``, ``satellite``."""
        ...

    @property
    def headline(self) -> str:
        """The score that tells how well it goes."""
        ...

    def loss(self, images: Tensor, target: Tensor) -> Tensor:
        """A scalar; gradients run to `images` (B, C, y, x) and to no weight."""
        ...

    def score(self, pairs: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """Scores over all pairs of (images, target), batch by batch."""
        ...


class Rescaling(nn.Module):
    """Images (B, C, y, x) from the scale of one normaliser to that of another, which may look at some bands only.

    Parameters
    ----------
    mine : normaliser of the images.
    theirs : that of the network that looks at them.
    name : field of both.

    Raises
    ------
    ModelError : ``unlike-bands``.
    """

    def __init__(self, mine: Normaliser, theirs: Normaliser, name: str = IMAGE) -> None:
        super().__init__()
        self.mine, self.name = mine, name
        self.root = theirs[name].curve == "root"
        self.positions = positions(mine, theirs, name)
        gain, bias = theirs[name].affine
        self.register_buffer("gain", torch.from_numpy(gain)[:, None, None], persistent=False)
        self.register_buffer("bias", torch.from_numpy(bias)[:, None, None], persistent=False)

    gain: Tensor
    bias: Tensor

    def forward(self, images: Tensor) -> Tensor:
        stored = self.mine.stored(self.name, images)
        if self.positions is not None:
            stored = stored[:, self.positions]
        values = stored * self.gain + self.bias
        return 2.0 * values.sign() * values.abs().clamp_min(TINY).sqrt() - 1.0 if self.root else values


class Frozen(nn.Module):
    """A trained network that does not learn any more, given images in the scale of another model's normaliser.

    Images go through the unit of the store to the scale that the network was trained on; gradients run through it to
    the image, and none to its weights; batch norm keeps its statistics.

    Parameters
    ----------
    network : of the trained model.
    theirs : its normaliser.
    mine : that of whoever makes the images.

    Raises
    ------
    ModelError : ``unlike-bands`` where the images lack a band that the network looks at.
    """

    def __init__(self, network: nn.Module, theirs: Normaliser, mine: Normaliser) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False)
        self.theirs = theirs
        self.rescaled = Rescaling(mine, theirs)

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation, whatever is asked: a frozen network's statistics must not drift."""
        return super().train(False)

    def translated(self, images: Tensor) -> Tensor:
        """Images in the network's own scale; not rounded to the store's numbers, which would stop the gradient."""
        values: Tensor = self.rescaled(images)
        return values

    def maps(self, images: Tensor) -> list[Tensor]:
        """Feature maps of the network, the finest first: what a perceptual loss looks at."""
        found: list[Tensor] = self.network.pyramid(self.translated(images))  # type: ignore[operator]  # all have one
        return found


class FrozenLabeller(Frozen):
    """A trained network that tells classes apart, of pixels or of whole images, given (B, C, y, x)."""

    target: str

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that it tells apart."""
        return self.theirs.field(self.target).classes

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, K, ...)."""
        logits: Tensor = self.network(self.translated(images))
        return logits

    def loss(self, images: Tensor, target: Tensor) -> Tensor:
        """Mean cross-entropy where the class is known; `target` (B, ...) class indices."""
        return cross_entropy(self(images), target)

    def score(self, pairs: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """Figures of all pairs together, by one confusion matrix."""
        confusion = Confusion(len(self.classes), ignore=IGNORE)
        for images, target in pairs:
            confusion.update(self(images).argmax(1), target)
        return self.figures(confusion)

    def figures(self, confusion: Confusion) -> dict[str, float]:
        """What is told of a confusion matrix."""
        raise NotImplementedError


class FrozenSegmenter(FrozenLabeller):
    """A trained segmenter, given images as a generator makes them: (B, C, y, x) in that one's scale of -1 to 1."""

    network: Segmenter
    target = LABEL
    headline = "miou"

    def figures(self, confusion: Confusion) -> dict[str, float]:
        """mIoU, frequency-weighted IoU and accuracy over all pixels."""
        found = confusion.compute()
        return {name: float(found[name]) for name in ("miou", "fwiou", "accuracy")}


class SegmenterMaps(nn.Module):
    """Feature maps of a frozen segmenter, for a perceptual loss."""

    def __init__(self, segmenter: FrozenSegmenter) -> None:
        super().__init__()
        self.segmenter = segmenter

    def forward(self, images: Tensor) -> list[Tensor]:
        """One map a level, the finest first."""
        return self.segmenter.maps(images)


class RgbMaps(nn.Module):
    """Feature maps of a network of natural pictures, for three bands of an image."""

    def __init__(self, network: nn.Module, bands: Sequence[int]) -> None:
        super().__init__()
        self.network, self.bands = network.eval().requires_grad_(False), list(bands)

    def forward(self, images: Tensor) -> list[Tensor]:
        maps: list[Tensor] = self.network(images[:, self.bands])
        return maps


def positions(mine: Normaliser, theirs: Normaliser, name: str = IMAGE) -> list[int] | None:
    """Positions of the segmenter's bands among those that a generator makes; None where there is no band axis.

    Raises
    ------
    ModelError : ``unlike-bands``.
    """
    made, wanted = mine[name], theirs[name]
    have, want = made.field.bands, wanted.field.bands
    kinds = ((made.dtype, made.scale, have is None), (wanted.dtype, wanted.scale, want is None))
    if kinds[0] != kinds[1] or not set(want or ()) <= set(have or ()):
        raise ModelError(
            "unlike-bands",
            "the segmenter was trained on other bands or numbers than the generator makes",
            value=f"generated: {have} {made.dtype}; segmenter: {want} {wanted.dtype}",
            remedy="give a segmenter of the generator's bands",
        )
    return None if have is None else [have.index(band) for band in want or ()]
