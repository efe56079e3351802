import pytest
import torch
from torch import nn

from rsmodels.errors import ModelError
from rsmodels.nets.hrnet import HrNet, HrNetNetwork
from rsmodels.nets.rs_unet import RsUNet, RsUNetNetwork
from rsmodels.nets.segmenter import Segmenter
from tests.rsmodels.nets.planted import assert_all_learn, parameters

SMALL = {"width": 4, "stem": 4, "blocks": 1, "modules": (1, 1, 1)}


def made(channels: int = 4, classes: int = 9, **settings: object) -> HrNet:
    torch.manual_seed(0)
    return HrNet(channels, classes, HrNetNetwork.model_validate({**SMALL, **settings}))


@pytest.mark.parametrize("halvings", [0, 1, 2])
def test_shapes(halvings: int) -> None:
    network = made(halvings=halvings)
    image = torch.randn(1, 4, 64, 96)
    assert network(image).shape == (1, 9, 64, 96)
    fine = 2**halvings
    wanted = [(1, 4 * 2**n, 64 // fine // 2**n, 96 // fine // 2**n) for n in range(4)]
    assert [tuple(one.shape) for one in network.pyramid(image)] == wanted
    assert network.features(image).shape == wanted[-1]


@pytest.mark.parametrize(("width", "millions"), [(18, 9.6), (32, 29.5), (48, 65.9)])
def test_sizes_are_those_of_the_paper(width: int, millions: float) -> None:
    """HRNetV2 of these widths, three bands in and the 19 classes of Cityscapes, as published."""
    with torch.device("meta"):
        network = HrNet(3, 19, HrNetNetwork(width=width))
    assert parameters(network) / 1e6 == pytest.approx(millions, abs=0.06)


def test_parameters_against_a_hand_count() -> None:
    """Stem and bottlenecks, the maps' beginnings, one block each and one exchange a stage, the head."""

    def normed(before: int, after: int, side: int = 3) -> int:
        return side * side * before * after + 2 * after

    w = [4, 8, 16, 32]
    first = normed(4, 6) + normed(6, 6) + normed(6, 24, 1)
    first += 4 * (normed(6, 6) + normed(6, 24, 1)) + normed(6, 6, 1) + 3 * normed(24, 6, 1)
    begun = normed(24, 4) + normed(24, 8) + normed(8, 16) + normed(16, 32)
    blocks = sum(2 * normed(width, width) for count in (2, 3, 4) for width in w[:count])
    up = sum(normed(w[j], w[i], 1) for count in (2, 3, 4) for j in range(count) for i in range(j))
    down = sum(
        (j - i - 1) * normed(w[i], w[i]) + normed(w[i], w[j])
        for count in (2, 3, 4)
        for j in range(count)
        for i in range(j)
    )
    head = normed(60, 60, 1) + 60 * 5 + 5
    assert parameters(made(4, 5, stem=6)) == first + begun + blocks + up + down + head


def test_every_parameter_learns() -> None:
    network = made()
    assert_all_learn(network, network(torch.randn(2, 4, 64, 64)))


def test_every_map_hears_of_every_other() -> None:
    """The exchange is complete: what changes in one map of the last stage changes all of them."""
    exchange = made().eval().stages[-1].exchanges
    for module in exchange.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    maps = [torch.randn(1, 4 * 2**n, 16 // 2**n, 16 // 2**n) for n in range(4)]
    before = exchange(maps)
    for changed in range(4):
        other = [one + 1 if place == changed else one for place, one in enumerate(maps)]
        assert all(not torch.allclose(a, b) for a, b in zip(exchange(other), before, strict=True))


def test_no_data_gives_no_nan() -> None:
    network = made()
    logits = network(torch.zeros(2, 4, 64, 64))
    logits.square().sum().backward()
    assert bool(logits.isfinite().all())
    assert all(bool(parameter.grad.isfinite().all()) for parameter in network.parameters())


def test_what_does_not_fit_is_refused_by_name() -> None:
    for side in (48, 16, 100):
        with pytest.raises(ModelError, match=r"odd-size[\s\S]*HRNet"):
            made()(torch.zeros(1, 4, side, side))
    assert made(halvings=0).eval()(torch.zeros(1, 4, 8, 16)).shape == (1, 9, 8, 16)
    with pytest.raises(ModelError, match="unlike-image"):
        made()(torch.zeros(1, 3, 64, 64))


@pytest.mark.parametrize("network", [made(), RsUNet(4, 9, RsUNetNetwork(width=4))], ids=["hrnet", "rs-unet"])
def test_classes_are_read_from_the_pyramid_alone(network: Segmenter) -> None:
    """Who has the maps has the logits: an image need not go through the network twice."""
    image = torch.randn(1, 4, 64, 64)
    network.eval()
    maps = network.pyramid(image)
    assert torch.equal(network.decoded(maps), network(image))
    assert torch.equal(maps[-1], network.features(image))
    sides = [one.shape[-1] for one in maps]
    assert sides == sorted(sides, reverse=True)
