import torch

from rsmodels.nets.clade import Clade, CladeGenerator, CladeNetwork
from rsmodels.nets.labels import Labels
from tests.rsmodels.nets.contract import PaintsLabels, halves


class TestClade(PaintsLabels):
    generator, network, narrow = CladeGenerator, CladeNetwork, {"width": 2}

    def test_rows_of_absent_classes_get_no_gradient(self) -> None:
        network = self.made(start="const")
        network(halves(2, 255))[0, 0].sum().backward()
        for site in (module for module in network.modules() if isinstance(module, Clade)):
            assert site.gamma_beta.grad is not None
            touched = site.gamma_beta.grad.abs().sum(1).nonzero().flatten().tolist()
            assert set(touched) <= {2, 9}


def test_a_site_scales_and_shifts_by_the_class() -> None:
    torch.manual_seed(0)
    site = Clade(3, 5)
    site.start()
    index = torch.randint(0, 5, (2, 6, 6))
    x = torch.randn(2, 3, 6, 6) * 5 + 2
    result = site(x, Labels(torch.where(index == 4, 255, index), 4))
    normed = (x - x.mean((0, 2, 3), keepdim=True)) / (x.var((0, 2, 3), keepdim=True, unbiased=False) + 1e-5).sqrt()
    for chip, y, across in ((0, 0, 0), (1, 3, 5), (0, 5, 2)):
        gamma, beta = site.gamma_beta[index[chip, y, across]].chunk(2)
        expected = normed[chip, :, y, across] * (1 + gamma) + beta
        torch.testing.assert_close(result[chip, :, y, across], expected, rtol=1e-4, atol=1e-5)
