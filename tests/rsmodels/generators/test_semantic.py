"""The step of CSEBGAN: three networks, each told what it ought to be, and through what gradients run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rsmodels import losses
from rsmodels.data.batch import ChipBatch
from rsmodels.data.fields import IGNORE
from rsmodels.data.loader import sweep
from rsmodels.data.normalise import Normaliser
from rsmodels.data.source import ChipSource
from rsmodels.errors import ModelError
from rsmodels.generators.semantic import SemanticTask
from rsmodels.nets.rs_unet import RsUNet, RsUNetNetwork
from rsmodels.tasks.base import Networks
from rsmodels.tasks.frozen import FrozenSegmenter, Helpers, SegmenterMaps
from rsmodels.tasks.models import model, resolve
from rsmodels.training.schedule import seed_step
from rsprep.errors import ConfigError

NARROW = {
    "network": {"width": 2},
    "discriminator": {"width": 4, "downs": 2, "scales": 1},
    "conductor": {"network": {"width": 4}},
    "perceptual": {"weight": 0.0},
}


def over(base: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    return {key: {**base.get(key, {}), **more[key]} if key in more else base[key] for key in base} | {
        key: value for key, value in more.items() if key not in base
    }


def made(
    dataset: Path, name: str = "csebgan", helpers: Helpers | None = None, **more: Any
) -> tuple[SemanticTask, ChipBatch]:
    narrow = {key: value for key, value in NARROW.items() if key != "conductor" or name == "csebgan"}
    settings = resolve({"model": name, "data": [str(dataset)], "out": "x", "steps": 1, **over(narrow, more)})
    source = ChipSource.open(dataset)
    fields = settings.fields(source)
    normaliser = Normaliser.fit([source], fields)
    torch.manual_seed(0)
    task = model(name).build(settings, normaliser, source.schema.chip_px, helpers)
    assert isinstance(task, SemanticTask)
    batch = next(iter(sweep(source, source.of_split("train")[:4], fields, normaliser, batch=4)))
    return task, batch


def bare(task: SemanticTask) -> Networks:
    return Networks(dict(task.networks.items()))


def learned(network: nn.Module) -> bool:
    return any(weight.grad is not None and bool(weight.grad.any()) for weight in network.parameters())


def parts_of(task: SemanticTask, batch: ChipBatch, phase: str) -> tuple[Tensor, dict[str, Tensor]]:
    networks = bare(task)
    seed_step(0, 0)
    return task.loss(phase, networks, batch, task.begin(networks, batch))


def test_three_phases_with_the_papers_rates(tiny_dataset: Path) -> None:
    task, _ = made(tiny_dataset)
    assert [(phase.name, phase.networks, phase.optimiser.lr, phase.optimiser.betas) for phase in task.phases] == [
        ("discriminator", ("discriminator",), 4e-4, (0.0, 0.9)),
        ("conductor", ("conductor",), 1e-4, (0.0, 0.9)),
        ("generator", ("generator",), 1e-4, (0.0, 0.9)),
    ]


def test_the_losses_are_the_papers(tiny_dataset: Path) -> None:
    """Eqs. 6 and 8 to 13, computed here from what the networks say."""
    task, batch = made(tiny_dataset)
    task.networks.eval()  # so that a second pass says the same
    networks = bare(task)
    state = task.begin(networks, batch)
    critic, conductor = task.networks["discriminator"], task.networks["conductor"]

    total, _ = task.loss("discriminator", networks, batch, state)
    real, fake = (critic(state.conditions, image) for image in (state.real, state.fake))
    hinge = (1 - real[0][-1]).clamp(min=0).mean() + (1 + fake[0][-1]).clamp(min=0).mean()
    torch.testing.assert_close(total, hinge)

    total, _ = task.loss("conductor", networks, batch, state)
    entropies = [
        nn.functional.cross_entropy(conductor(image), state.labels, ignore_index=IGNORE)
        for image in (state.real, state.fake)
    ]
    torch.testing.assert_close(total, torch.stack(entropies).sum())

    total, _ = task.loss("generator", networks, batch, state)
    matched = torch.stack([(a - b).abs().mean() for a, b in zip(fake[0][:-1], real[0][:-1], strict=True)]).sum()
    torch.testing.assert_close(total, -fake[0][-1].mean() + 10 * matched + entropies[1])


@pytest.mark.parametrize("kind", ["joint", "none"])
def test_gradients_of_the_conductor_reach_the_generator_as_switched(tiny_dataset: Path, kind: str) -> None:
    alone = {"losses": {"adversarial_weight": 0.0}, "perceptual": {"weight": 0.0}}
    if kind == "none":
        with pytest.raises(ModelError, match="no-loss"):
            made(tiny_dataset, conductor={"kind": "none"}, **alone)
        return
    task, batch = made(tiny_dataset, **alone)
    task.networks["conductor"].requires_grad_(False)  # as the loop does while the generator learns
    total, parts = parts_of(task, batch, "generator")
    assert parts.keys() == {"conducted"}
    total.backward()
    assert learned(task.networks["generator"])
    assert not learned(task.networks["conductor"])


def test_in_its_own_phase_the_conductor_alone_learns(tiny_dataset: Path) -> None:
    task, batch = made(tiny_dataset)
    parts_of(task, batch, "conductor")[0].backward()
    assert learned(task.networks["conductor"])
    assert not learned(task.networks["generator"])


@pytest.mark.parametrize(
    ("switch", "names"),
    [({}, {"c_real", "c_fake"}), ({"on_real": False}, {"c_fake"}), ({"on_fake": False}, {"c_real"})],
)
def test_what_the_conductor_learns_from(tiny_dataset: Path, switch: dict[str, bool], names: set[str]) -> None:
    task, batch = made(tiny_dataset, conductor={**NARROW["conductor"], **switch})
    total, parts = parts_of(task, batch, "conductor")
    assert parts.keys() == names
    torch.testing.assert_close(total, torch.stack(list(parts.values())).sum())


def test_a_conductor_that_learns_nothing_is_refused(tiny_dataset: Path) -> None:
    with pytest.raises(ConfigError, match="idle-conductor"):
        made(tiny_dataset, conductor={"on_real": False, "on_fake": False})


def test_its_statistics_come_from_its_own_phase_alone(tiny_dataset: Path) -> None:
    task, batch = made(tiny_dataset)
    norms = [m for m in task.networks["conductor"].modules() if isinstance(m, nn.BatchNorm2d)]
    before = [norm.running_mean.clone() for norm in norms if norm.running_mean is not None]
    parts_of(task, batch, "generator")
    assert all(torch.equal(a, norm.running_mean) for a, norm in zip(before, norms, strict=True))  # type: ignore[arg-type]
    assert all(norm.training for norm in norms)
    parts_of(task, batch, "conductor")
    assert not any(torch.equal(a, norm.running_mean) for a, norm in zip(before, norms, strict=True))  # type: ignore[arg-type]


def test_without_discriminator_there_is_none(tiny_dataset: Path) -> None:
    task, batch = made(tiny_dataset, losses={"adversarial_weight": 0.0})
    assert set(task.networks) == {"generator", "conductor"}
    assert [phase.name for phase in task.phases] == ["conductor", "generator"]
    assert parts_of(task, batch, "generator")[1].keys() == {"conducted"}


def frozen(task: SemanticTask) -> FrozenSegmenter:
    torch.manual_seed(1)
    network = RsUNet(task.normaliser.channels("image"), 9, RsUNetNetwork(width=4))
    return FrozenSegmenter(network, task.normaliser, task.normaliser)


def test_a_frozen_conductor_guides_and_never_moves(tiny_dataset: Path) -> None:
    first, _ = made(tiny_dataset)
    guide = frozen(first)
    weights = {name: tensor.clone() for name, tensor in guide.state_dict().items()}
    switched = {"conductor": {"kind": "frozen"}, "losses": {"adversarial_weight": 0.0}}
    task, batch = made(tiny_dataset, helpers=Helpers(conductor=guide), **switched)
    assert set(task.networks) == {"generator"}
    task.networks.train()
    guide.train()
    parts_of(task, batch, "generator")[0].backward()
    assert learned(task.networks["generator"])
    assert all(weight.grad is None for weight in guide.parameters())
    assert all(torch.equal(tensor, weights[name]) for name, tensor in guide.state_dict().items())


def test_the_perceptual_loss_through_a_segmenter(tiny_dataset: Path) -> None:
    first, _ = made(tiny_dataset)
    eyes = SegmenterMaps(frozen(first))
    perceptual = {"weight": 10.0, "features": "segmenter", "weights": "run"}
    task, batch = made(tiny_dataset, helpers=Helpers(perceptual=eyes), perceptual=perceptual)
    task.networks.eval()
    networks = bare(task)
    state = task.begin(networks, batch)
    _, parts = task.loss("generator", networks, batch, state)
    expected = losses.perceptual(eyes(state.fake), eyes(state.real))
    torch.testing.assert_close(parts["perceptual"], expected)
    assert float(losses.perceptual(eyes(state.real), eyes(state.real))) == 0
    parts["perceptual"].backward()
    assert learned(task.networks["generator"])


def test_a_task_without_its_helpers_can_be_used_but_not_trained(tiny_dataset: Path) -> None:
    task, batch = made(tiny_dataset, conductor={"kind": "frozen"})
    assert task.predict(task.networks["generator"], batch).shape == batch.values["image"].shape
    with pytest.raises(ValueError, match="helper"):
        parts_of(task, batch, "generator")


def test_unknown_pixels_teach_no_conductor(tiny_dataset: Path) -> None:
    task, batch = made(tiny_dataset)
    state = task.begin(bare(task), batch)
    unknown = (batch.values["landcover"] == IGNORE) | ~batch.valid["image"][:, 0]
    assert bool(unknown.any())
    assert bool((state.labels[unknown] == IGNORE).all())
    assert torch.equal(state.labels[~unknown], batch.values["landcover"][~unknown])


def test_the_same_chips_give_the_same_images_and_other_noise_others(tiny_dataset: Path) -> None:
    task, batch = made(tiny_dataset)
    network = task.networks["generator"]
    assert task.noise is not None
    noise = task.noise.seeded([1, 2, 3, 4])
    with torch.no_grad():
        one, again, other = (task.predict(network, batch, given) for given in (None, None, noise))
    assert torch.equal(one, again)
    assert not torch.allclose(one, other)


def test_the_divergence_of_semantic_embeddings(tiny_dataset: Path) -> None:
    task, batch = made(tiny_dataset, losses={"kl": 0.1})
    _, parts = parts_of(task, batch, "generator")
    torch.testing.assert_close(parts["kl"], task.networks["generator"].divergence())  # type: ignore[operator]
    with pytest.raises(ModelError, match="no-divergence"):
        made(tiny_dataset, "spade", losses={"kl": 0.1}, network={"width": 2, "hidden": 4})


def test_a_variational_generator_learns_from_the_real_image(tiny_dataset: Path) -> None:
    task, batch = made(tiny_dataset, "vspade", network={"width": 2, "hidden": 4, "z": 8, "encoder": 2})
    assert task.phases[-1].networks == ("generator", "encoder")
    total, parts = parts_of(task, batch, "generator")
    assert parts["kl"].item() >= 0
    total.backward()
    assert learned(task.networks["generator"])
    assert learned(task.networks["encoder"])


def test_scores_have_a_distance_that_needs_no_pairs(tiny_dataset: Path) -> None:
    task, batch = made(tiny_dataset)
    found = task.score(task.networks["generator"], [batch])
    assert task.headline == ("kernel", "lower")
    assert found["kernel"] > 0
    assert {"psnr", "ssim", "sam", "mse"} <= found.keys()
