"""What a generator is told: named tensors of any resolution, as planes of one size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from rsmodels.errors import ModelError


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One source that guides a generator.

    Its values are float32 (B, channels, y, x) without NaN; of a class condition int64 (B, y, x), class indices with
    255 (or anything else outside 0..channels-1) where the class is unknown.
    """

    name: str
    channels: int
    """Bands; of a class condition the number of classes."""
    classes: bool = False

    def __post_init__(self) -> None:
        if self.channels < 1:
            raise ValueError(f"condition {self.name}: at least one channel, got {self.channels}")


def total_channels(conditions: Sequence[Condition]) -> int:
    """Channels of :func:`concatenated`; raises ModelError where there is no condition, or one twice."""
    names = [condition.name for condition in conditions]
    if not names or len(set(names)) < len(names):
        raise ModelError(
            "bad-conditions",
            "a generator needs at least one condition, and each once",
            value=", ".join(names),
            remedy="name the fields it is guided by, such as landcover, radar and terrain",
        )
    return sum(condition.channels for condition in conditions)


def planes(condition: Condition, values: Mapping[str, Tensor]) -> Tensor:
    """One condition as float32 (B, channels, y, x) at its own resolution.

    Classes become one-hot; a pixel of unknown class is 0 in all planes. Raises ModelError for a condition that is
    missing or of another shape than it says.
    """
    if condition.name not in values:
        raise ModelError(
            "no-such-condition",
            f"the batch lacks the condition {condition.name}",
            value=", ".join(values),
            remedy="give every field that the network was made with",
        )
    tensor = values[condition.name]
    if condition.classes and tensor.ndim == 3 and not tensor.is_floating_point():
        indices = torch.arange(condition.channels, device=tensor.device, dtype=tensor.dtype)
        return (tensor[..., None] == indices).permute(0, 3, 1, 2).float()
    if condition.classes or tensor.ndim != 4 or tensor.shape[1] != condition.channels:
        shape = "y, x) of class indices" if condition.classes else f"{condition.channels}, y, x)"
        raise ModelError(
            "unlike-condition",
            f"the condition {condition.name} has another shape or type than the network was made for",
            value=f"{tensor.dtype} {tuple(tensor.shape)}",
            remedy=f"(batch, {shape}",
        )
    return tensor


def checked(conditions: Sequence[Condition], values: Mapping[str, Tensor], side: int) -> list[Tensor]:
    """Planes of every condition at its own resolution; each side divides `side`, or ModelError `odd-size`."""
    found = [planes(condition, values) for condition in conditions]
    last = torch.channels_last
    images = _images(values)
    # planes of classes are channels last, and stay so where nothing else is given
    if images and not any(one.is_contiguous(memory_format=last) and not one.is_contiguous() for one in images):
        found = [tensor.contiguous() for tensor in found]  # one order of memory, the caller's
    for condition, tensor in zip(conditions, found, strict=True):
        height, width = tensor.shape[-2:]
        if height != width or side % height:
            raise ModelError(
                "odd-size",
                f"the condition {condition.name} does not fit an image of {side} x {side} pixels",
                value=f"{height} x {width}",
                remedy=f"a square of {side} pixels, or of a whole fraction of that, such as {side // 2}",
            )
    return found


def _images(values: Mapping[str, Tensor]) -> list[Tensor]:
    return [tensor for tensor in values.values() if tensor.ndim == 4]


def stacked(conditions: Sequence[Condition], found: Sequence[Tensor], side: int) -> Tensor:
    """Planes of all conditions at one size, float32 (B, total, side, side)."""
    same = [
        enlarged(tensor, side, nearest=condition.classes) for condition, tensor in zip(conditions, found, strict=True)
    ]
    return torch.cat(same, dim=1)


def concatenated(conditions: Sequence[Condition], values: Mapping[str, Tensor], side: int | None = None) -> Tensor:
    """All conditions as float32 (B, total, side, side), in their order; the finest one's size without `side`.

    A coarser condition is enlarged: classes by repetition, anything else bilinearly.
    Raises ModelError: no-such-condition, unlike-condition, odd-size.
    """
    if side is None:
        side = max(values[condition.name].shape[-1] for condition in conditions if condition.name in values)
    return stacked(conditions, checked(conditions, values, side), side)


def enlarged(tensor: Tensor, side: int, *, nearest: bool) -> Tensor:
    """(B, C, y, x) with each side a whole number of times larger."""
    if tensor.shape[-1] == side:
        return tensor
    if nearest:
        return F.interpolate(tensor, size=(side, side), mode="nearest")
    return F.interpolate(tensor, size=(side, side), mode="bilinear", align_corners=False)


def resized(tensor: Tensor, side: int) -> Tensor:
    """(B, C, y, x) at another size of a whole ratio: the mean over each area going down, bilinear going up."""
    if tensor.shape[-1] > side:
        return F.avg_pool2d(tensor, tensor.shape[-1] // side)
    return enlarged(tensor, side, nearest=False)
