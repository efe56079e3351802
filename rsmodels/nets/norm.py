"""Batch norm and dropout that do in several processes what they do in one with the whole batch."""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn

from rsmodels.errors import ModelError


def world() -> tuple[int, int]:
    """Rank and number of processes; (0, 1) without ``torch.distributed``."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


class BatchNorm2d(nn.BatchNorm2d):
    """Batch norm whose training statistics are those of the batches of all processes together.

    (B, C, y, x) to the same; ranks may hold unlike numbers of images. Statistics are float32 under autocast, too.
    Running statistics become those of one process with the whole batch. In evaluation, and in training mode where
    gradients are off (a rank that predicts on its own), it is the plain layer.
    Works on any device, which ``nn.SyncBatchNorm`` does not. Raises ModelError `one-value`.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 (the base class calls it that)
        if not self.training:
            return super().forward(input)
        if world()[1] == 1 or not torch.is_grad_enabled():
            if input.numel() == input.shape[1]:
                raise _one_value(tuple(input.shape))
            return super().forward(input)
        normed, mean, var, count = _GlobalNorm.apply(input, self.weight, self.bias, self.eps)  # type: ignore[no-untyped-call]
        self._remember(mean, var, float(count))
        return cast(Tensor, normed)

    @torch.no_grad()
    def _remember(self, mean: Tensor, var: Tensor, count: float) -> None:
        """Running statistics, as the plain layer keeps them: the variance unbiased."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        rate = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, rate)
        self.running_var.lerp_(var * (count / (count - 1)), rate)


class _GlobalNorm(torch.autograd.Function):
    """(x - mean) / sqrt(var + eps) * weight + bias over all processes; gradients flow through the statistics."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> tuple[Tensor, ...]:
        mean, var, count = _moments(x.float())
        inverse = torch.rsqrt(var + eps)
        normed = (x.float() - _wide(mean)) * _wide(inverse)
        ctx.save_for_backward(x, weight, mean, inverse, count)
        out = normed if weight is None or bias is None else normed * _wide(weight.float()) + _wide(bias.float())
        ctx.mark_non_differentiable(mean, var, count)
        return out.to(x.dtype), mean, var, count

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, inverse, count = ctx.saved_tensors
        gradient = gradients[0].float()
        normed = (x.float() - _wide(mean)) * _wide(inverse)
        local = torch.stack([gradient.sum((0, 2, 3)), (gradient * normed).sum((0, 2, 3))])
        # Of weight and bias each process keeps its share: whoever averages gradients over processes adds them up.
        to_weight, to_bias = (None, None) if weight is None else (local[1].to(weight.dtype), local[0].to(weight.dtype))
        both = local.clone()
        dist.all_reduce(both)
        both /= count
        scale = inverse if weight is None else inverse * weight.float()
        to_x = (gradient - _wide(both[0]) - normed * _wide(both[1])) * _wide(scale)
        return to_x.to(x.dtype), to_weight, to_bias, None


def _moments(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, biased variance (C,) and count over all processes: Chan's way of joining, which does not cancel."""
    count = x.new_tensor([x.numel() / x.shape[1]])
    mean = x.mean((0, 2, 3))
    squares = (x - _wide(mean)).square().sum((0, 2, 3))
    mine = torch.cat([mean, squares, count])
    gathered = [torch.empty_like(mine) for _ in range(world()[1])]
    dist.all_gather(gathered, mine)
    table = torch.stack(gathered)
    means, all_squares, counts = torch.split(table, [mean.numel(), mean.numel(), 1], dim=1)
    total = counts.sum()
    if total <= 1:
        raise _one_value(tuple(x.shape))
    joint = (means * counts).sum(0) / total
    between = ((means - joint).square() * counts).sum(0)
    return joint, (all_squares.sum(0) + between) / total, total


def _wide(vector: Tensor) -> Tensor:
    return vector[:, None, None]


def _one_value(shape: tuple[int, ...]) -> ModelError:
    return ModelError(
        "one-value",
        "batch norm in training needs more than one value a channel, and this batch has one",
        value=shape,
        remedy="a larger batch, larger chips, or fewer levels (the setting downs)",
    )


class Dropout(nn.Module):
    """Dropout of a share `p` of values, with the mask of the whole batch whatever the number of processes.

    Every process draws the mask of all and takes its slice: rank r holds images r·B to (r+1)·B of the whole batch.
    The processes' random generators must be in equal states. Off in evaluation.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"dropout: a share of 0 up to but not 1, got {p}")
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        rank, processes = world()
        batch, channels, height, width = x.shape
        # Drawn in float32 and channels last, so that neither precision nor memory layout changes the mask.
        drawn = torch.rand((batch * processes, height, width, channels), device=x.device)
        kept = drawn[rank * batch : (rank + 1) * batch].permute(0, 3, 1, 2) >= self.p
        return x * kept.to(x.dtype).div_(1 - self.p)
