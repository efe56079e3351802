from typing import Any

import pytest
import torch

from rsmodels.errors import ModelError
from rsmodels.nets.patch import PatchDiscriminator, PatchNetwork
from tests.rsmodels.nets.planted import ALL, LAND, assert_all_learn, changed, drawn, parameters

VARIANTS: list[dict[str, Any]] = [{}, {"norm": "instance"}, {"norm": "none"}, {"spectral": True}, {"downs": 2}]


def made(bands: int = 4, **settings: Any) -> PatchDiscriminator:
    torch.manual_seed(0)
    return PatchDiscriminator(ALL, bands, PatchNetwork(**{"width": 4, **settings}))


def image(side: int, batch: int = 2, bands: int = 4) -> torch.Tensor:
    return torch.rand((batch, bands, side, side), generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize(("side", "patches"), [(64, 6), (128, 14), (256, 30)])
def test_one_feature_a_layer_and_one_logit_a_patch(side: int, patches: int) -> None:
    features = made()(drawn(side), image(side))
    assert [feature.shape[1] for feature in features] == [4, 8, 16, 32, 1]
    assert features[-1].shape == (2, 1, patches, patches)


@pytest.mark.parametrize(("downs", "patches"), [(3, 32), (4, 16)])
def test_same_padding_gives_the_paper_its_32_patches(downs: int, patches: int) -> None:
    """Sun et al., Table VI: 256 x 256 pixels to 32 x 32 verdicts with three strided layers, 16 x 16 with four."""
    network = made(downs=downs, padding="same")
    assert network(drawn(256, 1), image(256, 1))[-1].shape == (1, 1, patches, patches)


@pytest.mark.parametrize("bands", [4, 10, 12])
def test_parameters_against_a_hand_count(bands: int) -> None:
    """C64-C128-C256-C512 and a last convolution, kernels 4x4 (appendix of Isola et al.)."""
    into, k = 9 + 2 + 5 + bands, 16
    convolutions = k * (into * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512) + 64 + 1
    with torch.device("meta"):
        batch, none = (PatchDiscriminator(ALL, bands, PatchNetwork(norm=norm)) for norm in ("batch", "none"))
    assert parameters(batch) == convolutions + 2 * (128 + 256 + 512)
    assert parameters(none) == convolutions + 128 + 256 + 512


def test_a_logit_sees_70_pixels() -> None:
    network = made(norm="none")
    picture = image(128).requires_grad_()
    network(drawn(128), picture)[-1][0, 0, 7, 7].backward()
    assert picture.grad is not None
    rows = picture.grad[0].abs().sum((0, 2)).nonzero().flatten()
    assert int(rows[-1] - rows[0]) + 1 == 70


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_parameter_learns(variant: dict[str, Any]) -> None:
    network = made(**variant)
    assert_all_learn(network, network(drawn(64), image(64))[-1])


@pytest.mark.parametrize("name", [condition.name for condition in ALL])
def test_it_looks_at_every_condition_and_at_the_image(name: str) -> None:
    network, values = made(), drawn(64)
    logits = network(values, image(64))[-1]
    assert not torch.allclose(logits, network(changed(values, name), image(64))[-1], atol=1e-6)
    assert not torch.allclose(logits, network(values, -image(64))[-1], atol=1e-6)


def test_several_images_of_the_same_chips() -> None:
    network, values = made(), drawn(64)
    real, fake = image(64), -image(64)
    doubled = {name: torch.cat([tensor, tensor]) for name, tensor in values.items()}
    for one, other in zip(
        network(values, torch.cat([real, fake])), network(doubled, torch.cat([real, fake])), strict=True
    ):
        torch.testing.assert_close(one, other)
    with pytest.raises(ModelError, match="unlike-batch"):
        network(values, image(64, 3))


def test_spectral_norm_bounds_every_weight() -> None:
    network = made(spectral=True, width=8)
    for name, parameter in network.named_parameters():
        if name.endswith("original"):  # as training changes them
            torch.nn.init.normal_(parameter)
    for _ in range(30):
        network(drawn(32), image(32))
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d):
            weight = layer.weight.detach().flatten(1)
            assert float(torch.linalg.matrix_norm(weight, 2)) == pytest.approx(1, rel=0.02)
    before = {name: buffer.clone() for name, buffer in network.named_buffers() if name.endswith(".u")}
    assert before
    network.eval()(drawn(64), image(64))
    assert all(torch.equal(dict(network.named_buffers())[name], buffer) for name, buffer in before.items())


def test_spectral_norm_is_float32_under_autocast() -> None:
    network = made(spectral=True, norm="none").eval()
    layer = network.layers[-1]
    assert isinstance(layer, torch.nn.Conv2d)
    plain = layer.weight
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer.weight, plain)
        assert network(drawn(64), image(64))[-1].dtype == torch.bfloat16


def test_nothing_known_gives_no_nan() -> None:
    network = made()
    values = {"landcover": torch.full((2, 64, 64), 255), "radar": torch.zeros(2, 2, 64, 64)}
    logits = network(values | {"terrain": torch.zeros(2, 5, 64, 64)}, torch.zeros(2, 4, 64, 64))[-1]
    logits.sum().backward()
    assert bool(logits.isfinite().all())
    assert all(bool(parameter.grad.isfinite().all()) for parameter in network.parameters())


@pytest.mark.parametrize("side", [60, 16, 65])
def test_odd_sizes_are_refused(side: int) -> None:
    with pytest.raises(ModelError, match="odd-size"):
        made()(drawn(side), image(side))
    small = PatchDiscriminator((LAND,), 4, PatchNetwork(width=4, downs=1))
    assert small(drawn(16), image(16))[-1].shape == (2, 1, 6, 6)
