import torch
from torch import Tensor

from rsmodels.nets.labels import Labels
from rsmodels.nets.spade import Spade, SpadeGenerator, SpadeNetwork
from tests.rsmodels.nets.contract import PaintsLabels, regions
from tests.rsmodels.nets.planted import parameters


class TestSpade(PaintsLabels):
    generator, network, narrow = SpadeGenerator, SpadeNetwork, {"width": 2, "hidden": 4}

    def test_another_map_is_another_image(self) -> None:
        network = self.made().eval()
        with torch.no_grad():
            assert float((network(regions()) - network(regions(seed=1))).abs().mean()) > 1e-3


def convolved(features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A 3x3 convolution of (C, y, x) as loops; 0 beyond the edge."""
    _, height, width = features.shape
    out = bias[:, None, None].repeat(1, height, width)
    for y in range(height):
        for x in range(width):
            for v in range(max(0, y - 1), min(height, y + 2)):
                for u in range(max(0, x - 1), min(width, x + 2)):
                    out[:, y, x] += weight[:, :, v - y + 1, u - x + 1] @ features[:, v, u]
    return out


@torch.no_grad()
def test_a_site_against_loops() -> None:
    torch.manual_seed(0)
    site = Spade(3, 5, 4)
    full = torch.randint(0, 5, (2, 8, 8))
    x = torch.randn(2, 3, 4, 4) * 5 + 2
    labels = Labels(torch.where(full == 4, 255, full), 4)
    normed = (x - x.mean((0, 2, 3), keepdim=True)) / (x.var((0, 2, 3), keepdim=True, unbiased=False) + 1e-5).sqrt()
    result = site(x, labels)
    for chip in range(2):
        index = full[chip, ::2, ::2]
        planes = torch.zeros(5, 4, 4)
        for y in range(4):
            for across in range(4):
                planes[index[y, across], y, across] = 1
        assert site.embed.bias is not None
        assert site.to_gamma_beta.bias is not None
        embedded = convolved(planes, site.embed.weight, site.embed.bias).clamp(min=0)
        found = convolved(embedded, site.to_gamma_beta.weight, site.to_gamma_beta.bias)
        torch.testing.assert_close(result[chip], normed[chip] * (1 + found[:3]) + found[3:], rtol=1e-4, atol=1e-4)


def test_gamma_and_beta_are_small_at_the_start_whatever_the_hidden_channels() -> None:
    torch.manual_seed(0)
    labels = Labels(regions()["landcover"], 9)
    for hidden in (8, 128):
        site = Spade(32, 10, hidden)
        site.start()
        embedded = site.embed(labels.planes(32)).relu()
        assert 0.02 < float(site.to_gamma_beta(embedded).detach().std()) < 0.4


def test_parameters_against_a_hand_count() -> None:
    """One site of 64 channels from 10 planes: 10·9·128 + 128, and 128·9·128 + 128."""
    with torch.device("meta"):
        assert parameters(Spade(64, 10, 128)) == 10 * 9 * 128 + 128 + 128 * 9 * 128 + 128
