"""The step of a conditional generator: what each phase is told, and through what gradients run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from rsmodels import losses
from rsmodels.data.batch import ChipBatch
from rsmodels.data.loader import sweep
from rsmodels.data.normalise import Normaliser
from rsmodels.data.source import ChipSource
from rsmodels.generators.gan import GanTask
from rsmodels.tasks.base import Networks
from rsmodels.tasks.models import model, resolve
from rsmodels.training.schedule import seed_step


def made(tiny_dataset: Path, name: str = "rs-spade", **more: Any) -> tuple[GanTask, ChipBatch]:
    values = {
        "model": name, "data": [str(tiny_dataset)], "out": "x", "steps": 1,
        "network": {"width": 4}, "discriminator": {"width": 4, "downs": 2},
    }  # fmt: skip
    settings = resolve({**values, **more})
    source = ChipSource.open(tiny_dataset)
    fields = settings.fields(source)
    normaliser = Normaliser.fit([source], fields)
    torch.manual_seed(0)
    task = model(name).build(settings, normaliser, source.schema.chip_px, None)
    assert isinstance(task, GanTask)
    batch = next(iter(sweep(source, source.of_split("train")[:4], fields, normaliser, batch=4)))
    return task, batch


def test_the_two_losses_of_pix2pix(tiny_dataset: Path) -> None:
    """BCE halved for the discriminator; BCE and a hundred times L1 over valid pixels for the generator."""
    task, batch = made(tiny_dataset, "pix2pix")
    networks = Networks(dict(task.networks.items()))
    pair = task.begin(networks, batch)
    assert pair.real.abs().max() <= 1
    assert not pair.fake[~pair.valid.expand_as(pair.fake)].any()
    total, parts = task.loss("discriminator", networks, batch, pair)
    assert total.item() == pytest.approx(0.5 * (parts["d_real"].item() + parts["d_fake"].item()))
    total, parts = task.loss("generator", networks, batch, pair)
    expected = losses.masked_l1(pair.fake, pair.real, pair.valid).item()
    assert total.item() == pytest.approx(100 * expected + parts["g_adversarial"].item(), rel=1e-5)


def test_gradients_stay_in_their_phase(tiny_dataset: Path) -> None:
    task, batch = made(tiny_dataset)
    networks = Networks(dict(task.networks.items()))
    pair = task.begin(networks, batch)
    task.loss("discriminator", networks, batch, pair)[0].backward()
    assert all(weight.grad is None for weight in task.networks["generator"].parameters())
    assert all(weight.grad is not None for weight in task.networks["discriminator"].parameters())


def test_pixels_without_data_change_no_loss(tiny_dataset: Path) -> None:
    task, batch = made(tiny_dataset)
    networks = Networks(dict(task.networks.items()))
    hole = batch.valid["image"].clone()
    hole[:, :, 8:16, 8:16] = False
    found = []
    for filler in (0.0, 0.7):
        values = {**batch.values, "image": torch.where(hole, batch.values["image"], filler)}
        holed = ChipBatch(values=values, valid={**batch.valid, "image": hole}, chips=batch.chips)
        seed_step(0, 0)
        pair = task.begin(networks, holed)
        found.append([task.loss(phase.name, networks, holed, pair)[0].item() for phase in task.phases])
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "more",
    [
        {"losses": {"adversarial": "hinge", "feature_matching": 10.0}},
        {"losses": {"adversarial": "lsgan", "sam": 1.0}},
        {"losses": {"adversarial_weight": 0.0}},
        {"conditions": ["terrain"]},
        {"conditions": ["landcover", "radar"], "bands": ["B04", "B02"]},
        {"network": {"width": 4, "backbone": "spade"}},
        {"network": {"width": 4, "stems": "site", "fuse": "sum", "modulate": "decoder"}},
    ],
)
def test_switches(tiny_dataset: Path, more: dict[str, Any]) -> None:
    """Every switch gives finite losses, and gradients for all that learns."""
    task, batch = made(tiny_dataset, **more)
    networks = Networks(dict(task.networks.items()))
    pair = task.begin(networks, batch)
    assert pair.fake.shape == (4, len(task.fields[0].bands or ()), 32, 32)
    for phase in task.phases:
        task.networks.zero_grad()
        total, parts = task.loss(phase.name, networks, batch, pair)
        assert torch.isfinite(total)
        assert all(torch.isfinite(part) for part in parts.values())
        total.backward(retain_graph=True)
        for name in phase.networks:
            assert all(weight.grad is not None for weight in task.networks[name].parameters())
    assert ("discriminator" in [phase.name for phase in task.phases]) == bool(task.settings.losses.adversarial_weight)


def test_panels_show_every_condition(tiny_dataset: Path) -> None:
    task, batch = made(tiny_dataset)
    with torch.no_grad():
        columns, rows = task.panels(task.networks["generator"], batch, {})
    assert columns == ("landcover", "radar", "terrain", "real", "generated", "difference")
    assert len(rows) == 4
    assert all(image.shape == (32, 32, 3) for _, images in rows for image in images)
