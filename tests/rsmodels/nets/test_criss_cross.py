"""Criss-cross attention against full attention that sees rows and columns only."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rsmodels.nets.criss_cross import CrissCrossAttention


def slow(layer: CrissCrossAttention, x: Tensor) -> Tensor:
    """One pass, by all pairs of pixels and a mask."""
    height, width = x.shape[-2:]
    query, key, value = (one(x).flatten(2) for one in (layer.query, layer.key, layer.value))
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    rows, columns = rows.flatten(), columns.flatten()
    seen = (rows[:, None] == rows) | (columns[:, None] == columns)
    weights = (query.transpose(1, 2) @ key).masked_fill(~seen, float("-inf")).softmax(dim=-1)
    return x + layer.scale * (value @ weights.transpose(1, 2)).reshape(x.shape)


@pytest.mark.parametrize(("channels", "height", "width"), [(16, 5, 7), (3, 1, 6), (8, 4, 1)])
def test_it_is_full_attention_masked_to_the_cross(channels: int, height: int, width: int) -> None:
    torch.manual_seed(0)
    layer = CrissCrossAttention(channels).double()
    torch.nn.init.constant_(layer.scale, 0.7)
    x = torch.randn(2, channels, height, width, dtype=torch.float64)
    torch.testing.assert_close(layer.once(x), slow(layer, x))
    torch.testing.assert_close(layer(x), slow(layer, slow(layer, x)))


def test_untrained_it_changes_nothing() -> None:
    x = torch.randn(1, 8, 6, 6)
    assert torch.equal(CrissCrossAttention(8)(x), x)


def test_after_two_passes_every_pixel_has_heard_of_every_other() -> None:
    torch.manual_seed(0)
    layer = CrissCrossAttention(8)
    torch.nn.init.constant_(layer.scale, 1.0)
    x = torch.randn(1, 8, 5, 5, requires_grad=True)

    def heard(once: bool) -> Tensor:
        made = layer.once(x) if once else layer(x)
        (gradient,) = torch.autograd.grad(made[0, :, 0, 0].sum(), x)
        return gradient[0].abs().sum(dim=0) > 0

    assert heard(once=True).sum() == 9
    assert heard(once=False).all()


def test_some_rows_at_a_time_give_what_all_give(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    layer = CrissCrossAttention(8).double()
    torch.nn.init.constant_(layer.scale, 0.7)
    x = torch.randn(2, 8, 7, 5, dtype=torch.float64)
    whole = layer(x).detach()
    for most in (1, 2 * 5 * 12 * 3, 2**20):  # one row at a time, three, all
        monkeypatch.setattr("rsmodels.nets.criss_cross.MOST_WEIGHTS", most)
        with torch.no_grad():
            torch.testing.assert_close(layer(x), whole)
