from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from rsmodels.errors import ModelError
from rsmodels.nets.vgg import MEAN, STD, Taps, Vgg, load_vgg
from tests.rsmodels.nets.weights import torchvision_features, vgg_file, vgg_weights

WIDTHS = (2, 3, 4, 5, 6)
AFTER: dict[tuple[str, Taps], tuple[int, ...]] = {
    # positions of the ReLUs in torchvision's list
    ("vgg16", "first"): (1, 6, 11, 18, 25),
    ("vgg19", "first"): (1, 6, 11, 20, 29),
    ("vgg16", "lpips"): (3, 8, 15, 22, 29),
}


def images(side: int = 32) -> Tensor:
    return torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize(("name", "taps"), AFTER)
def test_maps_are_those_of_torchvisions_layers(tmp_path: Path, name: str, taps: Taps) -> None:
    vgg = load_vgg(vgg_file(tmp_path / "w.safetensors", name), taps)
    assert (vgg.name, vgg.widths) == (name, WIDTHS)
    layers = torchvision_features(name, WIDTHS)
    layers.load_state_dict({key.removeprefix("features."): one for key, one in vgg_weights(name).items()})
    mean, std = (torch.tensor(one)[:, None, None] for one in (MEAN, STD))
    x = ((images() + 1) / 2 - mean) / std
    wanted = []
    for place, layer in enumerate(layers):
        x = layer(x)
        if place in AFTER[name, taps]:
            wanted.append(x)
    found = vgg(images())
    assert [tuple(one.shape) for one in found] == [(2, width, 32 >> n, 32 >> n) for n, width in enumerate(WIDTHS)]
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other)


def test_it_is_frozen_and_lets_gradients_through() -> None:
    vgg = Vgg(vgg_weights())
    given = images().requires_grad_()
    sum(one.mean() for one in vgg(given)).backward()
    assert given.grad is not None
    assert float(given.grad.abs().sum()) > 0
    assert all(not one.requires_grad and one.grad is None for one in vgg.parameters())


def test_nothing_is_drawn(tmp_path: Path) -> None:
    path = vgg_file(tmp_path / "w.safetensors")
    before = torch.random.get_rng_state()
    vgg = load_vgg(path)
    assert torch.equal(before, torch.random.get_rng_state())
    for one, other in zip(vgg(images()), load_vgg(path)(images()), strict=True):
        assert torch.equal(one, other)


def test_pickles_are_refused_whatever_their_name(tmp_path: Path) -> None:
    torch.save(vgg_weights(), tmp_path / "vgg.pth")
    (tmp_path / "renamed.safetensors").write_bytes((tmp_path / "vgg.pth").read_bytes())
    for name in ("vgg.pth", "renamed.safetensors"):
        with pytest.raises(ModelError, match=r"pickled-weights[\s\S]*save_file"):
            load_vgg(tmp_path / name)


def test_other_files_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no-weights[\s\S]*timm/vgg19"):
        load_vgg(tmp_path / "nowhere.safetensors")
    (tmp_path / "torn.safetensors").write_bytes(vgg_file(tmp_path / "w.safetensors").read_bytes()[:500])
    with pytest.raises(ModelError, match="torn-weights"):
        load_vgg(tmp_path / "torn.safetensors")
    lacking = vgg_weights()
    del lacking["features.12.bias"]
    save_file(lacking, tmp_path / "lacking.safetensors")
    with pytest.raises(ModelError, match="not-vgg"):
        load_vgg(tmp_path / "lacking.safetensors")
    with_norm = vgg_weights() | {"features.1.running_mean": torch.zeros(2)}
    with pytest.raises(ModelError, match="not-vgg"):
        Vgg(with_norm)
    for key, shape in (
        ("features.5.weight", (3, 4, 3, 3)),
        ("features.7.bias", (2,)),
        ("features.0.weight", (2, 4, 3, 3)),
    ):
        with pytest.raises(ModelError, match="vgg-shapes"):
            Vgg(vgg_weights() | {key: torch.zeros(shape)})


def test_images_must_be_three_bands_of_some_size() -> None:
    vgg = Vgg(vgg_weights())
    for shape in ((1, 4, 32, 32), (1, 3, 32, 15), (3, 32, 32)):
        with pytest.raises(ModelError, match="unlike-rgb"):
            vgg(torch.zeros(shape))
    assert vgg(torch.zeros(1, 3, 16, 17))[-1].shape == (1, 6, 1, 1)
