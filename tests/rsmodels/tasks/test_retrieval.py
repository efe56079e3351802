"""Cross-view retrieval: turned views still match, losses, learning, and the frozen network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from rsmodels.data.batch import ChipBatch
from rsmodels.data.loader import sweep
from rsmodels.data.normalise import Normaliser
from rsmodels.data.places import ELSEWHERE
from rsmodels.data.source import ChipSource
from rsmodels.nets.views import ViewMatcher
from rsmodels.tasks.base import Networks
from rsmodels.tasks.frozen_views import FrozenRetriever
from rsmodels.tasks.models import model, resolve
from rsmodels.tasks.retrieval import RetrievalSettings, RetrievalTask, contrast, part_entropy, turned
from rsmodels.training.helpers import frozen_task
from rsmodels.training.load import load
from rsmodels.training.run import train
from rsprep.corpus.views.sight import from_above, panorama
from rsprep.errors import ConfigError
from tests.rsmodels.views import build_views
from tests.rsprep.corpus.test_views import open_field

SETTINGS = {"model": "retrieval", "steps": 2, "batch": 4, "network": {"width": 4, "parts": 2, "embedding": 8}}


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_views(tmp_path_factory.mktemp("views") / "views")


def begun(views: Path, **changes: object) -> tuple[RetrievalTask, list[ChipBatch]]:
    settings = resolve({**SETTINGS, "data": [str(views)], "out": "run", **changes})
    source = ChipSource.open(views)
    fields = settings.fields(source)
    normaliser = Normaliser.fit([source], fields)
    torch.manual_seed(0)
    task = model("retrieval").build(settings, normaliser, 32, None)
    assert isinstance(task, RetrievalTask)
    return task, list(sweep(source, "train", fields, normaliser, batch=8))


@pytest.mark.parametrize("element", range(8))
def test_turned_views_are_views_of_a_turned_place(element: int) -> None:
    """What stands somewhere is seen in the direction in which it lies, in both views, after every turn."""
    size, land = 64, open_field((20, 0, 4, 12))
    bare = open_field()
    seen = [
        np.abs(view(land).astype(int) - view(bare)).sum(axis=0)[None] > 90
        for view in (
            lambda one: panorama(one, size, 5.0, 0, np.random.default_rng(0)),
            lambda one: from_above(one, size, 50.0, np.random.default_rng(0)),
        )
    ]
    ground, satellite = (torch.from_numpy(one)[None].float() for one in seen)
    around, above = (one[0, 0].numpy() for one in turned(ground, satellite, torch.tensor([element])))
    y, x = (one.mean() + 0.5 for one in np.nonzero(above))
    bearing = np.degrees(np.arctan2(x - size / 2, size / 2 - y))
    columns = (np.flatnonzero(around.any(axis=0)) + 0.5) / size * 2 * np.pi - np.pi
    seen_at = np.degrees(np.angle(np.exp(1j * columns).mean()))
    assert abs((bearing - seen_at + 180) % 360 - 180) < 9  # the shadow pulls a little


def test_losses_of_unknown_places_are_nothing() -> None:
    logits = torch.randn(3, 2, 5)
    known = torch.tensor([1, ELSEWHERE, 4])
    wanted = -(logits.log_softmax(2)[0, :, 1].sum() + logits.log_softmax(2)[2, :, 4].sum()) / 2
    assert torch.allclose(part_entropy(logits, known), wanted)
    assert part_entropy(logits, torch.full((3,), ELSEWHERE)) == 0


def test_views_of_one_place_are_no_rivals() -> None:
    parts = torch.randn(4, 2, 3)
    apart = contrast(parts, parts, torch.tensor([0, 1, 2, 3]), 0.1)
    twice = contrast(parts[[0, 0, 1]], parts[[0, 0, 1]], torch.tensor([0, 0, 1]), 0.1)
    assert twice < contrast(parts[[0, 0, 1]], parts[[0, 0, 1]], torch.tensor([0, 1, 2]), 0.1)
    assert apart > 0


@pytest.mark.parametrize("losses", [{"places": 1.0}, {"places": 0.0, "contrast": 1.0}])
def test_what_is_seen_again_and_again_is_found(views: Path, losses: dict[str, float]) -> None:
    task, batches = begun(views, losses=losses, turn="none", network={**SETTINGS["network"], "dropout": 0.0})  # type: ignore[dict-item]
    networks = Networks(dict(task.networks.items()))
    optimiser = torch.optim.Adam(task.networks.parameters(), lr=5e-3)
    for _ in range(40):
        loss = task.loss("network", networks, batches[0], task.begin(networks, batches[0]))[0]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    figures = task.score(task.networks["network"], batches[:1])
    assert figures["recall@1"] > 0.7
    assert set(figures) == {"recall@1", "recall@5", "recall@10", "ap"}
    names, rows = task.panels(task.networks["network"], batches[0], {})
    assert (len(names), len(rows), len(rows[0][1])) == (3, 8, 3)


def test_settings_that_cannot_be() -> None:
    given = {**SETTINGS, "data": ["x"], "out": "run"}
    for more, slug in (({"data": ["x", "y"]}, "one-data-set"), ({"augment": {"turn": True}}, "turned-panorama")):
        with pytest.raises(ConfigError, match=f"config/{slug}"):
            resolve({**given, **more})
    with pytest.raises(ConfigError, match="nothing would be learned"):
        resolve({**given, "losses": {"places": 0, "contrast": 0}})
    assert isinstance(resolve(given), RetrievalSettings)


def test_a_run_is_a_task_that_images_serve(views: Path, tmp_path: Path) -> None:
    """Trained, loaded, frozen: gradients to the images, none to its weights, statistics as they were."""
    train({**SETTINGS, "data": [str(views)], "out": str(tmp_path / "run"), "save_every": 2})
    trained = load(tmp_path / "run", device="cpu")
    assert trained.kind == "retrieval"
    frozen = frozen_task(trained, trained.normaliser)
    assert isinstance(frozen, FrozenRetriever)
    assert (frozen.target, frozen.headline) == ("satellite", "recall@1")
    batches = list(sweep(ChipSource.open(views), "test", trained.fields, trained.normaliser, batch=4))
    images, target = (batches[0].values[name].clone() for name in ("image", "satellite"))
    before = {name: one.clone() for name, one in frozen.state_dict().items()}
    images.requires_grad_()
    frozen.train().loss(images, target).backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0
    assert all(one.grad is None for one in frozen.parameters())
    assert all(torch.equal(one, before[name]) for name, one in frozen.state_dict().items())
    pairs = [(batch.values["image"], batch.values["satellite"]) for batch in batches]
    assert frozen.score(pairs) == pytest.approx(trained.task.score(trained.network, batches))
    doubled = frozen.score([*pairs, *pairs])  # a place that comes twice is one place
    assert doubled == pytest.approx(frozen.score(pairs))


def test_the_loss_of_a_known_place_is_the_cross_entropy_of_its_parts(views: Path) -> None:
    task, batches = begun(views)
    network = task.networks["network"]
    assert isinstance(network, ViewMatcher)
    frozen = FrozenRetriever(network, task.normaliser, task.normaliser)
    images, target = batches[0].values["image"], batches[0].values["satellite"]
    told = network.logits("satellite", target).softmax(2)
    said = network.logits("ground", images).log_softmax(2)
    wanted = -(told * said).sum(dim=(1, 2)).mean()
    assert torch.allclose(frozen.loss(images, target), wanted, atol=1e-4)
