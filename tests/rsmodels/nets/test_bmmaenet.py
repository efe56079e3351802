"""BMMAENet's generator: its sizes, and what a part that is switched off leaves behind."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from rsmodels.nets.bmmaenet import BmmaeNet, BmmaeNetwork


def network(**keys: object) -> BmmaeNet:
    torch.manual_seed(0)
    return BmmaeNet(3, BmmaeNetwork(**{"width": 4, "downs": 5, **keys}))  # type: ignore[arg-type]


def names(net: BmmaeNet) -> set[str]:
    return {name.split(".")[0] for name, _ in net.named_parameters()}


@pytest.mark.parametrize("branches", [1, 2, 3])
def test_every_branch_gives_colours_of_its_own_size(branches: int) -> None:
    made = network(branches=branches)(torch.randn(2, 1, 64, 96).clamp(-1, 1))
    assert [tuple(one.shape) for one in made] == [(2, 3, 64 >> n, 96 >> n) for n in range(branches)]
    assert all(one.abs().max() <= 1 and one.dtype == torch.float32 for one in made)


def test_widths_are_those_of_the_paper() -> None:
    net = BmmaeNet(3, BmmaeNetwork(branches=1, mmb=False))
    branch = net.branches[0]
    assert [step[0].out_channels for step in branch.encoder] == [64, 128, 256, 512, 512, 512, 512]
    assert [step[0].out_channels for step in branch.decoder] == [512, 512, 512, 256, 128, 64, 64]
    assert branch.entry[0][1].out_channels == 64
    assert [step[0].kernel_size for step in (*branch.encoder, *branch.decoder)] == [(4, 4)] * 14


def test_what_is_switched_off_leaves_no_parameters_behind() -> None:
    whole = network()
    assert names(whole) == {"branches", "details", "fusions", "heads"}
    assert names(network(dme=False)) == {"branches", "fusions", "heads"}
    assert names(network(branches=1)) == {"branches", "heads"}
    assert len(network(branches=2).branches) == len(network(branches=2).heads) == 2
    assert not any("balance" in name for name, _ in network(mmb=False).named_parameters())
    assert any("balance" in name for name, _ in whole.named_parameters())
    assert not any("attention" in name for name, _ in network(fusion="concat").named_parameters())
    assert any("attention" in name for name, _ in network(fusion="attention").named_parameters())


@pytest.mark.parametrize(
    "keys", [{}, {"mmb_skip": False}, {"fusion": "literal-eq4"}, {"mmb": False, "fusion": "concat", "dme": False}]
)
def test_all_weights_learn(keys: dict[str, object]) -> None:
    net = network(width=8, dropout=0.0, **keys)  # narrower, all of what MMB squeezes to may be off by chance
    for module in net.modules():  # at its start of 0 nothing behind it would learn
        if hasattr(module, "scale") and isinstance(module.scale, torch.nn.Parameter):
            torch.nn.init.ones_(module.scale)
    made = net(torch.randn(2, 1, 64, 64))
    sum(one.square().sum() for one in made).backward()
    learns = {name: one for name, one in net.named_parameters() if not name.endswith("attention.key.bias")}
    idle = [name for name, one in learns.items() if one.grad is None or not one.grad.abs().sum()]
    assert idle == []  # what is added to all keys alike, softmax takes away again


@pytest.mark.parametrize("size", [(64, 64), (50, 71), (33, 32), (7, 9)])
def test_any_size_goes_through(size: tuple[int, int]) -> None:
    net = network().eval()
    made = net(torch.randn(1, 1, *size))
    assert [tuple(one.shape[-2:]) for one in made] == [tuple(-(-side // 2**n) for side in size) for n in range(3)]


def test_odd_sides_are_continued_by_reflection_and_cut_back() -> None:
    net = network().eval()
    grey = torch.randn(1, 1, 64, 64)
    cut = net(grey[..., :62, :60])[0]
    continued = torch.nn.functional.pad(grey[..., :62, :60], (0, 4, 0, 2), "reflect")
    assert torch.equal(cut, net(continued)[0][..., :62, :60])


class Largest(TorchDispatchMode):
    """Notes the size of the largest tensor that is made, in values."""

    def __init__(self) -> None:
        super().__init__()
        self.values = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        self.values = max([self.values, *(one.numel() for one in tree_leaves(made) if isinstance(one, torch.Tensor))])
        return made


def test_memory_grows_with_pixels_and_no_faster() -> None:
    """512 x 512: attention over rows and columns would take eight times what it takes at half that size."""
    net = BmmaeNet(3, BmmaeNetwork(width=2, downs=5)).eval()
    largest = []
    for side in (256, 512):
        with Largest() as seen, torch.no_grad():
            finest = net(torch.zeros(1, 1, side, side))[0]
        assert finest.shape == (1, 3, side, side)
        largest.append(seen.values)
    assert largest[1] <= 4 * largest[0]
    assert largest[1] <= 32 * 512**2
