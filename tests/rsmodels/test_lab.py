"""Lab against scikit-image, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from skimage.color import rgb2lab
from torch.utils._python_dispatch import TorchDispatchMode

from rsmodels.lab import OPPONENT, to_lab, to_rgb


def levels() -> torch.Tensor:
    """(1, 3, 64, 512) of 0 to 1: colours of 8 bit, corners of the cube among them."""
    values = np.random.default_rng(0).integers(0, 256, (1, 3, 64, 512))
    values[0, :, 0, :8] = np.array(np.meshgrid([0, 255], [0, 255], [0, 255])).reshape(3, 8)
    values[0, :, 1, :256] = np.arange(256)
    return torch.from_numpy(values / 255).float()


def test_it_is_the_lab_of_scikit_image() -> None:
    rgb = levels()
    lab = to_lab(rgb)[0].permute(1, 2, 0).numpy()
    unscaled = np.stack([(lab[..., 0] + 1) * 50, lab[..., 1] * OPPONENT, lab[..., 2] * OPPONENT], axis=-1)
    np.testing.assert_allclose(unscaled, rgb2lab(rgb[0].permute(1, 2, 0).numpy()), atol=2e-3)
    assert np.abs(lab).max() <= 1


def test_the_round_trip_keeps_every_level() -> None:
    rgb = levels()
    assert torch.equal((to_rgb(to_lab(rgb)) * 255).round(), (rgb * 255).round())


def test_grey_has_no_colour() -> None:
    lab = to_lab(torch.linspace(0, 1, 256).reshape(1, 1, 1, 256).expand(1, 3, 1, 256))
    assert lab[:, 1:].abs().max() < 1e-4
    assert torch.all(lab[0, 0, 0].diff() > 0)


def test_gradients_are_finite_even_at_black_and_out_of_gamut() -> None:
    black = torch.zeros(1, 3, 2, 2, requires_grad=True)
    to_lab(black).sum().backward()
    assert torch.isfinite(black.grad).all()
    wild = torch.tensor([-1.0, 1.0, -1.0]).reshape(1, 3, 1, 1).requires_grad_()
    to_rgb(wild).sum().backward()
    assert torch.isfinite(wild.grad).all()


class Called(TorchDispatchMode):
    """Notes what tensors are put through."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.add(str(func.overloadpacket.__name__))
        return func(*args, **(kwargs or {}))


def test_no_product_of_matrices_is_left_to_a_library() -> None:
    """It sums in an order of the moment: one picture in eight came out a level off, and never twice the same."""
    rgb = levels()
    with Called() as called:
        to_rgb(to_lab(rgb))
    assert "mul" in called.names
    assert not {"mm", "bmm", "addmm", "baddbmm", "einsum", "linalg_inv_ex"} & called.names


def test_reduced_precision_around_it_changes_nothing() -> None:
    rgb = levels()
    with torch.autocast("cpu", torch.bfloat16):
        lab = to_lab(rgb)
        back = to_rgb(lab)
    assert torch.equal(lab, to_lab(rgb))
    assert torch.equal(back, to_rgb(lab))
