"""Models whose answers are known, for evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rsmodels.data.batch import ChipBatch
from rsmodels.data.lineage import seen_by
from rsmodels.data.loader import sweep
from rsmodels.data.normalise import Normaliser
from rsmodels.data.source import ChipSource, field
from rsmodels.evaluation.evaluate import EvaluateSettings, Evaluation, evaluate_model
from rsmodels.nets.noise import NoiseForm
from rsmodels.nets.rs_unet import RsUNet, RsUNetNetwork
from rsmodels.tasks.models import resolve
from rsmodels.training.load import Trained


class Planted:
    """Stands in for a task: predicts what a function makes of a batch."""

    phases = ()
    main = "network"
    headline = ("psnr", "higher")

    def __init__(self, kind: str, fields: Iterable[Any], predict: Callable[[ChipBatch], Tensor]) -> None:
        self.kind = kind
        self.fields = tuple(fields)
        self.networks = nn.ModuleDict()
        self._predict = predict

    def predict(self, network: nn.Module, batch: ChipBatch) -> Tensor:
        return self._predict(batch)


def planted(
    source: ChipSource, kind: str, predict: Callable[[ChipBatch], Tensor], network: nn.Module | None = None, **run: Any
) -> Trained:
    names = ("image", "landcover", "terrain") if kind == "generator" else ("image", "label")
    fields = [field(source, name) for name in names]
    normaliser = Normaliser.fit([source], fields)
    model = "pix2pix" if kind == "generator" else "segmentation"
    return Trained(
        path=Path("run/checkpoints/step-00000500"),
        address="run/checkpoints/step-00000500",
        task=Planted(kind, fields, predict),  # type: ignore[arg-type]  # only what evaluation uses
        network=network or nn.Identity(),
        normaliser=normaliser,
        settings=resolve({"model": model, "data": ["x"], "out": "y", "steps": 1, **run}),
        chip_px=source.schema.chip_px,
        manifest_hash="0123456789abcdef" * 4,
        parents=(),
        seen=seen_by([source]),
        device=torch.device("cpu"),
    )


def blurred(batch: ChipBatch) -> Tensor:
    return nn.functional.avg_pool2d(batch.values["image"], 3, stride=1, padding=1).clamp(-1, 1)


def noisy_labels(batch: ChipBatch) -> Tensor:
    """Logits of the true classes, but the first four rows all of class 0; unknown pixels of class 3."""
    truth = batch.values["label"].clone()
    truth[:, :4] = 0
    truth[truth == 255] = 3
    return nn.functional.one_hot(truth, 9).movedim(-1, 1).float()


def run(trained: Trained, source: ChipSource, out: Path, segmenter: Trained | None = None, **values: Any) -> Evaluation:
    settings = EvaluateSettings(checkpoint="run", data="data", out=str(out), **{"batch": 3, **values})
    return evaluate_model(trained, source, settings, segmenter=segmenter)


def batches(trained: Trained, source: ChipSource, split: str = "test") -> list[ChipBatch]:
    return list(sweep(source, split, trained.fields, trained.normaliser, batch=8))


def small_unet() -> RsUNet:
    """With weights of a size that lets something come through at its depth."""
    torch.manual_seed(0)
    net = RsUNet(4, 9, RsUNetNetwork(width=2))
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    return net.eval()


def by_network(net: nn.Module) -> Callable[[ChipBatch], Tensor]:
    """What a network makes of the image."""
    return lambda batch: net(batch.values["image"])


class Noisy(nn.Module):
    """Stands in for a stochastic generator's network."""

    def __init__(self, noise: NoiseForm) -> None:
        super().__init__()
        self.noise = noise


BY_CLASS = NoiseForm(shape=(10, 4), by_class=True)
"""Four numbers for each of nine classes and the unknown one."""


def stochastic(
    source: ChipSource, paint: Callable[[ChipBatch, Tensor], Tensor], form: NoiseForm = BY_CLASS, **run: Any
) -> Trained:
    """A generator that makes of a batch and its noise what `paint` makes of them."""
    trained = planted(source, "generator", lambda batch: batch.values["image"], network=Noisy(form), **run)

    class Task(Planted):
        def predict(self, network: nn.Module, batch: ChipBatch, noise: Tensor | None = None) -> Tensor:
            seeds = [key.slot for key in batch.chips]
            return paint(batch, form.seeded(seeds) if noise is None else noise)

    task = Task("generator", trained.fields, lambda batch: batch.values["image"])
    return replace(trained, task=task)  # type: ignore[arg-type]  # only what evaluation uses


def tinted(batch: ChipBatch, noise: Tensor) -> Tensor:
    """Every class in a colour of its own, tinted by its noise alone."""
    classes = batch.values["landcover"].clamp(max=9)
    levels = torch.linspace(-0.7, 0.7, 10)[:, None] * torch.tensor([1.0, -1.0, 0.5, 0.2])
    rows = torch.arange(len(noise))[:, None, None]
    return (levels[classes] + 0.2 * torch.tanh(noise)[rows, classes]).movedim(-1, 1)
