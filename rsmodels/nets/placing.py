"""Vectors of classes, placed where the label map has the class.

Modulation by class needs no convolution: tables of a few rows are laid out over the map. Forward that is a lookup, at
the speed of a copy. Its usual backward adds up pixel by pixel, and keeps the maps that were laid out; here they are
laid out again, and rows are summed by whichever way is fastest (``benchmarks/modulation.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor

FEW = 32
"""Rows up to which a product with the map's one-hot form is as fast as adding up rows, in bfloat16 on a CPU."""


def placed(table: Tensor, index: Tensor) -> Tensor:
    """Rows of a table at every pixel.

    Parameters
    ----------
    table : (B, N, C) rows of each chip, or (N, C) rows that all share.
    index : (B, y, x) int64, 0 to N - 1.

    Returns
    -------
    (B, C, y, x) in channels-last order, of the table's type.
    """
    return cast(Tensor, _Placed.apply(table, index))  # type: ignore[no-untyped-call]


def modulated(x: Tensor, gamma: Tensor, beta: Tensor, index: Tensor) -> Tensor:
    """Features scaled and shifted, x · γ + β at every pixel, with γ and β of the pixel's row.

    Parameters
    ----------
    x : (B, C, y, x).
    gamma, beta : both (B, N, C) or both (N, C), as for :func:`placed`, of any floating type.
    index : (B, y, x) int64, 0 to N - 1.

    Returns
    -------
    (B, C, y, x) in channels-last order, of the type of `x`.
    """
    return cast(Tensor, _Modulated.apply(x, gamma.to(x.dtype), beta.to(x.dtype), index))  # type: ignore[no-untyped-call]


class _Placed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, index: Tensor) -> Tensor:
        ctx.save_for_backward(index)
        ctx.rows, ctx.shared = table.shape[-2], table.ndim == 2
        return _laid_out(table, index)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (index,) = ctx.saved_tensors
        return _summed(gradients, index, ctx.rows, shared=ctx.shared)[0], None


class _Modulated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, gamma: Tensor, beta: Tensor, index: Tensor) -> Tensor:
        ctx.save_for_backward(x, gamma, index)
        return _laid_out(beta, index).addcmul_(x, _laid_out(gamma, index))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor, Tensor, None]:
        x, gamma, index = ctx.saved_tensors
        gradient = gradients[0]
        to_x = _laid_out(gamma, index).mul_(gradient) if ctx.needs_input_grad[0] else None
        to_gamma, to_beta = _summed((gradient * x, gradient), index, gamma.shape[-2], shared=gamma.ndim == 2)
        return to_x, to_gamma, to_beta, None


def _laid_out(table: Tensor, index: Tensor) -> Tensor:
    """(B, C, y, x), channels last."""
    flat = index if table.ndim == 2 else index + _first_rows(index, table.shape[1])
    rows = table.reshape(-1, table.shape[-1])
    return rows.index_select(0, flat.flatten()).view(*index.shape, -1).permute(0, 3, 1, 2)


def _summed(several: Sequence[Tensor], index: Tensor, rows: int, *, shared: bool) -> list[Tensor]:
    """Sums of each (B, C, y, x) over the pixels of each row: (B, rows, C), or (rows, C) over all chips."""
    pixels = [values.permute(0, 2, 3, 1).flatten(1, 2) for values in several]
    dtype = pixels[0].dtype
    if index.device.type == "cpu" and (dtype == torch.float32 or rows > FEW):
        wide = torch.promote_types(dtype, torch.float32)
        flat = (index + _first_rows(index, rows)).flatten()
        empty = torch.zeros((index.shape[0] * rows, pixels[0].shape[-1]), dtype=wide)
        found = [empty.index_add(0, flat, one.flatten(0, 1).to(wide)).view(-1, rows, empty.shape[-1]) for one in pixels]
    else:
        numbers = torch.arange(rows, device=index.device)[:, None]
        one_hot = (index.flatten(1)[:, None] == numbers).to(dtype)
        found = [torch.bmm(one_hot, one) for one in pixels]
    return [(sums.sum(0) if shared else sums).to(dtype) for sums in found]


def _first_rows(index: Tensor, rows: int) -> Tensor:
    """(B, 1, 1) number of each chip's first row in the tables of all chips, one after the other."""
    return torch.arange(index.shape[0], device=index.device)[:, None, None] * rows
