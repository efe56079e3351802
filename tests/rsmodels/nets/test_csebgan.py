from typing import cast

import pytest
import torch
from torch import Tensor, nn

from rsmodels.nets.csebgan import (
    VECTORS,
    CsebganGenerator,
    CsebganNetwork,
    SemanticEmbeddings,
    SemanticModulation,
)
from rsmodels.nets.labels import Labels
from rsmodels.nets.noise import NoiseForm
from tests.rsmodels.nets.contract import SIDE, UNKNOWN, PaintsLabels, halves, regions
from tests.rsmodels.nets.planted import LAND

ROWS = LAND.channels + 1


def sets(network: nn.Module) -> list[SemanticEmbeddings]:
    return [module for module in network.modules() if isinstance(module, SemanticEmbeddings)]


class TestCsebgan(PaintsLabels):
    generator, network, narrow = CsebganGenerator, CsebganNetwork, {"width": 2, "dim": 5}
    noise, by_class = (ROWS, 5), True

    def test_all_weights_learn(self) -> None:
        """But for the shift of all classes alike on a shortcut, which the norms of the next block take out again."""
        network = self.made()
        image = network(regions(), *self.given(network, 4))
        (image * torch.randn(image.shape, generator=torch.Generator().manual_seed(3))).sum().backward()
        still = {name for name, weight in network.named_parameters() if not float(weight.grad.abs().max()) > 1e-5}  # type: ignore[union-attr]
        assert still <= {f"decoder.blocks.{block}.site_0.to_beta.2.bias" for block in (3, 4, 5)}

    @pytest.mark.parametrize("share", [True, False])
    @pytest.mark.parametrize("start", ["mask", "const", "noise"])
    def test_a_class_is_redrawn_by_itself(self, share: bool, start: str) -> None:
        network = self.made(share=share, start=start).eval()
        form, (noise,), (other,) = network.noise, self.given(network, 1), self.given(network, 1, 5)
        assert isinstance(form, NoiseForm)
        with torch.no_grad():
            before, after, absent = (
                network(halves(2, 7), form.redrawn(noise, other, classes)) for classes in ([], [7], [0, 1, ROWS - 1])
            )
        change = (before - after).abs().mean((0, 1, 2))
        # features of 32 pixels meet at the border, and so do some of the convolutions before
        assert float(change[SIDE // 2 :].mean()) > 2 * float(change[: SIDE // 2].mean())
        assert torch.equal(before, absent)

    @pytest.mark.parametrize("share", [True, False])
    def test_classes_that_a_map_lacks_get_no_gradient(self, share: bool) -> None:
        network = self.made(share=share)
        network(halves(2, UNKNOWN))[0].square().sum().backward()
        for embeddings in sets(network):
            for vectors in (embeddings.shift, embeddings.scale):
                assert vectors.grad is not None
                learned = vectors.grad.abs().sum((0, 2)).nonzero().flatten().tolist()
                assert learned == [2, ROWS - 1]

    def test_shared_embeddings_are_one_set_and_others_one_a_site(self) -> None:
        shared, own = self.made(), self.made(share=False)
        sites = [module for module in own.modules() if isinstance(module, SemanticModulation)]
        assert (len(sets(shared)), len(sets(own))) == (1, len(sites))
        assert len(sites) == 7 * 2 + 4  # two a block, and one for each shortcut that changes the width

    def test_all_sites_see_the_same_vectors(self) -> None:
        """One draw a class and pass: the consistency that sharing is for."""
        network = cast(CsebganGenerator, self.made())
        guide = Labels(halves(2, 7)["landcover"], LAND.channels, network.noise.seeded([3]))  # type: ignore[union-attr]
        network.prepare(guide)
        gamma, beta = guide.extra[VECTORS]
        embeddings = sets(network)[0]
        torch.testing.assert_close((gamma, beta), embeddings(network.noise.seeded([3])))  # type: ignore[union-attr]

    @pytest.mark.parametrize("bands", [1, 3, 12])
    def test_any_number_of_bands(self, bands: int) -> None:
        network = CsebganGenerator((LAND,), bands, 32, CsebganNetwork(**self.narrow))
        assert network(regions(32)).shape == (4, bands, 32, 32)

    def test_the_divergence_is_that_of_normals(self) -> None:
        network = cast(CsebganGenerator, self.made())
        with torch.no_grad():
            sets(network)[0].scale.normal_(generator=torch.Generator().manual_seed(1))
        shift, scale = sets(network)[0].shift, sets(network)[0].scale
        learned = torch.distributions.Normal(shift, torch.exp(0.5 * scale))
        expected = torch.distributions.kl_divergence(learned, torch.distributions.Normal(0.0, 1.0)).sum(-1).mean()
        torch.testing.assert_close(network.divergence(), expected)


def test_samples_have_the_mean_and_the_variance_that_were_learned() -> None:
    """Eq. 1: γ_k is normal about b with variance exp(s), and so is β_k; classes are apart."""
    torch.manual_seed(0)
    embeddings = SemanticEmbeddings(3, 4)
    with torch.no_grad():
        embeddings.scale.uniform_(-2.0, 1.0)
        noise = torch.randn(40_000, 3, 4)
        drawn = torch.stack(embeddings(noise))
    deviation = torch.exp(0.5 * embeddings.scale.detach())
    assert (
        float(((drawn.mean(1) - embeddings.shift.detach()) / deviation).abs().max()) < 5 / 200
    )  # five standard errors
    assert float((drawn.std(1) / deviation - 1).abs().max()) < 5 / 200 / 2**0.5
    gamma, other = drawn[0, :, 0, 0], drawn[0, :, 1, 0]
    assert abs(float(torch.corrcoef(torch.stack([gamma, other]))[0, 1])) < 5 / 200


def slowly(site: SemanticModulation, x: Tensor, labels: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
    """Eqs. 2-5, pixel by pixel."""
    mean, deviation = x.mean((0, 2, 3)), (x.var((0, 2, 3), correction=0) + site.norm.eps).sqrt()
    out = torch.empty_like(x)
    for chip in range(x.shape[0]):
        for row in range(x.shape[2]):
            for column in range(x.shape[3]):
                k = int(labels[chip, row, column])
                scale, shift = site.to_gamma(gamma[chip, k]), site.to_beta(beta[chip, k])
                out[chip, :, row, column] = (x[chip, :, row, column] - mean) / deviation * scale + shift
    return out


def test_a_site_is_the_papers_modulation() -> None:
    torch.manual_seed(0)
    site = SemanticModulation(3, CsebganNetwork(dim=4), None)
    labels = torch.randint(0, 3, (2, 8, 8))
    labels[0, 0, 0] = UNKNOWN
    guide = Labels(labels, 3)
    gamma, beta = torch.randn(2, 2, 4, 4)
    guide.extra[VECTORS] = gamma, beta
    x = torch.randn(2, 3, 4, 4)
    found = site(x, guide)
    torch.testing.assert_close(found, slowly(site, x, guide.index(4), gamma, beta))
    assert guide.index(4)[0, 0, 0] == 3
    plus = SemanticModulation(3, CsebganNetwork(dim=4, one_plus_gamma=True), None)
    plus.load_state_dict(site.state_dict())
    torch.testing.assert_close(plus(x, guide) - found, nn.functional.batch_norm(x, None, None, training=True))


def test_a_site_begins_near_a_plain_batch_norm() -> None:
    torch.manual_seed(0)
    for one_plus_gamma in (False, True):
        site = SemanticModulation(64, CsebganNetwork(one_plus_gamma=one_plus_gamma), None)
        site.start()
        guide = Labels(torch.zeros(4, 8, 8, dtype=torch.int64), 3)
        guide.extra[VECTORS] = torch.randn(2, 4, 4, 64).unbind()
        gamma, beta = (table.detach() for table in site.tables(guide))
        assert float((gamma - 1).std()) == pytest.approx(0.1, rel=0.5)
        assert abs(float(beta.mean())) < 0.05
