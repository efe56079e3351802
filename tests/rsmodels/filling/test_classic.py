"""OpenCV's fillers on tensors of any scale."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from rsmodels.errors import ModelError
from rsmodels.filling.classic import navier_stokes, telea

METHODS = pytest.mark.parametrize("fill", [telea, navier_stokes])
Fill = Callable[[Tensor, Tensor], Tensor]


def planted(size: int = 48) -> tuple[Tensor, Tensor]:
    """Two images of three smooth bands, each on a scale of its own, and a hole in each."""
    y, x = torch.meshgrid(torch.arange(size) / size, torch.arange(size) / size, indexing="ij")
    bands = torch.stack([x + y - 1, torch.sin(3 * x) * y, 1e4 * (x - y)])
    mask = torch.zeros(2, 1, size, size)
    mask[0, :, 16:30, 14:31] = 1
    mask[1, :, :9, 40:] = 1  # in a corner
    return torch.stack([bands, bands.flip(1)]), mask


@METHODS
def test_known_pixels_stay_and_hidden_ones_come_near(fill: Fill) -> None:
    images, mask = planted()
    filled = fill(images, mask)
    assert filled.dtype == torch.float32
    hidden = mask.expand_as(images) > 0
    assert torch.equal(filled[~hidden], images[~hidden])
    for band in range(3):
        scale = images[:, band].max() - images[:, band].min()
        error = (filled[:, band] - images[:, band])[mask[:, 0] > 0] / scale
        assert error.abs().mean() < 0.1


@METHODS
def test_what_lies_under_the_mask_is_never_looked_at(fill: Fill) -> None:
    images, mask = planted()
    other = torch.where(mask > 0, torch.tensor(float("nan")), images)
    assert torch.equal(fill(other, mask), fill(images, mask))


@METHODS
def test_an_even_image_stays_even(fill: Fill) -> None:
    """On 8 bit, Telea's method in OpenCV drifts by several levels across such a hole."""
    images = torch.full((1, 2, 64, 64), -0.25)
    images[0, :, 0, 0], images[0, :, 0, 1] = -1.0, 1.0  # a range
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 12:52, 12:52] = 1
    assert (fill(images, mask) + 0.25)[mask.expand_as(images) > 0].abs().max() < 2e-3


@METHODS
def test_images_are_filled_one_by_one(fill: Fill) -> None:
    images, mask = planted()
    alone = torch.cat([fill(images[i : i + 1], mask[i : i + 1]) for i in range(2)])
    assert torch.equal(fill(images, mask), alone)


@METHODS
def test_an_image_without_a_known_pixel_is_zero(fill: Fill) -> None:
    images, mask = planted()
    mask[0] = 1
    filled = fill(images, mask)
    assert (filled[0] == 0).all()
    assert torch.isfinite(filled).all()


def test_mask_of_another_shape_is_refused() -> None:
    images, mask = planted()
    with pytest.raises(ModelError, match="model/mask-shape"):
        telea(images, mask[:, :, 1:])
