"""VGG16 with batch norm: its size, what it may see, and where its weights come from."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from rsmodels.errors import ModelError
from rsmodels.nets.scene_vgg import SceneVgg, SceneVggNetwork
from rsmodels.nets.vgg import MEAN, STD
from tests.rsmodels.nets.planted import assert_all_learn, parameters


def made(channels: int = 3, classes: int = 7, **settings: Any) -> SceneVgg:
    torch.manual_seed(0)
    return SceneVgg(channels, classes, SceneVggNetwork(**{"width": 2, "hidden": 8, **settings}))


@pytest.mark.parametrize(("size", "shrink"), [((32, 32), 1), ((50, 70), 1), ((128, 64), 2)])
@pytest.mark.parametrize("head", ["pooled", "full"])
def test_shapes(size: tuple[int, int], shrink: int, head: str) -> None:
    network = made(channels=4, head=head, shrink=shrink).eval()
    image = torch.randn(2, 4, *size)
    assert network(image).shape == (2, 7)
    sides = [tuple(side // shrink // 2**level for side in size) for level in range(5)]
    assert [(one.shape[1], *one.shape[2:]) for one in network.pyramid(image)] == [
        (width, *side) for width, side in zip((2, 4, 8, 16, 16), sides, strict=True)
    ]


def test_parameters_are_those_of_the_paper() -> None:
    """138 million: 13 convolutions without biases but with a norm each, and three layers of 4096, 4096 and 1000."""
    widths = [3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
    convolutions = sum(9 * a * b + 2 * b for a, b in pairwise(widths))
    head = 4096 * (512 * 49 + 1) + 4096 * 4097 + 1000 * 4097
    with torch.device("meta"):
        network = SceneVgg(3, 1000, SceneVggNetwork(head="full"))
        small = SceneVgg(3, 7, SceneVggNetwork())
    assert parameters(network) == convolutions + head
    assert parameters(small) == convolutions + 7 * 513


@pytest.mark.parametrize("head", ["pooled", "full"])
def test_all_of_it_learns(head: str) -> None:
    network = made(head=head, dropout=0.0)
    assert_all_learn(network, network(torch.randn(4, 3, 64, 64)))


def test_pictures_are_averaged_first() -> None:
    network, plain = made(shrink=2).eval(), made().eval()
    plain.load_state_dict(network.state_dict())
    image = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(network(image), plain(functional.avg_pool2d(image, 2)))


@pytest.mark.parametrize("shape", [(1, 4, 64, 64), (1, 3, 31, 64), (3, 64, 64)])
def test_other_pictures_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match="model/unlike-picture"):
        made()(torch.zeros(shape))


class Torchvision(nn.Module):
    """Laid out as torchvision's vgg16_bn is, narrower."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for count, multiple in ((2, 1), (2, 2), (3, 4), (3, 8), (3, 8)):
            for _ in range(count):
                layers += [
                    nn.Conv2d(before, width * multiple, 3, padding=1),
                    nn.BatchNorm2d(width * multiple),
                    nn.ReLU(),
                ]
                before = width * multiple
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(7)
        one, two = (nn.Sequential(nn.Linear(n, hidden), nn.ReLU(), nn.Dropout()) for n in (before * 49, hidden))
        self.classifier = nn.Sequential(*one, *two, nn.Linear(hidden, 1000))

    def forward(self, x: Tensor) -> Tensor:
        """The last hidden layer."""
        hidden: Tensor = self.classifier[:6](self.avgpool(self.features(x)).flatten(1))
        return hidden


@pytest.fixture
def published(tmp_path: Path) -> tuple[Torchvision, str]:
    """Such a network with statistics of its own, and the file of its weights."""
    torch.manual_seed(1)
    theirs = Torchvision(2, 8)
    theirs.train()(torch.randn(8, 3, 64, 64))
    path = tmp_path / "vgg.safetensors"
    save_file(theirs.state_dict(), path)
    return theirs.eval(), str(path)


def test_it_begins_with_the_weights_of_a_file(published: tuple[Torchvision, str]) -> None:
    """Hidden values are those of torchvision's network on the picture as ImageNet's scale has it."""
    theirs, path = published
    unit = torch.rand(2, 3, 64, 96)
    wanted = theirs((unit - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None])
    for head in ("full", "pooled"):
        mine = made(head=head, weights=path).eval()
        before = mine.head[-2].weight.clone()
        assert not torch.equal(mine.blocks[0][0].weight, theirs.features[0].weight)  # nothing is read until then
        mine.begin()
        assert torch.equal(mine.head[-2].weight, before)
        if head == "full":
            found = mine.head[:-2](functional.max_pool2d(mine.pyramid(unit * 2 - 1)[-1], 2)).flatten(1)
            torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
        else:
            torch.testing.assert_close(mine.blocks[4][6].weight, theirs.features[40].weight)
    made().begin()  # without a file there is nothing to take


def test_other_files_are_refused(published: tuple[Torchvision, str], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="model/unlike-vgg"):
        made(width=3, weights=published[1]).begin()
    save_file({"features.0.weight": torch.zeros(2, 3, 3, 3)}, tmp_path / "part.safetensors")
    with pytest.raises(ModelError, match="model/unlike-vgg"):
        made(weights=str(tmp_path / "part.safetensors")).begin()
    with pytest.raises(ModelError, match="model/not-three-bands"):
        made(channels=4, weights=published[1])
    torch.save({}, tmp_path / "vgg.pth")
    with pytest.raises(ModelError, match="model/pickled-weights"):
        made(weights=str(tmp_path / "vgg.pth")).begin()
