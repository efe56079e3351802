import pytest
import torch

from rsmodels.errors import ModelError
from rsmodels.nets.conditions import Condition
from rsmodels.nets.dcgan import DcganDiscriminator, DcganNetwork
from tests.rsmodels.nets.planted import assert_all_learn

BESIDE = (Condition(name="occluded", channels=3),)


def made(chip_px: int = 64) -> DcganDiscriminator:
    torch.manual_seed(0)
    return DcganDiscriminator(BESIDE, 3, chip_px, DcganNetwork(width=4))


def test_one_verdict_an_image_after_five_convolutions() -> None:
    network = made()
    assert sum(isinstance(layer, torch.nn.Conv2d) for layer in network.modules()) == 5
    told = {"occluded": torch.randn(2, 3, 64, 64)}
    features = network(told, torch.randn(4, 3, 64, 64))  # real and filled ones of two chips
    assert [tuple(one.shape[1:]) for one in features[:-1]] == [
        (4, 32, 32),
        (8, 16, 16),
        (16, 8, 8),
        (32, 4, 4),
        (32, 2, 2),
    ]
    assert features[-1].shape == (4, 1)
    assert_all_learn(network, features[-1])


def test_chips_that_cannot_be_halved_five_times_are_refused() -> None:
    with pytest.raises(ModelError, match="odd-size"):
        made(48)
