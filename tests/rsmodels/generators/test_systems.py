"""Every label-driven system goes through the one step."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.rsmodels.generators.test_semantic import bare, made


@pytest.mark.parametrize("name", ["spade", "vspade", "clade", "inade", "pix2pixhd"])
def test_all_networks_of_a_system_learn_in_their_phases(tiny_dataset: Path, name: str) -> None:
    task, batch = made(tiny_dataset, name)
    state = task.begin(bare(task), batch)
    assert [phase.name for phase in task.phases] == ["discriminator", "generator"]  # no conductor unless asked for
    for phase in task.phases:
        task.networks.zero_grad()
        total, parts = task.loss(phase.name, bare(task), batch, state)
        total.backward()
        assert bool(torch.isfinite(total))
        assert ("kl" in parts) == (name == "vspade" and phase.name == "generator")
        for network in phase.networks:
            gradients = [parameter.grad for parameter in task.networks[network].parameters()]
            assert any(gradient is not None and bool(gradient.abs().sum() > 0) for gradient in gradients)
    drawing = name in {"vspade", "inade"}
    assert (getattr(task.networks["generator"], "noise", None) is not None) == drawing
