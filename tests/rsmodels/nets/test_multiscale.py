import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from rsmodels.errors import ModelError
from rsmodels.nets.conditions import concatenated
from rsmodels.nets.multiscale import MultiscaleDiscriminator, MultiscaleNetwork
from rsmodels.nets.patch import PatchDiscriminator
from tests.rsmodels.nets.planted import ALL, assert_all_learn, drawn


def made(**settings: object) -> MultiscaleDiscriminator:
    torch.manual_seed(0)
    return MultiscaleDiscriminator(ALL, 4, MultiscaleNetwork(width=4, **settings))  # type: ignore[arg-type]


def image(side: int, batch: int = 2) -> torch.Tensor:
    return torch.rand((batch, 4, side, side), generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_each_scale_sees_half_the_pixels_of_the_one_before() -> None:
    network, values = made().eval(), drawn(128)
    found = network(values, image(128))
    assert [[feature.shape[1] for feature in scale] for scale in found] == [[4, 8, 16, 32, 1]] * 2
    assert [scale[-1].shape[-1] for scale in found] == [14, 6]
    both = torch.cat([concatenated(ALL, values, 128), image(128)], dim=1)
    coarse = F.avg_pool2d(both, 3, stride=2, padding=1, count_include_pad=False)
    second = network.scales[1]
    assert isinstance(second, PatchDiscriminator)
    torch.testing.assert_close(found[1], second.features(coarse))


def test_an_image_is_judged_alone() -> None:
    """Real and generated images may be given together or apart: no norm looks at the batch."""
    network, values, real, fake = made().eval(), drawn(64), image(64), -image(64)
    together = network(values, torch.cat([real, fake]))
    apart = network(values, real), network(values, fake)
    for scale, one, other in zip(together, *apart, strict=True):
        torch.testing.assert_close(scale[-1], torch.cat([one[-1], other[-1]]))


def test_every_parameter_learns() -> None:
    network = made(scales=3)
    total = torch.cat([scale[-1].flatten() for scale in network(drawn(128), image(128))])
    assert_all_learn(network, total)


def test_images_that_are_too_small_for_the_coarsest_are_refused() -> None:
    with pytest.raises(ModelError, match="odd-size"):
        made()(drawn(32), image(32))
    made(downs=2, scales=1)(drawn(32), image(32))
