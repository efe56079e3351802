"""The step of an inpainting network: what each phase is told, and through what gradients run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from rsmodels import losses
from rsmodels.data.batch import ChipBatch
from rsmodels.data.loader import sweep
from rsmodels.errors import ModelError
from rsmodels.generators.inpainting import CRITICS, InpaintTask
from rsmodels.nets.inpainting import HIDDEN
from rsmodels.tasks.base import Networks
from rsmodels.tasks.models import resolve
from rsmodels.training.load import load
from rsmodels.training.run import train
from rsmodels.training.setup import fit_normaliser, gather, make_task
from rsprep.masks.maskmix import MixSettings
from tests.rsmodels.nets.weights import vgg_file
from tests.rsmodels.pairs import Pairs

SIZE = {"width": 4, "blocks": (1, 1, 1, 1, 1, 1), "convs": 1}
CRITIC = {"width": 4, "downs": 2}


def settings_of(pairs: Pairs, out: Path, **more: Any) -> dict[str, Any]:
    base = {
        "model": "inpaint", "data": [str(pairs.folder)], "out": str(out / "run"), "batch": 4, "steps": 2,
        "save_every": 2, "log_every": 1, "network": SIZE, "coarse_critic": CRITIC, "refined_critic": CRITIC,
        "perceptual": {"weight": 0.0},
    }  # fmt: skip
    return {**base, **more}


@pytest.fixture(scope="module")
def segmenter(pairs: Pairs, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A task network, trained for a moment on clean images."""
    out = tmp_path_factory.mktemp("task") / "segmenter"
    train(
        {
            "model": "segmentation", "data": [str(pairs.folder)], "out": str(out), "image": "clean",
            "network": {"width": 4}, "batch": 4, "steps": 3, "save_every": 3,
        }
    )  # fmt: skip
    return str(out)


def made(pairs: Pairs, out: Path, **more: Any) -> tuple[InpaintTask, ChipBatch]:
    settings = resolve(settings_of(pairs, out, **more))
    material = gather(settings)
    normaliser = fit_normaliser(settings, material)
    torch.manual_seed(0)
    task = make_task(settings, normaliser, material)
    assert isinstance(task, InpaintTask)
    source = material.sources[0]
    slots = source.of_split("train")[:4]
    return task, next(iter(sweep(source, slots, material.fields, normaliser, batch=4)))


def test_discriminators_see_composites_beside_the_occluded_image(pairs: Pairs, tmp_path: Path) -> None:
    """Eq. 2: what is not hidden is the image itself; I is white where the mask is, and 0 where there is no data."""
    task, batch = made(pairs, tmp_path)
    state = task.begin(Networks(dict(task.networks.items())), batch)
    hidden = (state.mask > 0.5).expand_as(state.clean)
    valid = state.valid.expand_as(state.clean)
    for composite, mapped in zip(state.repaired, state.maps, strict=True):
        assert torch.equal(composite[~hidden], state.clean[~hidden])
        assert torch.equal(composite[hidden & valid], mapped[hidden & valid])
    assert torch.equal(state.occluded[~hidden], state.clean[~hidden])
    assert bool((state.occluded[hidden & valid] == HIDDEN).all())
    for images in (state.occluded, state.clean, *state.repaired):
        assert not bool(images[~valid].any())


def test_the_losses_are_those_of_the_paper(pairs: Pairs, segmenter: str, tmp_path: Path) -> None:
    """Eqs. 3, 5 and 6: L1 of both maps, the refined one seen deeply, both discriminators, λ times the task."""
    more = {"task": {"checkpoint": segmenter}, "perceptual": {"weight": 2.0, "features": "task"}}
    task, batch = made(pairs, tmp_path, losses={"adversarial_weight": 3.0}, **more)
    networks = Networks(dict(task.networks.items()))
    state = task.begin(networks, batch)
    total, parts = task.loss("critics", networks, batch, state)
    assert total.item() == pytest.approx(parts["d_coarse"].item() + parts["d_refined"].item())
    total, parts = task.loss("generator", networks, batch, state)
    both = sum(losses.masked_l1(one, state.clean, state.valid).item() for one in state.maps)
    assert parts["l1"].item() == pytest.approx(both, rel=1e-5)
    assert task.helpers.task is not None
    assert task.helpers.deep is not None
    aim = task.helpers.task.loss(state.repaired.refined, batch.values["label"]).item()
    deep = task.helpers.deep.loss(state.maps.refined * state.valid, state.clean).item()
    assert (parts["task"].item(), parts["perceptual"].item()) == pytest.approx((aim, deep), rel=1e-4)
    expected = both + 3.0 * parts["g_adversarial"].item() + 2.0 * deep + 5.0 * aim
    assert total.item() == pytest.approx(expected, rel=1e-4)


def test_gradients_stay_in_their_phase(pairs: Pairs, segmenter: str, tmp_path: Path) -> None:
    task, batch = made(pairs, tmp_path, task={"checkpoint": segmenter})
    networks = Networks(dict(task.networks.items()))
    state = task.begin(networks, batch)
    task.loss("critics", networks, batch, state)[0].backward()
    assert all(weight.grad is None for weight in task.networks["generator"].parameters())
    assert all(w.grad is not None for name in CRITICS for w in task.networks[name].parameters())
    assert isinstance(task.helpers.task, torch.nn.Module)
    state.maps.refined.retain_grad()
    task.loss("generator", networks, batch, state)[0].backward()
    assert state.maps.refined.grad is not None
    assert bool(state.maps.refined.grad.any())
    assert all(weight.grad is not None for weight in task.networks["generator"].parameters())
    assert all(weight.grad is None for weight in task.helpers.task.parameters())


def test_the_task_alone_moves_what_is_hidden_and_nothing_else(pairs: Pairs, segmenter: str, tmp_path: Path) -> None:
    task, batch = made(pairs, tmp_path, task={"checkpoint": segmenter})
    images = batch.values["image"].clone().requires_grad_()
    mapped = torch.zeros_like(images).requires_grad_()
    assert task.helpers.task is not None
    repaired = torch.where(batch.values["mask"] > 0.5, mapped, images)
    task.helpers.task.loss(repaired, batch.values["label"]).backward()
    assert mapped.grad is not None
    hidden = (batch.values["mask"] > 0.5).expand_as(mapped)
    assert bool(mapped.grad[hidden].any())
    assert not bool(mapped.grad[~hidden].any())


def test_a_frozen_task_network_stays_as_it_was(pairs: Pairs, segmenter: str, tmp_path: Path) -> None:
    """No update, and no drift of batch norm, though the step puts everything else into training mode."""
    settings = resolve(settings_of(pairs, tmp_path, task={"checkpoint": segmenter}))
    material = gather(settings)
    task = make_task(settings, fit_normaliser(settings, material), material)
    assert isinstance(task, InpaintTask)
    helper = task.helpers.task
    assert isinstance(helper, torch.nn.Module)
    before = {name: one.clone() for name, one in helper.state_dict().items()}
    helper.train()
    assert not any(module.training for module in helper.modules())
    networks = Networks(dict(task.networks.items()))
    source = material.sources[0]
    slots = source.of_split("train")[:4]
    batch = next(iter(sweep(source, slots, material.fields, task.normaliser, batch=4)))
    optimiser = torch.optim.Adam(
        [one for one in [*task.networks.parameters(), *helper.parameters()] if one.requires_grad]
    )
    for _ in range(2):
        optimiser.zero_grad()
        task.loss("generator", networks, batch, task.begin(networks, batch))[0].backward()
        optimiser.step()
    assert all(torch.equal(before[name], one) for name, one in helper.state_dict().items())


def test_a_run_repairs_and_is_used_without_its_helpers(pairs: Pairs, segmenter: str, tmp_path: Path) -> None:
    settings = settings_of(pairs, tmp_path, task={"checkpoint": segmenter})
    outcome = train(settings)
    assert outcome.finished
    assert {"psnr", "ssim", "mse", "task_miou"} <= outcome.scores.keys()
    trained = load(settings["out"], device="cpu")
    assert trained.kind == "inpainting"
    assert set(trained.task.networks) == {"generator", *CRITICS}
    generator = torch.Generator().manual_seed(1)
    images = torch.randn((2, 4, 45, 70), generator=generator)
    mask = (torch.rand((2, 1, 45, 70), generator=generator) > 0.5).float()
    repaired, hidden = trained.inpaint(images, mask), mask.bool().expand_as(images)
    assert torch.equal(repaired[~hidden], images[~hidden])
    assert not bool(torch.isclose(repaired[hidden], images[hidden]).all())
    assert torch.equal(repaired, trained.inpaint(torch.where(hidden, 9.0, images), mask))
    with pytest.raises(ModelError, match="not-an-inpainter"):
        load(segmenter, device="cpu").inpaint(images, mask)
    with pytest.raises(ModelError, match="not-a-generator"):
        trained.require("generator")


def test_what_a_task_saw_the_run_has_seen(pairs: Pairs, segmenter: str, tmp_path: Path) -> None:
    alone = gather(resolve(settings_of(pairs, tmp_path)))
    both = gather(resolve(settings_of(pairs, tmp_path, task={"checkpoint": segmenter})))
    assert [one.name for one in alone.fields] == ["image", "mask"]
    assert [one.name for one in both.fields] == ["image", "mask", "label"]
    assert set(load(segmenter).seen.digest.tolist()) <= set(both.seen.digest.tolist())


@pytest.mark.parametrize(
    ("more", "slug"),
    [
        ({"perceptual": {"weight": 1.0}}, "no-lpips-weights"),
        ({"perceptual": {"weight": 1.0, "features": "task"}}, "no-task-maps"),
        ({"task": {"checkpoint": "nowhere"}}, "no-checkpoint"),
        ({"mask": "occluded"}, "no-masks"),
        ({"augment": {"maskmix": {"area": [0.99, 1.0], "limits": [0.5, 0.5], "tries": 2}}}, "area-unreachable"),
    ],
)
def test_what_cannot_be_trained_is_refused(pairs: Pairs, tmp_path: Path, more: dict[str, Any], slug: str) -> None:
    with pytest.raises(Exception, match=slug):
        train(settings_of(pairs, tmp_path, **more))


def test_lpips_looks_at_three_bands(pairs: Pairs, tmp_path: Path) -> None:
    file = vgg_file(tmp_path / "lpips.safetensors", linear=True)
    task, _ = made(pairs, tmp_path, perceptual={"weight": 1.0, "weights": str(file)})
    assert task.helpers.deep is not None
    images = torch.rand((2, 4, 32, 32), generator=torch.Generator().manual_seed(0), requires_grad=True)
    task.helpers.deep.loss(images, torch.zeros(2, 4, 32, 32)).backward()
    assert images.grad is not None
    moved = images.grad.abs().amax((0, 2, 3)) > 0
    assert moved.tolist() == [True, True, True, False]  # near infrared is no colour


def test_masks_are_mixed_unless_a_preset_says_otherwise() -> None:
    def mixing(preset: str) -> tuple[bool, bool]:
        augment = resolve({"model": "inpaint", "preset": preset, "data": ["x"], "out": "y"}).augment
        return augment.maskmix == MixSettings(), augment.augmix is not None

    found = {one: mixing(one) for one in ("tiny", "paper", "tiny,baseline-b", "tiny,without-maskmix", "paper,augmix")}
    assert list(found.values()) == [(True, False), (True, False), (False, False), (False, False), (False, True)]


@pytest.mark.parametrize("preset", ["dcgan", "coarse-downs-4", "lsgan", "augmix"])
def test_variants_of_the_tables_train(pairs: Pairs, tmp_path: Path, preset: str) -> None:
    settings = settings_of(pairs, tmp_path)
    settings["coarse_critic"] = {"width": 4}
    settings["refined_critic"] = {"width": 4}
    if preset == "coarse-downs-4":
        settings["coarse_critic"] = {"width": 4, "norm": "none"}
        with pytest.raises(ModelError, match="odd-size"):  # 32 pixels are too few for it: it says so
            train({**settings, "preset": preset})
        return
    assert train({**settings, "preset": preset}).finished


def test_a_plain_unet_learns_from_the_difference_alone(pairs: Pairs, tmp_path: Path) -> None:
    sizes = ("network", "coarse_critic", "refined_critic", "perceptual")
    settings = {key: value for key, value in settings_of(pairs, tmp_path).items() if key not in sizes}
    settings |= {"model": "inpaint-unet", "network": {"width": 4}}
    task_settings = resolve(settings)
    material = gather(task_settings)
    task = make_task(task_settings, fit_normaliser(task_settings, material), material)
    assert set(task.networks) == {"generator"}
    assert [phase.name for phase in task.phases] == ["generator"]
    assert train(settings).finished
