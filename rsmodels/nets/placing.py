"""Vectors of classes, placed where the label map has the class.

Modulation by class needs no convolution: a table of a few rows is laid out over the map. Forward that is a lookup, at
the speed of a copy. Its usual backward adds up pixel by pixel; as a product with the map's one-hot form it is several
times faster (``benchmarks/modulation.py``).
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor


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


class _Placed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, index: Tensor) -> Tensor:
        ctx.save_for_backward(index)
        ctx.rows, ctx.shared = table.shape[-2], table.ndim == 2
        flat = index if ctx.shared else index + _first_rows(index, ctx.rows)
        rows = table.reshape(-1, table.shape[-1])
        return rows.index_select(0, flat.flatten()).view(*index.shape, -1).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (index,) = ctx.saved_tensors
        gradient = gradients[0].permute(0, 2, 3, 1)
        pixels = gradient.reshape(gradient.shape[0], -1, gradient.shape[-1])
        numbers = torch.arange(ctx.rows, device=index.device)[:, None]
        one_hot = (index.flatten(1)[:, None] == numbers).to(pixels.dtype)
        summed = torch.bmm(one_hot, pixels)
        return summed.sum(0) if ctx.shared else summed, None


def _first_rows(index: Tensor, rows: int) -> Tensor:
    """(B, 1, 1) number of each chip's first row in the tables of all chips, one after the other."""
    return torch.arange(index.shape[0], device=index.device)[:, None, None] * rows
