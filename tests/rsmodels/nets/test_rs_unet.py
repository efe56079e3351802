import pytest
import torch

from rsmodels.errors import ModelError
from rsmodels.nets.rs_unet import RsUNet, RsUNetNetwork
from tests.rsmodels.nets.planted import assert_all_learn, parameters


def made(channels: int = 4, classes: int = 9, **settings: int) -> RsUNet:
    torch.manual_seed(0)
    return RsUNet(channels, classes, RsUNetNetwork(**{"width": 4, **settings}))


@pytest.mark.parametrize("side", [64, 128, 256])
@pytest.mark.parametrize("pool", [2, 3])
def test_shapes(side: int, pool: int) -> None:
    network = made(pool=pool)
    image = torch.randn(1, 4, side, side)
    assert network(image).shape == (1, 9, side, side)
    assert network.features(image).shape == (1, 32, side // 32, side // 32)


def test_sides_may_differ() -> None:
    assert made()(torch.randn(1, 4, 64, 96)).shape == (1, 9, 64, 96)


@pytest.mark.parametrize(("channels", "classes"), [(4, 9), (10, 9), (12, 5)])
def test_parameters_against_a_hand_count(channels: int, classes: int) -> None:
    """Two 3x3 convolutions and norms a level, six levels down, five up beside their skips, 1x1 to classes."""

    def twice(before: int, after: int) -> int:
        return 9 * before * after + 9 * after * after + 4 * after

    down = twice(channels, 64) + twice(64, 128) + twice(128, 256) + twice(256, 512) + 2 * twice(512, 512)
    up = 2 * twice(512 + 512, 512) + twice(512 + 256, 256) + twice(256 + 128, 128) + twice(128 + 64, 64)
    with torch.device("meta"):
        network = RsUNet(channels, classes, RsUNetNetwork())
    assert parameters(network) == down + up + 65 * classes


def test_every_parameter_learns() -> None:
    network = made()
    assert_all_learn(network, network(torch.randn(2, 4, 64, 64)))


def test_pooling_of_three_reaches_further() -> None:
    image = torch.zeros(1, 1, 4, 4)
    image[0, 0, 1, 1] = 1
    assert [int(made(pool=pool).pool(image).sum()) for pool in (2, 3)] == [1, 4]


def test_no_data_gives_no_nan() -> None:
    network = made()
    logits = network(torch.zeros(2, 4, 64, 64))
    logits.square().sum().backward()
    assert bool(logits.isfinite().all())
    assert all(bool(parameter.grad.isfinite().all()) for parameter in network.parameters())


def test_evaluation_is_deterministic_and_differs_from_training() -> None:
    network, image = made(), torch.randn(2, 4, 64, 64)
    training = network(image)
    network.eval()
    assert torch.equal(network(image), network(image))
    assert not torch.allclose(network(image), training, atol=1e-4)


def test_what_does_not_fit_is_refused_by_name() -> None:
    for side in (48, 16, 100):
        with pytest.raises(ModelError, match="odd-size"):
            made()(torch.zeros(1, 4, side, side))
    with pytest.raises(ModelError, match="unlike-image"):
        made()(torch.zeros(1, 3, 64, 64))
    with pytest.raises(ModelError, match="one-value"):
        made()(torch.zeros(1, 4, 32, 32))
    assert made().eval()(torch.zeros(1, 4, 32, 32)).shape == (1, 9, 32, 32)
