"""Against the plain lookup, whose gradients torch computes itself."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rsmodels.nets.placing import FEW, modulated, placed


def looked_up(table: Tensor, index: Tensor) -> Tensor:
    chips = torch.arange(len(index))[:, None, None]
    return (table[index] if table.ndim == 2 else table[chips, index]).permute(0, 3, 1, 2)


def given(rows: int, shared: bool, dtype: torch.dtype = torch.float64, batch: int = 3) -> tuple[Tensor, ...]:
    """Two tables, features, an index and a gradient."""
    generator = torch.Generator().manual_seed(0)
    shape = (rows, 4) if shared else (batch, rows, 4)
    gamma, beta = (torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for _ in range(2))
    x, gradient = (torch.randn((batch, 4, 6, 6), generator=generator, dtype=torch.float64).to(dtype) for _ in range(2))
    return gamma, beta, x, torch.randint(0, rows, (batch, 6, 6), generator=generator), gradient


def gradients(y: Tensor, gradient: Tensor, *leaves: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(y, leaves, gradient)


@pytest.mark.parametrize("rows", [3, FEW + 1])
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_values_and_gradients_are_the_lookups(
    rows: int, shared: bool, dtype: torch.dtype, order: torch.memory_format
) -> None:
    exact = [tensor.requires_grad_() if tensor.is_floating_point() else tensor for tensor in given(rows, shared)]
    gamma, beta, x, index, gradient = exact
    expected = x * looked_up(gamma, index) + looked_up(beta, index)
    wanted = gradients(expected, gradient.detach(), x, gamma, beta)
    near = {"rtol": 0.02, "atol": 0.1} if dtype == torch.bfloat16 else {"rtol": 1e-4, "atol": 1e-5}

    gamma, beta, x, gradient = (tensor.detach().to(dtype).requires_grad_() for tensor in (gamma, beta, x, gradient))
    ordered, towards = (tensor.contiguous(memory_format=order) for tensor in (x, gradient))
    y = modulated(ordered, gamma, beta, index)
    torch.testing.assert_close(y.double(), expected, **near)
    assert y.dtype == dtype
    assert y.is_contiguous(memory_format=torch.channels_last)
    for found, want in zip(gradients(y, towards, x, gamma, beta), wanted, strict=True):
        assert found.dtype == dtype
        torch.testing.assert_close(found.double(), want, **near)
    laid_out = placed(gamma, index)
    torch.testing.assert_close(laid_out, looked_up(gamma, index))
    (found,) = gradients(laid_out, towards, gamma)
    (want,) = gradients(looked_up(exact[0], index), exact[4].detach(), exact[0])
    torch.testing.assert_close(found.double(), want, **near)


def test_by_finite_differences() -> None:
    gamma, beta, x, index, _ = given(3, shared=False, batch=2)
    leaves = [tensor.requires_grad_() for tensor in (x, gamma, beta)]
    assert torch.autograd.gradcheck(lambda *told: modulated(*told, index), leaves)


def test_features_that_want_no_gradient_get_none() -> None:
    gamma, beta, x, index, gradient = given(3, shared=True)
    modulated(x, gamma.requires_grad_(), beta, index).backward(gradient)
    assert gamma.grad is not None
    assert x.grad is None


def test_tables_keep_their_type() -> None:
    """Under autocast weights are float32 and features bfloat16."""
    gamma, beta, x, index, gradient = given(3, shared=True, dtype=torch.float32)
    y = modulated(x.bfloat16(), gamma.requires_grad_(), beta, index)
    y.backward(gradient.bfloat16())
    assert y.dtype == torch.bfloat16
    assert gamma.grad is not None
    assert gamma.grad.dtype == torch.float32
