"""The step of a colorization network: its losses, its spaces, and what its settings refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from rsmodels import losses
from rsmodels.data.batch import ChipBatch
from rsmodels.data.loader import sweep
from rsmodels.errors import ModelError
from rsmodels.generators.colorization import ColorizationTask
from rsmodels.lab import to_lab
from rsmodels.tasks.base import Networks
from rsmodels.tasks.colorization_presets import ROWS
from rsmodels.tasks.models import resolve
from rsmodels.training.load import load
from rsmodels.training.run import train
from rsmodels.training.setup import fit_normaliser, gather, make_task
from rsprep.errors import ConfigError
from tests.rsmodels.scenes import build_scenes


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_scenes(tmp_path_factory.mktemp("colours") / "scenes", chips=20)


def settings_of(scenes: Path, out: Path, **more: Any) -> dict[str, Any]:
    base = {
        "model": "bmmaenet", "data": [str(scenes)], "out": str(out / "run"), "batch": 4, "steps": 2, "save_every": 2,
        "log_every": 1, "network": {"width": 4, "downs": 4}, "discriminator": {"width": 4, "downs": 2},
    }  # fmt: skip
    return {**base, **more}


def made(scenes: Path, out: Path, **more: Any) -> tuple[ColorizationTask, ChipBatch]:
    settings = resolve(settings_of(scenes, out, **more))
    material = gather(settings)
    normaliser = fit_normaliser(settings, material)
    torch.manual_seed(0)
    task = make_task(settings, normaliser, material)
    assert isinstance(task, ColorizationTask)
    source = material.sources[0]
    return task, next(iter(sweep(source, source.of_split("train")[:4], material.fields, normaliser, batch=4)))


def test_the_losses_are_those_of_the_paper(scenes: Path, tmp_path: Path) -> None:
    """Eqs. 8, 9 and 11: every branch against colours of its size, the finest one before the discriminator."""
    task, batch = made(scenes, tmp_path)
    networks = Networks(dict(task.networks.items()))
    state = task.begin(networks, batch)
    total, parts = task.loss("generator", networks, batch, state)
    real = [F.avg_pool2d(state.real, 2**level) if level else state.real for level in range(3)]
    apart = [F.huber_loss(one, other) for one, other in zip(state.made, real, strict=True)]
    for name, expected in zip(("colour", "colour_2", "colour_4"), apart, strict=True):
        torch.testing.assert_close(parts[name], expected)
    critic = task.networks["discriminator"]
    fake = critic({"grey": state.grey}, torch.cat([state.real, state.made[0]]))[-1].chunk(2)[1]
    fooled = losses.gan_loss(fake, True, for_generator=True)
    torch.testing.assert_close(total, 70 * apart[0] + 20 * apart[1] + 10 * apart[2] + fooled)


@pytest.mark.parametrize(("branches", "shares"), [(1, (100.0,)), (2, (70.0, 30.0)), (3, (70.0, 20.0, 10.0))])
def test_absent_branches_leave_their_weight_to_the_last_one(branches: int, shares: tuple[float, ...]) -> None:
    settings = resolve({"model": "bmmaenet", "data": ["d"], "out": "o", "network": {"branches": branches}})
    assert settings.losses.shares(branches) == shares  # type: ignore[attr-defined]


def test_what_is_coloured_is_the_lightness(scenes: Path, tmp_path: Path) -> None:
    task, batch = made(scenes, tmp_path)
    rgb = task.normaliser.unit("image", batch.values["image"])
    stored = task.normaliser.to_store("image", batch.values["image"])
    torch.testing.assert_close(rgb, torch.from_numpy(stored).float() / 255)  # 8 bit as they are
    torch.testing.assert_close(task.grey(batch), to_lab(rgb)[:, :1])


@pytest.mark.parametrize("space", ["lab", "rgb"])
def test_colours_go_into_the_networks_space_and_back(scenes: Path, tmp_path: Path, space: str) -> None:
    task, batch = made(scenes, tmp_path, space=space)
    there = task.space(batch.values["image"])
    assert there.abs().max() <= 1
    back = task.normaliser.to_store("image", task.image(there))
    assert (back == task.normaliser.to_store("image", batch.values["image"])).all()


def test_lightness_that_is_kept_is_that_of_the_input(scenes: Path, tmp_path: Path) -> None:
    task, batch = made(scenes, tmp_path, keep_lightness=True)
    made_images = task.predict(task.networks["generator"], batch)
    lightness = to_lab(task.normaliser.unit("image", made_images))[:, :1]
    # untrained colours are faint, so that a screen has nearly all of them
    assert (lightness - task.grey(batch)).abs().median() < 1e-3


def test_another_band_can_be_coloured(tiny_dataset: Path, tmp_path: Path) -> None:
    task, batch = made(tiny_dataset, tmp_path, grey="B08")
    torch.testing.assert_close(task.grey(batch), batch.values["grey"].clamp(-1, 1) * batch.valid["grey"])
    assert task.fields[0].bands == ("B04", "B03", "B02")
    assert len(set(task.normaliser["image"].high)) == 1  # one stretch for all three


def test_under_haze_the_clear_colours_are_learned(scenes: Path, tmp_path: Path) -> None:
    clear, batch = made(scenes, tmp_path)
    task, _ = made(scenes, tmp_path, haze={"chance": 1.0, "depth": [0.5, 0.5], "light": [1.0, 1.0], "cloudy": 0.0})
    state = task.begin(Networks(dict(task.networks.items())), batch)
    torch.testing.assert_close(state.real, clear.space(batch.values["image"]))
    assert (state.grey > clear.grey(batch)).float().mean() > 0.99
    assert torch.equal(task.grey(batch), task.grey(batch))


def test_without_a_discriminator_there_is_one_phase(scenes: Path, tmp_path: Path) -> None:
    task, _ = made(scenes, tmp_path, preset="unet", network={"width": 4, "downs": 4})
    assert [phase.name for phase in task.phases] == ["generator"]
    assert set(task.networks) == {"generator"}
    assert len(task.networks["generator"].branches) == 1


def test_all_twelve_rows_are_there_and_unlike() -> None:
    assert len(ROWS) == 12
    networks = {name: resolve({"model": "bmmaenet", "preset": name, "data": ["d"], "out": "o"}) for name in ROWS}
    assert len({one.network.model_dump_json() for one in networks.values()}) == 12  # type: ignore[attr-defined]
    whole = networks["3-b-dme-uame-mmb"].network  # type: ignore[attr-defined]
    assert whole == resolve({"model": "bmmaenet", "data": ["d"], "out": "o"}).network  # type: ignore[attr-defined]


def test_a_run_learns_scores_and_is_loaded(scenes: Path, tmp_path: Path) -> None:
    train(settings_of(scenes, tmp_path))
    trained = load(tmp_path / "run", device="cpu")
    assert trained.kind == "colorization"
    source = gather(trained.settings).sources[0]
    batches = list(sweep(source, "val", trained.fields, trained.normaliser, batch=4))
    scores = trained.task.score(trained.network, batches)
    assert {"psnr", "ssim", "mse", "acc@2", "acc@5", "colourfulness"} == set(scores)
    assert scores["acc@2"] <= scores["acc@5"]


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"normalise": {"curve": "root", "together": True}}, "as a screen shows them"),
        ({"space": "rgb", "keep_lightness": True}, "keep_lightness"),
        ({"haze": {}, "keep_lightness": True}, "is not to be kept"),
        ({"losses": {"branches": [1, 1, -1]}}, "at least 0"),
        ({"network": {"branches": 4}}, "branches"),
    ],
)
def test_settings_that_cannot_be_are_refused(keys: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        resolve({"model": "bmmaenet", "data": ["d"], "out": "o", **keys})


def test_images_without_colours_are_refused(tiny_dataset: Path, tmp_path: Path) -> None:
    settings = resolve(settings_of(tiny_dataset, tmp_path, image="lulc"))
    with pytest.raises(ModelError, match="no-red-green-blue"):
        gather(settings)
