"""A batch of chips as tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Self

import torch
from torch import Tensor


class ChipKey(NamedTuple):
    """Where a chip of a batch came from."""

    source: int
    """Position of its data set among those that are read."""
    slot: int
    """Position along that store's chip axis."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ChipBatch:
    """Some chips, field by field; never NaN.

    Images are float32 (B, C, y, x), normalised, 0 where they are not valid; class fields int64 (B, y, x) with class
    indices and ``IGNORE`` where the class is unknown; scenes the same, (B,); places (B,) int64, ``ELSEWHERE`` where
    unknown; masks float32 (B, 1, y, x) of 0 and 1.
    """

    values: Mapping[str, Tensor]
    valid: Mapping[str, Tensor]
    """Field to (B, 1, y, x) bool: True where the store has data; of scenes (B, 1, 1, 1)."""
    chips: tuple[ChipKey, ...]
    step: int = 0
    """Number of the batch in the stream."""

    def __len__(self) -> int:
        return len(self.chips)

    def to(self, device: torch.device | str, *, channels_last: bool = False) -> Self:
        """The same on `device`; images in channels-last order if asked."""

        def moved(tensor: Tensor) -> Tensor:
            there = tensor.to(device, non_blocking=True)
            return there.contiguous(memory_format=torch.channels_last) if channels_last and there.ndim == 4 else there

        return type(self)(
            values={name: moved(tensor) for name, tensor in self.values.items()},
            valid={name: tensor.to(device, non_blocking=True) for name, tensor in self.valid.items()},
            chips=self.chips,
            step=self.step,
        )
