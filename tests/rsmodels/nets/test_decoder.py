from typing import Any

import torch
from torch import Tensor, nn

from rsmodels.nets.decoder import ModulatedDecoder, Stage, spade_plan


class Plain(nn.Module):
    """A site that notes what it was given."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.guides: list[Any] = []

    def forward(self, x: Tensor, guide: Any) -> Tensor:
        assert x.shape[1] == self.channels
        self.guides.append(guide)
        return x


def test_the_plan_is_spades() -> None:
    assert [stage.width for stage in spade_plan(64, 5)] == [1024, 1024, 1024, 512, 256, 128, 64]
    for ups in range(1, 6):
        plan = spade_plan(4, ups)
        assert sum(stage.enlarge for stage in plan) == ups
        assert plan[-1].enlarge  # those that are left out are the first


def test_every_site_gets_the_guide() -> None:
    decoder = ModulatedDecoder(8, 3, [Stage(8, False), Stage(8, True), Stage(4, True)], Plain)
    guide = object()
    image = decoder(torch.randn(2, 8, 4, 4), guide)
    assert image.shape == (2, 3, 16, 16)
    sites = [module for module in decoder.modules() if isinstance(module, Plain)]
    assert len(sites) == 7  # two a block, and one on the shortcut where the width changes
    assert all(site.guides == [guide] for site in sites)


def test_bounded_weights_have_a_largest_singular_value_of_one() -> None:
    torch.manual_seed(0)
    decoder = ModulatedDecoder(8, 3, [Stage(8, False), Stage(4, True)], Plain)
    decoder.bound()
    decoder.train()
    for _ in range(30):
        decoder(torch.randn(1, 8, 2, 2), None)
    decoder.eval()
    weights = [layer.weight for block in decoder.blocks for layer in block.children() if isinstance(layer, nn.Conv2d)]
    assert len(weights) == 5
    for weight in weights:
        assert abs(float(torch.linalg.matrix_norm(weight.detach().flatten(1), 2)) - 1) < 0.02
