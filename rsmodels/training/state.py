"""What a run must remember to go on bit for bit: moments of its optimisers, and running averages of weights."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


class Average:
    """Running average of a network's weights (EMA), and of what batch norm keeps.

    Statistics of the newest weights are not those of their average: where weights move fast, a network with the one
    and the other makes images that are off by a whole shade. Averaged alike they belong together.

    Parameters
    ----------
    decay : share of the old average that stays at each step. Early on it is less, (1 + n) / (10 + n) after n steps,
        so that the random start does not linger.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Take in the weights after `step` steps."""
        decay = min(self._decay, (1 + step) / (10 + step))
        for mean, weight in zip(self.network.parameters(), network.parameters(), strict=True):
            mean.lerp_(weight.to(mean.dtype), 1 - decay)
        for kept, buffer in zip(self.network.buffers(), network.buffers(), strict=True):
            if kept.is_floating_point():
                kept.lerp_(buffer.to(kept.dtype), 1 - decay)
            else:
                kept.copy_(buffer)


def optimiser_state(optimisers: Mapping[str, Optimizer]) -> tuple[dict[str, Tensor], str]:
    """Tensors by ``phase/parameter/name``, and the rest as JSON."""
    tensors: dict[str, Tensor] = {}
    rest: dict[str, Any] = {}
    for phase, optimiser in optimisers.items():
        state = optimiser.state_dict()
        rest[phase] = {"param_groups": state["param_groups"], "numbers": {}}
        for index, values in state["state"].items():
            for name, value in values.items():
                if isinstance(value, Tensor):
                    tensors[f"{phase}/{index}/{name}"] = value
                else:
                    rest[phase]["numbers"][f"{index}/{name}"] = value
    return tensors, json.dumps(rest, indent=1, sort_keys=True)


def restore_optimisers(optimisers: Mapping[str, Optimizer], tensors: Mapping[str, Tensor], rest: str) -> None:
    """Put back what :func:`optimiser_state` took."""
    records = json.loads(rest)
    for phase, optimiser in optimisers.items():
        record = records[phase]
        weights = [weight for group in optimiser.param_groups for weight in group["params"]]
        state: dict[int, dict[str, Any]] = {}
        for key, value in tensors.items():
            owner, index, name = key.split("/")
            if owner == phase:
                state.setdefault(int(index), {})[name] = _laid_out_as(weights[int(index)], value)
        for key, value in record["numbers"].items():
            index, name = key.split("/")
            state.setdefault(int(index), {})[name] = value
        groups = [{**group, "betas": tuple(group["betas"])} for group in record["param_groups"]]
        optimiser.load_state_dict({"state": state, "param_groups": groups})


def _laid_out_as(weight: Tensor, moment: Tensor) -> Tensor:
    """A moment in the memory order of its weight: the fused optimiser goes through both as they lie in memory."""
    return torch.empty_like(weight, dtype=moment.dtype).copy_(moment) if moment.shape == weight.shape else moment
