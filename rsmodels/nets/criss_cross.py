"""Criss-cross attention (Huang et al. 2019): every pixel looks along its row and its column, twice."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

RECURRENCE: Final = 2
"""Passes, with the same weights: after two, every pixel has heard of every other one."""
SHRINK: Final = 8
"""Channels of the features for each channel of queries and keys."""
MOST_WEIGHTS: Final = 2**23
"""Weights that are held at a time where no gradients are asked for: 32 MB of each copy."""


class CrissCrossAttention(nn.Module):
    """Features (B, C, y, x) to the same, each pixel with what its row and column hold added to it.

    A pass costs B·y·x·(y + x) weights where full attention takes B·(y·x)². The scale γ of what is added starts at 0, so
    an untrained layer changes nothing. A pixel itself is counted once, though it lies on both its row and its column.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(1, channels // SHRINK)
        self.query = nn.Conv2d(channels, inner, 1)
        self.key = nn.Conv2d(channels, inner, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.scale = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(RECURRENCE):
            x = self.once(x)
        return x

    def once(self, x: Tensor) -> Tensor:
        """One pass; without gradients over some rows at a time, so that memory grows with pixels only."""
        query, key, value = self.query(x), self.key(x), self.value(x)
        batch, _, height, width = x.shape
        rows = height if torch.is_grad_enabled() else max(1, MOST_WEIGHTS // (batch * width * (height + width)))
        heard = [_heard(query[..., first : first + rows, :], key, value, first) for first in range(0, height, rows)]
        return x + self.scale * torch.cat(heard, dim=-2)


def _heard(query: Tensor, key: Tensor, value: Tensor, first: int) -> Tensor:
    """(B, C, rows, x) what pixels of the rows from `first` on take from their rows and columns.

    Parameters
    ----------
    query : (B, c, rows, x).
    key, value : (B, c, y, x) and (B, C, y, x) of the whole image.
    """
    rows, height = query.shape[-2], key.shape[-2]
    here = slice(first, first + rows)
    along_column = torch.einsum("bcyx,bczx->byxz", query, key)
    own = torch.eye(height, dtype=torch.bool, device=query.device)[here, None, :]
    along_column = along_column.masked_fill(own, float("-inf"))
    along_row = torch.einsum("bcyx,bcyz->byxz", query, key[..., here, :])
    weights = torch.cat([along_column, along_row], dim=-1).float().softmax(dim=-1).to(value.dtype)
    heard = torch.einsum("byxz,bczx->bcyx", weights[..., :height], value)
    return heard + torch.einsum("byxz,bcyz->bcyx", weights[..., height:], value[..., here, :])
