from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from rsmodels.errors import ModelError
from rsmodels.nets.inpainting import (
    HIDDEN,
    CoarseToFine,
    CoarseToFineNetwork,
    Inpainted,
    InpaintUNet,
    composite,
    hidden,
)
from rsmodels.nets.rs_unet import RsUNetNetwork
from tests.rsmodels.nets.planted import assert_all_learn

SMALL = CoarseToFineNetwork(width=4, blocks=(1, 1, 1, 1, 1, 1), convs=1)


def made(**more: str) -> CoarseToFine:
    torch.manual_seed(0)
    return CoarseToFine(3, CoarseToFineNetwork(**{**SMALL.model_dump(), **more}))


def plain() -> InpaintUNet:
    torch.manual_seed(0)
    return InpaintUNet(3, RsUNetNetwork(width=4))


def occluded(height: int, width: int, *, batch: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(height + width)
    images = torch.randn((batch, 3, height, width), generator=generator)
    return images, (torch.rand((batch, 1, height, width), generator=generator) > 0.6).float()


def test_a_residual_of_zero_returns_the_coarse_map() -> None:
    """Eq. 1: R_refined = R_coarse + E."""
    network, (images, mask) = made().eval(), occluded(64, 64)
    with torch.no_grad():
        apart = network(images, mask)
        assert not torch.equal(apart.coarse, apart.refined)
        nn.init.zeros_(network.refinement.head.weight)
        nn.init.zeros_(network.refinement.head.bias)  # type: ignore[arg-type]
        same = network(images, mask)
    assert torch.equal(same.coarse, same.refined)
    assert torch.equal(same.coarse, apart.coarse)


@given(seed=st.integers(0, 99), dtype=st.sampled_from([torch.float32, torch.bfloat16]))
@settings(max_examples=20, deadline=None)
def test_composites_take_the_map_where_it_is_hidden_and_nothing_else(seed: int, dtype: torch.dtype) -> None:
    """Eq. 2, bit for bit, also where a map is not finite."""
    generator = torch.Generator().manual_seed(seed)
    images, mapped = torch.randn((2, 2, 3, 8, 8), generator=generator)
    mask = (torch.rand((2, 1, 8, 8), generator=generator) > 0.5).float()
    mapped = mapped.to(dtype)
    mapped[:, :, 0, 0], mask[:, :, 0, 0] = torch.inf, 0.0
    both = composite(mapped, images, mask)
    where = mask.bool().expand_as(images)
    assert torch.equal(both[where], mapped[where].float())
    assert torch.equal(both[~where], images[~where])


@pytest.mark.parametrize("network", [made(), made(refine_from="composite"), plain()], ids=["map", "composite", "unet"])
def test_what_the_mask_hides_is_not_looked_at(network: nn.Module) -> None:
    images, mask = occluded(64, 32)
    other = torch.where(mask > 0.5, torch.full_like(images, 7.0), images)
    with torch.no_grad():
        one, same = network.eval()(images, mask), network(other, mask)
    assert torch.equal(one.refined, same.refined)
    assert bool((hidden(images, mask)[mask.bool().expand_as(images)] == HIDDEN).all())


@pytest.mark.parametrize("size", [(32, 32), (33, 70), (100, 31), (5, 3)])
def test_any_size_goes_through(size: tuple[int, int]) -> None:
    images, mask = occluded(*size)
    for network in (made().eval(), plain().eval()):
        with torch.no_grad():
            found = network(images, mask)
        assert isinstance(found, Inpainted)
        assert found.coarse.shape == found.refined.shape == images.shape
        assert bool(found.refined.isfinite().all())


def test_every_parameter_learns() -> None:
    images, mask = occluded(64, 64)
    for network in (made(), made(refine_from="composite"), plain()):
        found = network(images, mask)
        assert_all_learn(network, torch.cat([found.coarse, found.refined]))


def test_a_mask_of_another_size_is_refused() -> None:
    images, mask = occluded(32, 32)
    for wrong in (mask[:, :, :-1], mask[:1], mask[:, 0]):
        with pytest.raises(ModelError, match="unlike-mask"):
            made()(images, wrong)
