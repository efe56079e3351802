import pydantic
import pytest
import torch

from rsmodels.errors import ModelError
from rsmodels.nets.unet import Pix2PixNetwork, UNetGenerator
from tests.rsmodels.nets.planted import ALL, RADAR, assert_all_learn, drawn, parameters

SMALL = Pix2PixNetwork(width=4)


@pytest.mark.parametrize(("side", "downs"), [(64, 6), (128, 7), (256, 8)])
def test_shapes_and_levels(side: int, downs: int) -> None:
    torch.manual_seed(0)
    network = UNetGenerator(ALL, 4, side, SMALL)
    assert network.downs == downs
    image = network(drawn(side))
    assert image.shape == (2, 4, side, side)
    assert image.dtype == torch.float32
    assert float(image.detach().abs().max()) <= 1


@pytest.mark.parametrize("bands", [4, 10, 12])
def test_parameters_are_those_of_pix2pix(bands: int) -> None:
    """C64-C128-C256-C512-C512-C512-C512-C512, CD512-CD512-CD512-C512-C256-C128-C64 of Isola et al., kernels 4x4."""
    into, k = 9 + 2 + 5, 16
    encoder = k * (into * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 4 * 512 * 512) + 64 + 512
    decoder = k * (512 * 512 + 3 * 1024 * 512 + 1024 * 256 + 512 * 128 + 256 * 64 + 128 * bands) + bands
    norms = 2 * (128 + 256 + 4 * 512) + 2 * (4 * 512 + 256 + 128 + 64)
    with torch.device("meta"):
        network = UNetGenerator(ALL, bands, 256, Pix2PixNetwork())
    assert parameters(network) == encoder + decoder + norms


def test_every_parameter_learns() -> None:
    torch.manual_seed(0)
    network = UNetGenerator(ALL, 4, 64, SMALL)
    assert_all_learn(network, network(drawn(64)))


def test_starts_as_pix2pix() -> None:
    torch.manual_seed(0)
    network = UNetGenerator(ALL, 4, 64, Pix2PixNetwork(width=16))
    middle = network.net.decoder[1].convolution.weight.detach()
    assert abs(float(middle.mean())) < 1e-3
    assert float(middle.std()) == pytest.approx(0.02, rel=0.02)
    scale = network.net.decoder[1].norm.weight.detach()
    assert float(scale.mean()) == pytest.approx(1, abs=0.01)
    assert float(scale.std()) == pytest.approx(0.02, rel=0.3)


def test_dropout_is_noise_in_training_and_off_in_evaluation() -> None:
    torch.manual_seed(0)
    network, values = UNetGenerator(ALL, 4, 64, SMALL), drawn(64)
    once, again = network(values), network(values)
    assert not torch.equal(once, again)
    network.eval()
    quiet = network(values)
    assert torch.equal(quiet, network(values))
    # running statistics against those of the batch
    network.train()
    for step in network.net.decoder:
        step.dropout = None
    assert not torch.allclose(quiet, network(values), atol=1e-3)


def test_the_three_innermost_decoder_blocks_drop() -> None:
    network = UNetGenerator(ALL, 4, 64, SMALL)
    assert [step.dropout is not None for step in network.net.decoder] == [True, True, True, False, False, False]


def test_nothing_known_gives_no_nan() -> None:
    torch.manual_seed(0)
    values = {name: torch.full_like(tensor, 255 if tensor.ndim == 3 else 0) for name, tensor in drawn(64).items()}
    network = UNetGenerator(ALL, 4, 64, SMALL)
    image = network(values)
    image.sum().backward()
    assert bool(image.isfinite().all())
    assert all(bool(parameter.grad.isfinite().all()) for parameter in network.parameters())


@pytest.mark.parametrize(("side", "downs"), [(100, 0), (63, 0), (64, 7), (96, 6)])
def test_odd_sizes_are_refused_when_it_is_made(side: int, downs: int) -> None:
    with pytest.raises(ModelError, match="odd-size"):
        UNetGenerator(ALL, 4, side, Pix2PixNetwork(width=4, downs=downs))


@pytest.mark.parametrize("side", [128, 62, 48])
def test_odd_sizes_are_refused_when_it_runs(side: int) -> None:
    network = UNetGenerator((RADAR,), 4, 64, SMALL)
    with pytest.raises(ModelError, match="odd-size"):
        network(drawn(side, conditions=(RADAR,)))
    network.refuses(64)
    with pytest.raises(ModelError, match="odd-size"):
        network.refuses(62)


def test_sides_that_are_no_power_of_two_and_fewer_levels() -> None:
    assert UNetGenerator((RADAR,), 4, 96, SMALL).downs == 5
    network = UNetGenerator((RADAR,), 4, 96, Pix2PixNetwork(width=4, downs=2))
    assert network(drawn(96, conditions=(RADAR,))).shape == (2, 4, 96, 96)


def test_one_level_is_no_unet() -> None:
    with pytest.raises(pydantic.ValidationError, match="at least 2"):
        Pix2PixNetwork(downs=1)
