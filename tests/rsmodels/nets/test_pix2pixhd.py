import torch

from rsmodels.nets.pix2pixhd import Pix2PixHDGenerator, Pix2PixHDNetwork
from tests.rsmodels.nets.contract import PaintsLabels
from tests.rsmodels.nets.planted import LAND, parameters


class TestPix2PixHD(PaintsLabels):
    generator, network, narrow = Pix2PixHDGenerator, Pix2PixHDNetwork, {"width": 2, "blocks": 2}


def test_parameters_against_a_hand_count() -> None:
    """c7s1-64, d128, d256, d512, d1024, R1024 x 9, u512, u256, u128, u64, c7s1-4 (appendix of Wang et al.)."""
    steps = [(64, 128), (128, 256), (256, 512), (512, 1024)]
    between = 2 * 9 * sum(before * after for before, after in steps)
    expected = 10 * 49 * 64 + between + 9 * 2 * 9 * 1024**2 + 64 * 49 * 4 + 4
    with torch.device("meta"):
        assert parameters(Pix2PixHDGenerator((LAND,), 4, 256, Pix2PixHDNetwork())) == expected
