from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from rsmodels.errors import ModelError
from rsmodels.metrics.perceptual import LPIPS, PerceptualDistance, by_segmenter, by_vgg, lpips_vgg16, rgb_of
from rsmodels.nets.rs_unet import RsUNet, RsUNetNetwork
from rsmodels.nets.vgg import MEAN, STD
from tests.rsmodels.nets.weights import vgg_file, vgg_weights


def images(count: int, bands: int = 3, side: int = 32) -> Tensor:
    return torch.rand(count, bands, side, side, generator=torch.Generator().manual_seed(2)) * 2 - 1


def unet() -> RsUNet:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = RsUNet(4, 5, RsUNetNetwork(width=2))
        for module in net.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
    return net.eval()


@pytest.fixture(params=["segmenter", "vgg", "lpips"])
def measure(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[PerceptualDistance, int]:
    """A distance and the bands of its images."""
    if request.param == "segmenter":
        return by_segmenter(unet(), "0123456789abcdef"), 4
    return by_vgg(vgg_file(tmp_path / "w.safetensors", linear=request.param == "lpips")), 3


def test_equal_images_are_not_apart_and_order_does_not_matter(measure: tuple[PerceptualDistance, int]) -> None:
    by, bands = measure
    a, b = images(4, bands).chunk(2)
    assert by.distance(a, a).tolist() == [0.0, 0.0]
    assert not by.maps(a, a).any()
    assert (by.distance(a, b) > 0).all()
    torch.testing.assert_close(by.distance(a, b), by.distance(b, a))
    assert by.maps(a, b).shape == (2, 32, 32)
    # Levels of half the size each: interpolation keeps their means.
    torch.testing.assert_close(by.maps(a, b).mean(dim=(1, 2)), by.distance(a, b))


def test_pairs_among_images_are_those_apart(measure: tuple[PerceptualDistance, int]) -> None:
    by, bands = measure
    some, pairs = images(3, bands), [(0, 1), (2, 0)]
    first, second = some[[0, 2]], some[[1, 0]]
    torch.testing.assert_close(by.among(some, pairs), by.distance(first, second), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(by.maps_among(some, pairs), by.maps(first, second), rtol=1e-4, atol=1e-6)


def test_names_say_who_looked(tmp_path: Path) -> None:
    assert by_segmenter(unet(), "0123456789abcdef").name == "segmenter 0123456789ab"
    assert by_vgg(vgg_file(tmp_path / "a.safetensors", "vgg19")).name == "vgg19"
    assert by_vgg(vgg_file(tmp_path / "b.safetensors", linear=True)).name == LPIPS == "lpips-vgg16"
    with pytest.raises(TypeError, match="pyramid"):
        by_segmenter(nn.Identity(), "0" * 12)


def passing_on() -> dict[str, Tensor]:
    """Weights of VGG16 of three channels that hand every pixel on as it is."""
    weights = {}
    for key in vgg_weights():
        weights[key] = torch.zeros(3)
        if key.endswith("weight"):
            weights[key] = torch.zeros(3, 3, 3, 3)
            weights[key][range(3), range(3), 1, 1] = 1.0
    return weights


def plain(*normalised: float) -> Tensor:
    """An image of one colour which the network sees as these numbers."""
    colour = torch.tensor(normalised) * torch.tensor(STD) + torch.tensor(MEAN)
    return (colour * 2 - 1)[None, :, None, None].expand(1, 3, 32, 32)


def test_lpips_by_hand(tmp_path: Path) -> None:
    linear = {f"lin{i}.model.1.weight": torch.tensor([0.1, 0.2, 0.4])[None, :, None, None] * 10**i for i in range(5)}
    save_file(passing_on() | linear, tmp_path / "w.safetensors")
    by = lpips_vgg16(tmp_path / "w.safetensors")
    scales = 1 + 10 + 100 + 1000 + 10_000
    # Unit vectors e1 and e2 at every level: 0.1 + 0.2.
    found = by.distance(plain(0.5, 0, 0), plain(0, 2, 0))
    assert found.item() == pytest.approx(0.3 * scales, rel=1e-4)
    # (3, 4) has length 5: (1 - 0.6)² · 0.1 + 0.8² · 0.2.
    found = by.distance(plain(1, 0, 0), plain(0.3, 0.4, 0))
    assert found.item() == pytest.approx((0.16 * 0.1 + 0.64 * 0.2) * scales, rel=1e-4)
    torch.testing.assert_close(by.maps(plain(1, 0, 0), plain(0.3, 0.4, 0)).mean((1, 2)), found)
    # Half of the image differs, and nothing is carried over: half of the distance, in that half.
    half = plain(1, 0, 0).clone()
    half[..., 16:] = plain(0, 1, 0)[..., 16:]
    assert by.distance(plain(1, 0, 0), half).item() == pytest.approx(0.15 * scales, rel=1e-4)
    assert not by.maps(plain(1, 0, 0), half)[..., :8].any()


def test_lpips_without_its_weights_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no-lpips-weights[\s\S]*lin0.model.1.weight"):
        lpips_vgg16(None)
    with pytest.raises(ModelError, match="no-lpips-weights"):
        lpips_vgg16(vgg_file(tmp_path / "a.safetensors"))
    with pytest.raises(ModelError, match="no-lpips-weights"):
        lpips_vgg16(vgg_file(tmp_path / "b.safetensors", "vgg19", linear=True))


def test_three_bands_as_red_green_blue() -> None:
    some = images(1, 4)
    assert torch.equal(rgb_of(some, ("B02", "B03", "B04", "B08")), some[:, [2, 1, 0]])
    assert torch.equal(rgb_of(some, ("B08", "B11", "B12", "B02")), some[:, :3])
    assert torch.equal(rgb_of(some, None), some[:, :3])
    assert torch.equal(rgb_of(some[:, :2], None), some[:, [0, 0, 0]])
