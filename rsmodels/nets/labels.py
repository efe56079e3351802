"""The label map that guides a generator, at every size that is asked for."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rsmodels.errors import ModelError
from rsmodels.nets.conditions import Condition


class Labels:
    """Classes of one batch, for all sites of one forward pass.

    Unknown pixels are a class of their own, the last one: they are to be generated, too, and look like none of the
    others. A coarser map takes every n-th pixel, the upper left one of each block (nearest, as in SPADE).

    Parameters
    ----------
    labels : (B, y, x) int64; what is no class from 0 to `classes` - 1 is unknown.
    noise : (B, ...) what a stochastic generator draws; None for others.
    """

    def __init__(self, labels: Tensor, classes: int, noise: Tensor | None = None) -> None:
        self.classes = classes
        self.noise = noise
        self.extra: dict[str, Any] = {}
        """What the sites of a system share in this pass."""
        self._index = torch.where((labels >= 0) & (labels < classes), labels, classes)
        self._indices: dict[int, Tensor] = {}
        self._planes: dict[int, Tensor] = {}

    @property
    def side(self) -> int:
        """Pixels along the full map's side."""
        return int(self._index.shape[-1])

    @property
    def drawn(self) -> Tensor:
        """The noise; ValueError where a caller left it out."""
        if self.noise is None:
            raise ValueError("a generator that draws needs noise, and this pass was given none")
        return self.noise

    def index(self, side: int) -> Tensor:
        """(B, side, side) int64 from 0 to `classes`, which is unknown."""
        if side not in self._indices:
            every = self.side // side
            self._indices[side] = self._index[:, ::every, ::every].contiguous()
        return self._indices[side]

    def planes(self, side: int) -> Tensor:
        """(B, classes + 1, side, side) float32, 1 where the class is."""
        if side not in self._planes:
            numbers = torch.arange(self.classes + 1, device=self._index.device)
            self._planes[side] = (self.index(side)[..., None] == numbers).permute(0, 3, 1, 2).float()
        return self._planes[side]


def only_classes(conditions: tuple[Condition, ...]) -> Condition:
    """The one class condition that a label-driven generator takes; ModelError ``not-one-label-map`` for others."""
    if len(conditions) != 1 or not conditions[0].classes:
        raise ModelError(
            "not-one-label-map",
            "this generator paints one map of classes, and nothing else guides it",
            value=", ".join(condition.name for condition in conditions),
            remedy="conditions: [landcover]",
        )
    return conditions[0]
