import pytest
import torch

from rsmodels.errors import ModelError
from rsmodels.nets.vspade import FromNoise, ImageEncoder, VspadeGenerator, VspadeNetwork
from tests.rsmodels.nets.contract import PaintsLabels
from tests.rsmodels.nets.planted import assert_all_learn


class TestVspade(PaintsLabels):
    generator, network, narrow = VspadeGenerator, VspadeNetwork, {"width": 2, "hidden": 4, "z": 6}
    noise = (6,)

    def test_it_begins_with_noise_and_nothing_else(self) -> None:
        assert isinstance(self.made().begin, FromNoise)
        with pytest.raises(ValueError, match="noise"):
            self.made(start="mask")


@pytest.mark.parametrize(("side", "convolutions"), [(8, 1), (32, 3), (96, 4), (128, 5), (256, 6)])
def test_the_encoder_takes_chips_of_any_size(side: int, convolutions: int) -> None:
    torch.manual_seed(0)
    encoder = ImageEncoder(4, side, VspadeNetwork(encoder=4, z=6))
    mean, logvar = encoder(torch.randn(2, 4, side, side))
    assert mean.shape == logvar.shape == (2, 6)
    assert sum(isinstance(layer, torch.nn.Conv2d) for layer in encoder.features) == convolutions
    assert_all_learn(encoder, mean + 2 * logvar)
    with torch.autocast("cpu", torch.bfloat16):
        assert encoder(torch.randn(2, 4, side, side))[1].dtype == torch.float32


def test_an_encoder_of_next_to_nothing_is_refused() -> None:
    with pytest.raises(ModelError, match="odd-size"):
        ImageEncoder(4, 6, VspadeNetwork())
