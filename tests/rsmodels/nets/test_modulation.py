import pytest
import torch
from torch import Tensor

from rsmodels.nets.modulation import Hints, Modulation, Pyramid, Stems
from tests.rsmodels.nets.planted import RADAR, TERRAIN


@pytest.mark.parametrize("fuse", ["concat", "sum"])
def test_levels_are_area_means_of_what_the_stems_say(fuse: str) -> None:
    fine, coarse = torch.randn(1, 3, 16, 16), torch.randn(1, 3, 4, 4)
    pyramid = Pyramid([fine, coarse], fuse, 8)  # type: ignore[arg-type]

    def mean(x: Tensor, side: int) -> Tensor:
        step = x.shape[-1] // side
        return x.reshape(1, 3, side, step, side, step).mean((3, 5))

    for side in (2, 8, 4, 1):
        level = pyramid.at(side)
        of_fine = mean(fine, side)
        if fuse == "concat":
            torch.testing.assert_close(level[:, :3], of_fine)
            of_coarse = level[:, 3:]
        else:
            of_coarse = level - of_fine
        if side <= 4:
            torch.testing.assert_close(of_coarse, mean(coarse, side))
        else:
            torch.testing.assert_close(of_coarse[:, :, 1:3, 1:3].mean((2, 3)), coarse[:, :, :2, :2].mean((2, 3)))
        assert pyramid.at(side) is level


def test_a_site_is_batch_norm_scaled_and_shifted() -> None:
    torch.manual_seed(0)
    stems = Stems((RADAR, TERRAIN), 4, "concat")
    site = Modulation(6, stems.channels, None)
    sources = [torch.randn(3, 2, 8, 8), torch.randn(3, 5, 4, 4)]
    hints = Hints(sources=sources, shared=stems(sources, 8))
    x = torch.randn(3, 6, 8, 8) * 5 + 2
    gamma, beta = site.gamma_beta(hints, 8)
    normed = (x - x.mean((0, 2, 3), keepdim=True)) / (x.var((0, 2, 3), keepdim=True, unbiased=False) + 1e-5).sqrt()
    torch.testing.assert_close(site(x, hints), normed * (1 + gamma) + beta, rtol=1e-4, atol=1e-4)


def test_stems_of_ones_own_are_apart() -> None:
    own = Modulation(6, 8, Stems((RADAR, TERRAIN), 4, "concat"))
    sources = [torch.randn(1, 2, 8, 8), torch.randn(1, 5, 8, 8)]
    assert own.gamma_beta(Hints(sources=sources, shared=None), 4)[0].shape == (1, 6, 4, 4)
    with pytest.raises(ValueError, match="no shared ones"):
        Modulation(6, 8, None)(torch.randn(1, 6, 4, 4), Hints(sources=sources, shared=None))
