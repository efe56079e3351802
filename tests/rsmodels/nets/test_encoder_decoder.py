from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from rsmodels.errors import ModelError
from rsmodels.nets.encoder_decoder import EncoderDecoder, EncoderDecoderNetwork
from tests.rsmodels.nets.planted import assert_all_learn, parameters

SMALL = EncoderDecoderNetwork(width=4, blocks=(1, 1, 1, 1, 1, 1), convs=1)


def made(settings: EncoderDecoderNetwork = SMALL) -> EncoderDecoder:
    torch.manual_seed(0)
    return EncoderDecoder(5, 4, settings)


def test_the_first_four_stages_are_resnet_34() -> None:
    """Weights of its layers as published; the stem takes 64 channels to 64."""
    with torch.device("meta"):
        network = EncoderDecoder(4, 3, EncoderDecoderNetwork())
    assert [parameters(stage) for stage in network.stages[:4]] == [221_952, 1_116_416, 6_822_400, 13_114_368]


def test_six_stages_at_their_resolutions_each_with_a_skip() -> None:
    network, seen = made(), []
    for stage in network.stages:
        stage.register_forward_hook(lambda _, __, output: seen.append(tuple(output.shape[1:])))
    told: list[int] = []
    for up in network.ups:
        up.register_forward_pre_hook(lambda _, given: told.append(int(given[0].shape[1])))
    assert network(torch.randn(1, 5, 96, 64)).shape == (1, 4, 96, 64)
    assert seen == [(4, 96, 64), (8, 48, 32), (16, 24, 16), (32, 12, 8), (32, 6, 4), (32, 3, 2)]
    assert told == [64, 64, 64, 32, 16, 8]  # what comes up beside the skip


def test_every_parameter_learns() -> None:
    network = made()
    assert_all_learn(network, network(torch.randn(2, 5, 64, 64)))


def test_begins_with_published_layers(tmp_path: Path) -> None:
    settings = EncoderDecoderNetwork(width=4, blocks=(3, 4, 6, 1, 1, 1), convs=1)
    one, other = made(settings), EncoderDecoder(5, 4, settings)
    layers = {f"layer{n + 1}.{name}": value for n in range(4) for name, value in one.stages[n].state_dict().items()}
    save_file({**layers, "fc.weight": torch.zeros(2)}, tmp_path / "resnet.safetensors")
    other.begin_from(tmp_path / "resnet.safetensors")
    for number in range(4):
        same = torch.equal(one.stages[number][0].conv1.weight, other.stages[number][0].conv1.weight)
        assert same == (number < 3)  # the fourth begins at random, as in the paper
    with pytest.raises(ModelError, match="unlike-resnet"):
        made().begin_from(tmp_path / "resnet.safetensors")
