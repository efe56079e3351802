"""What the training loop has to know of a thing that is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from rsmodels.data.batch import ChipBatch
from rsmodels.data.fields import Field
from rsmodels.data.normalise import Normaliser
from rsmodels.tasks.settings import Optimiser

Kind = Literal["generator", "segmentation", "classification", "retrieval", "inpainting", "colorization"]
Rgb = NDArray[np.uint8]
Rows = list[tuple[str, list[Rgb]]]
"""Caption and pictures of each row of a sample sheet."""


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One half of a step: the networks that learn in it, by one optimiser."""

    name: str
    networks: tuple[str, ...]
    optimiser: Optimiser


class Networks:
    """The networks as a step calls them: through the wrapper that averages gradients over processes, or bare.

    Parameters
    ----------
    bare : name to network.
    wrapped : the same as the loop has set them up; the bare ones by default.
    autocast : context in which a bare network is called; the wrapper brings its own.
    """

    def __init__(
        self,
        bare: Mapping[str, nn.Module],
        wrapped: Mapping[str, Callable[..., Any]] | None = None,
        autocast: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ) -> None:
        self._bare = bare
        self._wrapped = wrapped or bare
        self._autocast = autocast

    def __getitem__(self, name: str) -> Callable[..., Any]:
        """The network that learns now."""
        return self._wrapped[name]

    def frozen(self, name: str, *arguments: Any) -> Any:
        """Call a network that does not learn now, though gradients run through it.

        The wrapper would wait for gradients of its own weights, and these never come.
        """
        return self.through(self._bare[name], *arguments)

    def through(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Call a network that is no part of the task, or a method of one, in the precision of those that are."""
        with self._autocast():
            return call(*arguments)


class Task(Protocol):
    """Something that is trained: its networks, and what they are to achieve."""

    @property
    def kind(self) -> Kind: ...
    @property
    def fields(self) -> tuple[Field, ...]: ...
    @property
    def networks(self) -> nn.ModuleDict: ...
    @property
    def phases(self) -> tuple[Phase, ...]:
        """In the order of a step."""
        ...

    @property
    def main(self) -> str:
        """The network that is used afterwards, and of which a running average may be kept."""
        ...

    @property
    def headline(self) -> tuple[str, Literal["higher", "lower"]]:
        """The score that picks the best checkpoint, and which way is better."""
        ...

    def begin(self, networks: Networks, batch: ChipBatch) -> Any:
        """What all phases of a step share; gradients may run back through it."""
        ...

    def loss(self, phase: str, networks: Networks, batch: ChipBatch, state: Any) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a phase, and its parts by name for the log."""
        ...

    def predict(self, network: nn.Module, batch: ChipBatch, noise: Tensor | None = None) -> Tensor:
        """What the main network makes of a batch, in the mode that is stored with it; of `noise` if it takes any."""
        ...

    def score(self, network: nn.Module, batches: Iterable[ChipBatch]) -> dict[str, float]:
        """Scores over batches of held-out chips."""
        ...

    def panels(
        self, network: nn.Module, batch: ChipBatch, colours: Mapping[str, Sequence[str]]
    ) -> tuple[tuple[str, ...], Rows]:
        """Names of columns, and a row of pictures a chip; `colours` are those of each class field."""
        ...


class Builder(Protocol):
    """Makes a task once the data are known."""

    def __call__(self, settings: Any, normaliser: Normaliser, chip_px: int, helpers: Any) -> Task: ...


@contextmanager
def in_mode(network: nn.Module, *, training: bool) -> Iterator[None]:
    """Switch a network's mode for a while; every part of it comes back as it was."""
    before = {module: module.training for module in network.modules()}
    network.train(training)
    try:
        yield
    finally:
        for module, mode in before.items():
            module.training = mode
