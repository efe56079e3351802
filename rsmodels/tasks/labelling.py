"""What tells classes apart, of pixels or of whole images, as it is trained: by cross-entropy where a class is known."""

from __future__ import annotations

from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from rsmodels.data.batch import ChipBatch
from rsmodels.data.normalise import Normaliser
from rsmodels.errors import ModelError
from rsmodels.losses import cross_entropy
from rsmodels.tasks.base import Networks, Phase, in_mode
from rsmodels.tasks.settings import Optimiser

IMAGE = "image"


class LabellingSettings(Protocol):
    """What the base has to know of a run's settings."""

    @property
    def class_weights(self) -> Literal["none", "balanced", "root"] | tuple[float, ...]: ...
    @property
    def optimiser(self) -> Optimiser: ...


class LabellingTask:
    """One network from an image to logits (B, K, ...); how it is scored and shown is left to those that build on it.

    Parameters
    ----------
    settings : of the run.
    normaliser : fitted on the training data.
    network : images (B, C, y, x) to logits.
    target : name of the field with the classes.
    """

    main = "network"

    def __init__(self, settings: LabellingSettings, normaliser: Normaliser, network: nn.Module, target: str) -> None:
        self.settings = settings
        self.normaliser = normaliser
        self.fields = (normaliser.field(IMAGE), normaliser.field(target))
        self.classes = normaliser.field(target).classes
        self.networks = nn.ModuleDict({"network": network})
        self.phases = (Phase(name="network", networks=("network",), optimiser=settings.optimiser),)
        self.weights = class_weights(settings.class_weights, normaliser.class_counts(target))

    def seen(self, batch: ChipBatch) -> Tensor:
        """Class indices (B, ...), ``IGNORE`` where nothing could be learned."""
        raise NotImplementedError

    def begin(self, networks: Networks, batch: ChipBatch) -> Tensor:
        """Logits (B, K, ...)."""
        logits: Tensor = networks["network"](batch.values[IMAGE])
        return logits

    def loss(self, phase: str, networks: Networks, batch: ChipBatch, state: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross-entropy over what has both an image and a class."""
        weights = None if self.weights is None else self.weights.to(state.device)
        entropy = cross_entropy(state, self.seen(batch), weights)
        return entropy, {"cross_entropy": entropy}

    def predict(self, network: nn.Module, batch: ChipBatch, noise: Tensor | None = None) -> Tensor:
        """Logits (B, K, ...), with the running statistics of training."""
        del noise  # it draws none
        with in_mode(network, training=False):
            logits: Tensor = network(batch.values[IMAGE])
        return logits.float()


def class_weights(how: str | tuple[float, ...], counts: object) -> Tensor | None:
    """One weight a class, mean 1 over the classes that occur; classes that never occur weigh nothing.

    Parameters
    ----------
    how : none, balanced, root, or the weights themselves.
    counts : (K,) pixels of each class in the training chips.

    Raises
    ------
    ModelError : ``bad-class-weights`` if there is not one for each class.
    """
    if how == "none":
        return None
    pixels = torch.as_tensor(counts, dtype=torch.float64)
    if not isinstance(how, str):
        if len(how) != len(pixels) or min(how) < 0 or max(how) <= 0:
            raise ModelError(
                "bad-class-weights",
                f"there is one weight, at least 0, for each of {len(pixels)} classes",
                value=", ".join(map(str, how)),
                remedy="give as many, or balanced",
            )
        return torch.tensor(how, dtype=torch.float32)
    present = pixels > 0
    weights = torch.zeros_like(pixels)
    weights[present] = (pixels.sum() / pixels[present]) ** (1.0 if how == "balanced" else 0.5)
    return (weights / weights[present].mean()).float()
