from typing import Any

import pytest
import torch
from torch import Tensor

from rsmodels.errors import ModelError
from rsmodels.nets.conditions import Condition, checked
from rsmodels.nets.modulation import Modulation
from rsmodels.nets.rs_spade import RsSpadeGenerator, RsSpadeNetwork
from tests.rsmodels.nets.planted import ALL, LAND, RADAR, TERRAIN, assert_all_learn, changed, drawn, parameters

VARIANTS: list[dict[str, Any]] = [
    {},
    {"fuse": "sum", "stems": "site"},
    {"modulate": "decoder", "depth": 2},
    {"backbone": "spade", "downs": 3},
]
SUBSETS = [ALL, (RADAR, TERRAIN), (LAND, TERRAIN), (LAND, RADAR), (LAND,), (RADAR,), (TERRAIN,)]


def made(side: int = 64, conditions: tuple[Condition, ...] = ALL, bands: int = 4, **settings: Any) -> RsSpadeGenerator:
    torch.manual_seed(0)
    return RsSpadeGenerator(conditions, bands, side, RsSpadeNetwork(**{"width": 4, "hidden": 4, **settings}))


def sites(network: RsSpadeGenerator, values: dict[str, Tensor]) -> dict[str, tuple[Tensor, Tensor]]:
    """γ and β of every site, by the site's name."""
    hints = network.hints(checked(ALL, values, network.chip_px))
    sides: dict[str, int] = {}
    modules = {name: module for name, module in network.named_modules() if isinstance(module, Modulation)}
    handles = [
        module.register_forward_pre_hook(lambda _, told, name=name: sides.update({name: told[0].shape[-1]}))
        for name, module in modules.items()
    ]
    network(values)
    for handle in handles:
        handle.remove()
    return {name: module.gamma_beta(hints, sides[name]) for name, module in modules.items()}


@pytest.mark.parametrize("side", [64, 128, 256])
@pytest.mark.parametrize("variant", VARIANTS)
def test_shapes(side: int, variant: dict[str, Any]) -> None:
    image = made(side, **variant)(drawn(side))
    assert image.shape == (2, 4, side, side)
    assert image.dtype == torch.float32
    assert float(image.detach().abs().max()) <= 1


def test_sites_are_all_batch_norms_of_pix2pix_or_those_of_the_decoder() -> None:
    kinds = [isinstance(module, Modulation) for module in made().modules()]
    assert sum(kinds) == 4 + 5  # of six levels, neither the first, the innermost nor the last is normed
    assert sum(isinstance(module, Modulation) for module in made(modulate="decoder").modules()) == 5


@pytest.mark.parametrize("bands", [4, 10, 12])
@pytest.mark.parametrize("fuse", ["concat", "sum"])
def test_parameters_against_a_hand_count(bands: int, fuse: str) -> None:
    """pix2pix without the scales and shifts of its norms; at each of 13 sites 3x3 to γ and β; 3x3 stems."""
    into, k = 9 + 2 + 5, 16
    encoder = k * (into * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 4 * 512 * 512) + 64 + 512
    decoder = k * (512 * 512 + 3 * 1024 * 512 + 1024 * 256 + 512 * 128 + 256 * 64 + 128 * bands) + bands
    stems = 9 * into * 128 + 3 * 128
    fused = 3 * 128 if fuse == "concat" else 128
    channels = (128 + 256 + 4 * 512) + (4 * 512 + 256 + 128 + 64)
    with torch.device("meta"):
        network = RsSpadeGenerator(ALL, bands, 256, RsSpadeNetwork(fuse=fuse))
    assert parameters(network) == encoder + decoder + stems + 2 * channels * (9 * fused + 1)


def test_parameters_of_the_switches() -> None:
    with torch.device("meta"):
        shared, own, half = (
            parameters(RsSpadeGenerator(ALL, 4, 256, RsSpadeNetwork(stems=stems, modulate=modulate)))
            for stems, modulate in (("shared", "all"), ("site", "all"), ("shared", "decoder"))
        )
    stems, encoder = 9 * 16 * 128 + 3 * 128, 128 + 256 + 4 * 512
    assert own == shared + 12 * stems  # 13 sites
    assert half == shared - 2 * encoder * (9 * 3 * 128 + 1) + 2 * encoder


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_parameter_learns(variant: dict[str, Any]) -> None:
    network = made(**variant)
    assert_all_learn(network, network(drawn(64)))


@pytest.mark.parametrize("variant", VARIANTS)
def test_modulation_of_every_site_depends_on_every_source(variant: dict[str, Any]) -> None:
    network, values = made(**variant), drawn(64)
    before = sites(network, values)
    assert before
    for source in ALL:
        after = sites(network, changed(values, source.name))
        for name, (gamma, beta) in before.items():
            assert not torch.allclose(gamma, after[name][0], atol=1e-5), (source.name, name)
            assert not torch.allclose(beta, after[name][1], atol=1e-5), (source.name, name)


@pytest.mark.parametrize("variant", VARIANTS)
def test_image_depends_on_every_source_through_modulation_alone(variant: dict[str, Any]) -> None:
    network, values = made(**variant, dropout=0.0), drawn(64)
    sources = checked(ALL, values, 64)
    start = network.start_of(sources)
    image = network.net(start, network.hints(sources))
    for source in ALL:
        other = network.hints(checked(ALL, changed(values, source.name), 64))
        assert not torch.allclose(image, network.net(start, other), atol=1e-4), source.name


def test_image_depends_on_every_source_through_the_body_alone() -> None:
    network, values = made(dropout=0.0), drawn(64)
    sources = checked(ALL, values, 64)
    hints = network.hints(sources)
    image = network.net(network.start_of(sources), hints)
    for source in ALL:
        start = network.start_of(checked(ALL, changed(values, source.name), 64))
        assert not torch.allclose(image, network.net(start, hints), atol=1e-4), source.name


@pytest.mark.parametrize("conditions", SUBSETS)
def test_any_subset_of_conditions(conditions: tuple[Condition, ...]) -> None:
    values = drawn(32)
    network = made(32, conditions)
    # what it was not made with is not read
    assert_all_learn(network, network(values if len(conditions) == 1 else {c.name: values[c.name] for c in conditions}))


def test_a_coarser_source_is_embedded_at_its_own_resolution() -> None:
    network, values = made(), drawn(64) | {"terrain": drawn(16)["terrain"], "landcover": drawn(8)["landcover"]}
    seen: list[tuple[int, ...]] = []
    assert network.stems is not None
    for stem in network.stems.stems:
        stem.register_forward_pre_hook(lambda _, told: seen.append(tuple(told[0].shape[2:])))
    assert_all_learn(network, network(values))
    assert seen == [(8, 8), (64, 64), (16, 16)]


def test_starts_near_a_plain_batch_norm() -> None:
    for hidden in (4, 64):
        for gamma, beta in sites(made(hidden=hidden), drawn(64)).values():
            assert 0.005 < float(gamma.detach().std()) < 0.4
            assert 0.005 < float(beta.detach().std()) < 0.4


@pytest.mark.parametrize("variant", VARIANTS)
def test_nothing_known_gives_no_nan(variant: dict[str, Any]) -> None:
    values = {name: torch.full_like(tensor, 255 if tensor.ndim == 3 else 0) for name, tensor in drawn(64).items()}
    network = made(**variant)
    image = network(values)
    image.sum().backward()
    assert bool(image.isfinite().all())
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    assert gradients
    assert all(bool(gradient.isfinite().all()) for gradient in gradients)


def test_evaluation_is_deterministic_and_differs_from_training() -> None:
    network, values = made(dropout=0.0), drawn(64)
    training = network(values)
    network.eval()
    assert torch.equal(network(values), network(values))
    assert not torch.allclose(network(values), training, atol=1e-3)


@pytest.mark.parametrize("variant", VARIANTS)
def test_channels_last_and_bfloat16_compute_the_same(variant: dict[str, Any]) -> None:
    network, values = made(**variant, width=8, dropout=0.0), drawn(64, 4)
    expected = network(values)
    expected.square().mean().backward()
    gradients = {name: parameter.grad.clone() for name, parameter in network.named_parameters()}
    network.zero_grad()
    network.to(memory_format=torch.channels_last)
    values = {
        name: tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor
        for name, tensor in values.items()
    }
    image = network(values)
    torch.testing.assert_close(image, expected, atol=2e-4, rtol=0)
    image.square().mean().backward()
    for name, parameter in network.named_parameters():
        torch.testing.assert_close(
            parameter.grad, gradients[name], rtol=0.01, atol=float(gradients[name].abs().max()) / 50
        )
    with torch.autocast("cpu", torch.bfloat16):
        rough = network(values)
    assert rough.dtype == torch.float32
    assert float((rough - expected).detach().abs().mean()) < 0.1 * float(expected.detach().abs().mean())
    assert all(buffer.dtype != torch.bfloat16 for buffer in network.buffers())


def test_odd_sizes_are_refused() -> None:
    with pytest.raises(ModelError, match="odd-size"):
        made(100)
    with pytest.raises(ModelError, match="odd-size"):
        made(64)(drawn(48))
    with pytest.raises(ModelError, match="odd-size"):
        made(64).refuses(48)
