import pytest
import torch

from rsmodels.nets.inade import Inade, InadeGenerator, InadeNetwork, row_of_pixel
from rsmodels.nets.labels import Labels
from tests.rsmodels.nets.contract import SIDE, PaintsLabels, halves
from tests.rsmodels.nets.planted import LAND


class TestInade(PaintsLabels):
    generator, network, narrow = InadeGenerator, InadeNetwork, {"width": 2, "noise": 5, "slots": 3}
    noise, by_class = (10, 3, 5), True

    @pytest.mark.parametrize("instances", ["region", "class"])
    def test_a_class_is_redrawn_by_itself(self, instances: str) -> None:
        network = self.made(instances=instances).eval()
        form, (noise,), (other,) = network.noise, self.given(network, 1), self.given(network, 1, 5)
        with torch.no_grad():
            before, after, absent = (
                network(halves(2, 7), form.redrawn(noise, other, classes))  # type: ignore[operator, union-attr]
                for classes in ([], [7], [0, 1, 9])
            )
        change = (before - after).abs().mean((0, 1, 2))
        # features of 32 pixels meet at the border, and so do some of the convolutions before
        assert float(change[SIDE // 2 :].mean()) > 2 * float(change[: SIDE // 2].mean())
        assert torch.equal(before, absent)

    def test_rows_of_absent_classes_get_no_gradient(self) -> None:
        network = self.made(start="const")
        network(halves(2, 255))[0, 0].sum().backward()
        for site in (module for module in network.modules() if isinstance(module, Inade)):
            for table in (site.mean, site.scale):
                assert table.grad is not None
                assert set(table.grad.abs().sum((1, 2)).nonzero().flatten().tolist()) <= {2, 9}


def test_gamma_is_the_mean_of_the_class_and_its_scale_times_the_noise_of_the_instance() -> None:
    torch.manual_seed(0)
    site = Inade(3, 10, 5)
    site.start()
    noise = torch.randn(2, 10, 4, 5)
    mean, scale, weight = (tensor.detach() for tensor in (site.mean, site.scale, site.to_channels.weight))
    expected = mean[7, 0] + scale[7, 0] * (weight @ noise[1, 7, 2])
    torch.testing.assert_close(site.table(noise)[1, 7, 2].detach(), expected)


def test_regions_beyond_the_slots_take_them_again() -> None:
    network = InadeGenerator((LAND,), 4, 32, InadeNetwork(width=2, slots=2))
    labels = torch.zeros(1, 32, 32, dtype=torch.int64)
    labels[:, :8, 8:] = 4
    labels[:, :16, 16:24] = 0
    guide = Labels(labels, 9, network.noise.seeded([0]))  # type: ignore[union-attr]
    network.prepare(guide)
    rows = row_of_pixel(guide, 32)
    assert rows.unique().tolist() == [0, 8, 9]
    assert torch.equal(row_of_pixel(guide, 8), rows[:, ::4, ::4])


def test_a_pass_without_noise_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="noise"):
        Inade(3, 10, 5)(torch.randn(1, 3, 8, 8), Labels(torch.zeros(1, 8, 8, dtype=torch.int64), 9))
