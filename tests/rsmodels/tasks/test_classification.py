"""What a classification run learns from, that it can learn, and what it is to an inpainter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from rsmodels.data.batch import ChipBatch, ChipKey
from rsmodels.data.fields import IGNORE
from rsmodels.data.fit import Normalise
from rsmodels.data.loader import sweep
from rsmodels.data.normalise import Normaliser
from rsmodels.data.source import ChipSource, field
from rsmodels.errors import ModelError
from rsmodels.nets.scene_vgg import SceneVgg
from rsmodels.report.verdicts import verdict
from rsmodels.tasks.classification import seen_scenes
from rsmodels.tasks.frozen_scene import FrozenClassifier
from rsmodels.training.load import Trained, load
from rsmodels.training.run import train
from tests.rsmodels.scenes import LABELS, build_scenes


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_scenes(tmp_path_factory.mktemp("scenes") / "scenes")


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A classifier that tells the planted scenes apart."""
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("run") / "run"
    network = {"width": 4, "dropout": 0.1}
    values = {"model": "classification", "data": [str(data)], "out": str(out), "batch": 9, "steps": 30}
    outcome = train(values | {"network": network, "device": "cpu", "optimiser": {"lr": 5e-3}})
    assert outcome.scores["accuracy"] == 1.0
    assert set(outcome.scores) == {"accuracy", "mean_accuracy", *(f"recall/{name}" for name in LABELS)}
    return load(out, device="cpu")


def test_chips_without_an_image_teach_nothing() -> None:
    valid = torch.zeros(3, 1, 2, 2, dtype=torch.bool)
    valid[:2, :, 0] = True
    scenes = torch.tensor([1, IGNORE, 2])
    batch = ChipBatch(
        values={"image": torch.zeros(3, 4, 2, 2), "scene": scenes},
        valid={"image": valid, "scene": (scenes != IGNORE)[:, None, None, None]},
        chips=(ChipKey(0, 0), ChipKey(0, 1), ChipKey(0, 2)),
    )
    assert seen_scenes(batch).tolist() == [1, IGNORE, IGNORE]


def test_a_run_learns_scenes_and_is_loaded_again(trained: Trained, data: Path) -> None:
    source = ChipSource.open(data)
    (batch,) = sweep(source, "test", trained.fields, trained.normaliser, batch=9)
    assert torch.equal(trained.classify(batch).argmax(1), batch.values["scene"])
    columns, rows = trained.task.panels(trained.network, batch, {})
    assert columns == ("image", "prediction")
    assert [len(images) for _, images in rows] == [2] * len(batch)
    with pytest.raises(ModelError, match="model/not-a-segmenter"):
        trained.segment(batch)


def frozen(trained: Trained, source: ChipSource, **how: object) -> tuple[FrozenClassifier, ChipBatch]:
    """The classifier for images in another scale, and such images."""
    assert isinstance(trained.network, SceneVgg)
    mine = Normaliser.fit([source], (field(source, "image", "clean"),), how=Normalise(**how))  # type: ignore[arg-type]
    scene = {"scene": trained.normaliser["scene"]}
    both = Normaliser(scalings={**mine.scalings, **scene})
    (batch,) = sweep(source, "test", both.fields, both, batch=9)
    return FrozenClassifier(trained.network, trained.normaliser, both), batch


def test_frozen_it_sees_what_it_was_trained_on(trained: Trained, data: Path) -> None:
    source = ChipSource.open(data)
    (own,) = sweep(source, "test", trained.fields, trained.normaliser, batch=9)
    judge, batch = frozen(trained, source, curve="linear", low=2.0, high=90.0)
    assert judge.classes == LABELS
    # the root is steep where a band is darkest
    torch.testing.assert_close(judge.translated(batch.values["image"]), own.values["image"], rtol=0, atol=3e-3)
    pair = (batch.values["image"], batch.values[judge.target])
    assert judge.score([pair, pair]) == {"accuracy": 1.0, "mean_accuracy": 1.0}
    assert judge.headline == "accuracy"


def test_frozen_it_teaches_the_image_and_learns_nothing(trained: Trained, data: Path) -> None:
    judge, batch = frozen(trained, ChipSource.open(data))
    before = {name: one.clone() for name, one in judge.state_dict().items()}
    image = torch.zeros_like(batch.values["image"], requires_grad=True)
    target = batch.values["scene"].clone()
    target[0] = IGNORE
    judge.train()
    judge.loss(image, target).backward()
    assert image.grad is not None
    moved = image.grad.abs().amax(dim=(1, 2, 3))
    assert moved[0] == 0
    assert (moved[1:] > 0).all()
    assert all(torch.equal(one, before[name]) for name, one in judge.state_dict().items())
    assert judge.loss(image, torch.full_like(target, IGNORE)).item() == 0.0


def test_a_verdict_never_hides_the_truth() -> None:
    names = [f"class_{number}" for number in range(12)]
    shares = torch.linspace(0, 1, 12)
    picture = verdict(shares / shares.sum(), names, 0)
    assert picture.dtype == np.uint8
    assert np.array_equal(picture, verdict(shares / shares.sum(), names, 0))
    assert not np.array_equal(picture, verdict(shares / shares.sum(), names, IGNORE))
