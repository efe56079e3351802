"""The two branches: parts, what each sees, and what they share."""

from __future__ import annotations

import pytest
import torch

from rsmodels.errors import ModelError
from rsmodels.nets.views import Layout, ViewMatcher, ViewsNetwork, part_weights
from rsmodels.training.schedule import seed_step

SMALL = ViewsNetwork(width=4, parts=2, embedding=6)


def matcher(**changes: object) -> ViewMatcher:
    torch.manual_seed(0)
    return ViewMatcher(3, 2, 7, SMALL.model_copy(update=changes))


def test_shapes_and_lengths() -> None:
    network = matcher()
    views = network(torch.rand(4, 3, 32, 48), torch.rand(4, 2, 32, 32))
    assert [tuple(one.shape) for one in views] == [(4, 2, 6), (4, 2, 6), (4, 2, 7), (4, 2, 7)]
    network.eval()
    described = network.embed("ground", torch.rand(4, 3, 32, 32))
    assert described.shape == (4, 12)
    assert torch.allclose(described.norm(dim=1), torch.ones(4), atol=1e-5)
    assert torch.allclose(described.unflatten(1, (2, 6)).norm(dim=2), torch.full((4, 2), 0.5**0.5), atol=1e-5)
    assert [tuple(one.shape[1:]) for one in network.pyramid(torch.rand(1, 3, 32, 32))] == [
        (4, 16, 16), (8, 8, 8), (16, 4, 4), (16, 4, 4),
    ]  # fmt: skip


@pytest.mark.parametrize("layout", ["rings", "sectors"])
@pytest.mark.parametrize("view", ["ground", "satellite"])
def test_parts_share_the_map_among_them(view: str, layout: Layout) -> None:
    weights = part_weights(view, layout, 4, 16, 16)
    assert torch.allclose(weights.sum(dim=(1, 2)), torch.ones(4))
    assert ((weights > 0).sum(dim=0) == 1).all()


def test_parts_of_both_views_show_the_same_ground() -> None:
    """Rings: near is inside from above, and low in a panorama. Sectors: the same bearings."""
    above, around = (part_weights(view, "rings", 4, 16, 16) > 0 for view in ("satellite", "ground"))
    assert above[0, 7:9, 7:9].all()
    assert above[3, 0].all()
    assert around[0, 12:].all()
    assert around[3, :4].all()
    above, around = (part_weights(view, "sectors", 4, 16, 16) > 0 for view in ("satellite", "ground"))
    # The four quarters from south over west and north to east: columns of a panorama from left to right.
    for part, (y, x) in enumerate(((12, 2), (3, 2), (3, 13), (12, 13))):
        assert above[part, y, x]
        assert around[part, :, 4 * part : 4 * part + 4].all()


def test_a_part_depends_on_its_own_pixels() -> None:
    network = matcher().eval()
    images = torch.rand(1, 2, 256, 256, requires_grad=True)
    network.embed("satellite", images).unflatten(1, (2, 6))[0, 0].sum().backward()
    assert images.grad is not None
    assert images.grad[..., 124:132, 124:132].abs().sum() > 0
    assert images.grad[..., :8, :8].abs().sum() == 0


def test_every_weight_learns() -> None:
    network = matcher()
    views = network(torch.rand(4, 3, 32, 32), torch.rand(4, 2, 32, 32))
    (views.ground_logits.square().sum() + views.satellite_logits.square().sum()).backward()
    assert all(one.grad is not None and one.grad.abs().sum() > 0 for one in network.parameters())


def test_dropout_follows_the_step() -> None:
    network, images = matcher(), (torch.rand(2, 3, 32, 32), torch.rand(2, 2, 32, 32))
    found = []
    for step in (1, 1, 2):
        seed_step(0, step)
        found.append(network(*images).ground_logits)
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


@pytest.mark.parametrize("shape", [(1, 2, 32, 32), (1, 3, 16, 64)])
def test_views_that_do_not_fit(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match="model/unlike-view"):
        matcher().embed("ground", torch.rand(shape))
