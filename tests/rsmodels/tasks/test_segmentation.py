"""What a segmentation run learns from, and that it can learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from rsmodels.data.batch import ChipBatch, ChipKey
from rsmodels.data.fields import IGNORE
from rsmodels.data.loader import sweep
from rsmodels.data.normalise import Normaliser
from rsmodels.data.source import ChipSource
from rsmodels.errors import ModelError
from rsmodels.tasks.base import Networks
from rsmodels.tasks.labelling import class_weights
from rsmodels.tasks.models import model, resolve
from rsmodels.tasks.segmentation import SegmentationTask, seen_labels
from rsmodels.tasks.settings import Schedule
from rsmodels.training.schedule import factor, seed_step, set_rate


def made(tiny_dataset: Path, **more: object) -> tuple[SegmentationTask, list[ChipBatch]]:
    """A task on the tiny data set, and two of its chips as a batch."""
    values = {"model": "segmentation", "data": [str(tiny_dataset)], "out": "x", "steps": 1, "network": {"width": 8}}
    settings = resolve({**values, **more})
    source = ChipSource.open(tiny_dataset)
    fields = settings.fields(source)
    normaliser = Normaliser.fit([source], fields)
    torch.manual_seed(0)
    batches = list(sweep(source, source.of_split("train")[:2], fields, normaliser, batch=2))
    task = model(settings.model).build(settings, normaliser, source.schema.chip_px, None)
    assert isinstance(task, SegmentationTask)
    return task, batches


def test_pixels_without_an_image_teach_nothing() -> None:
    labels = torch.tensor([[[0, 1], [2, IGNORE]]])
    valid = torch.tensor([[[[True, False], [True, True]]]])
    batch = ChipBatch(
        values={"image": torch.zeros(1, 4, 2, 2), "label": labels},
        valid={"image": valid, "label": labels[:, None] != IGNORE},
        chips=(ChipKey(0, 0),),
    )
    assert seen_labels(batch).tolist() == [[[0, IGNORE], [2, IGNORE]]]


def test_class_weights() -> None:
    counts = np.array([100, 0, 300, 25])
    assert class_weights("none", counts) is None
    balanced, root = class_weights("balanced", counts), class_weights("root", counts)
    assert balanced is not None
    assert root is not None
    assert balanced[1] == root[1] == 0
    np.testing.assert_allclose(balanced[[0, 3]] / balanced[2], [3, 12], rtol=1e-6)
    np.testing.assert_allclose(root[[0, 3]] / root[2], np.sqrt([3, 12]), rtol=1e-6)
    assert float(balanced.sum()) == pytest.approx(3)
    given = class_weights((1.0, 0.0, 2.0, 0.5), counts)
    assert given is not None
    assert given.tolist() == [1.0, 0.0, 2.0, 0.5]
    for wrong in ((1.0, 2.0), (0.0,) * 4, (1.0, -1.0, 1.0, 1.0)):
        with pytest.raises(ModelError, match="bad-class-weights"):
            class_weights(wrong, counts)


SMALL: dict[str, tuple[dict[str, object], int, float]] = {
    "segmentation": ({"width": 16}, 160, 0.99),
    "hrnet": ({"width": 8, "stem": 8, "blocks": 1, "modules": (1, 1, 1), "halvings": 0}, 90, 0.97),
}
"""Network, steps and the accuracy that it reaches with these."""


@pytest.mark.parametrize("name", SMALL)
def test_a_few_chips_are_learned_by_heart(tiny_dataset: Path, name: str) -> None:
    """The whole path from store to loss can say what is in the labels: two chips, nearly all of their pixels."""
    torch.set_num_threads(1)
    network, steps, wanted = SMALL[name]
    task, (batch,) = made(tiny_dataset, model=name, network=network)
    networks = Networks(dict(task.networks.items()))
    optimiser = torch.optim.AdamW(task.networks.parameters(), lr=1e-2, fused=True)
    task.networks.train()
    decay = Schedule(shape="cosine", hold=0)
    for step in range(steps):
        seed_step(0, step)
        loss, _ = task.loss("network", networks, batch, task.begin(networks, batch))
        optimiser.zero_grad()
        set_rate(optimiser, 1e-2 * factor(decay, step, steps))
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        found = task.score(task.networks["network"], [batch])
    assert found["accuracy"] >= wanted
    assert found["miou"] > 0.9
    truth = seen_labels(batch)
    predicted = task.predict(task.networks["network"], batch).argmax(1)
    assert float((predicted == truth)[truth != IGNORE].float().mean()) == pytest.approx(found["accuracy"])
