"""Conditions and random values of them that the tests of networks share."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from rsmodels.nets.conditions import Condition

LAND = Condition(name="landcover", channels=9, classes=True)
RADAR = Condition(name="radar", channels=2)
TERRAIN = Condition(name="terrain", channels=5)
ALL = (LAND, RADAR, TERRAIN)


def drawn(side: int, batch: int = 2, *, seed: int = 0, conditions: tuple[Condition, ...] = ALL) -> dict[str, Tensor]:
    """Values of conditions: some classes unknown, the rest standard normal."""
    generator = torch.Generator().manual_seed(seed)
    values: dict[str, Tensor] = {}
    for condition in conditions:
        if condition.classes:
            labels = torch.randint(0, condition.channels + 1, (batch, side, side), generator=generator)
            values[condition.name] = torch.where(labels == condition.channels, 255, labels)
        else:
            values[condition.name] = torch.randn((batch, condition.channels, side, side), generator=generator)
    return values


def changed(values: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """The same with one condition drawn anew."""
    tensor = values[name]
    other = (
        (tensor + 1) % 9 if tensor.ndim == 3 else torch.randn(tensor.shape, generator=torch.Generator().manual_seed(9))
    )
    return {**values, name: other}


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def assert_all_learn(network: nn.Module, outputs: Tensor) -> None:
    """Every parameter gets a finite gradient that is not zero throughout."""
    weights = torch.randn(outputs.shape, generator=torch.Generator().manual_seed(3))
    (outputs * weights).sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name
        # by size, since a parameter that a norm takes out again still gets rounding errors
        assert float(parameter.grad.abs().max()) > 1e-5, name
