"""What an inpainting network is measured with: the task, whoever else repairs the same images, and what is read.

All images are in the scale of the network's own normaliser: what others make in another goes through the numbers of
the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from rsmodels.data.batch import ChipBatch
from rsmodels.data.fields import Field
from rsmodels.data.loader import sweep
from rsmodels.data.normalise import Normaliser
from rsmodels.data.source import ChipSource
from rsmodels.errors import ModelError
from rsmodels.evaluation.diversity import evenly
from rsmodels.evaluation.judges import IMAGE
from rsmodels.evaluation.lineage import judge_learned, seen_before
from rsmodels.evaluation.settings import EvaluateSettings
from rsmodels.filling.method import CLASSIC
from rsmodels.filling.tiles import Filler
from rsmodels.generators.inpainting_settings import MASK, InpaintSettings
from rsmodels.metrics.naturalness import Naturalness, grey_of
from rsmodels.nets.inpainting import composite, hidden
from rsmodels.tasks.frozen import Helpers, TaskNetwork, positions
from rsmodels.tasks.models import MODELS
from rsmodels.training.helpers import TASK, frozen_task, targets
from rsmodels.training.load import Trained, load

OCCLUDED = "occluded"
TITLES = {"telea": "Telea", "navier-stokes": "Navier-Stokes"}
LEVELS = 255.0
NONE = "none"
"""Instead of a run or a method: do without."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Rival:
    """Someone else who repairs the images."""

    key: str
    title: str
    fill: Filler
    hash: str | None = None
    """Of the checkpoint, where it is a trained one."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Bench:
    """What images are read, and who else is asked."""

    fields: tuple[Field, ...]
    """What a batch holds: clean image, mask, the occluded image where the store has it, what the task needs."""
    normaliser: Normaliser
    """That of the network, with what it lacks of these fields."""
    task: TaskNetwork | None
    judge: Trained | None
    """The run that the task network is of."""
    rivals: tuple[Rival, ...]
    naturalness: Naturalness | None
    """How natural an image looks, without a clean one beside it."""
    unnatural: str
    """Why there is none; empty where there is."""
    warnings: list[str]

    def unit(self, images: Tensor) -> Tensor:
        """Images on 0 to 1, as they are compared: pictures of 8 bit by their own numbers, others as the network does.

        So figures of pictures are those that anyone gets from files.
        """
        if self.own_numbers:
            return (self.normaliser.stored(IMAGE, images) / LEVELS).clamp(0.0, 1.0)
        return self.normaliser.unit(IMAGE, images)

    @property
    def own_numbers(self) -> bool:
        """True where images are compared by the numbers of the store over 255."""
        return self.normaliser[IMAGE].dtype == "uint8"

    def occluded(self, batch: ChipBatch) -> Tensor:
        """(B, C, y, x) what there is to repair: as the store has it, else white under the mask."""
        if OCCLUDED in batch.values:
            return batch.values[OCCLUDED]
        return hidden(batch.values[IMAGE], batch.values[MASK]) * batch.valid[IMAGE]


def bench_of(trained: Trained, source: ChipSource, settings: EvaluateSettings) -> Bench:
    """Load the task network and the rivals that the settings name.

    Raises
    ------
    ModelError : ``saw-held-out`` where a rival has seen the chips; ``no-such-filler``, ``not-an-inpainter``,
        ``rival-bands``, ``unlike-bands``, ``no-task``, ``task-classes``, ``no-such-field`` and others of misfits.
    """
    judge = _task_run(trained, settings)
    wanted = () if judge is None else targets({TASK: judge}, source)
    scalings = dict(trained.normaliser.scalings)
    for one in wanted:
        if judge is not None and one.name not in scalings:
            scalings[one.name] = judge.normaliser[one.name]
    fields = [*(trained.normaliser.field(name) for name in (IMAGE, MASK)), *wanted]
    image = trained.normaliser[IMAGE]
    if OCCLUDED in source.schema.names and image.field.variable != OCCLUDED:
        as_seen = replace(image.field, name=OCCLUDED, variable=OCCLUDED)
        scalings[OCCLUDED] = replace(image, field=as_seen)
        fields.append(as_seen)
    normaliser = Normaliser(scalings=scalings)
    task = None if judge is None else frozen_task(judge, normaliser)
    Helpers(task=task).to(trained.device)
    warnings = judge_learned(judge, source, settings, "task network")
    rivals: list[Rival] = []
    for name in settings.against:
        rival = _rival(name, trained, source, settings, warnings)
        taken = [one.key for one in rivals]
        rivals.append(rival if rival.key not in taken else replace(rival, key=f"{rival.key}-{len(rivals) + 1}"))
    naturalness, unnatural = _naturalness(source, normaliser, settings)
    return Bench(
        fields=tuple(fields),
        normaliser=normaliser,
        task=task,
        judge=judge,
        rivals=tuple(rivals),
        naturalness=naturalness,
        unnatural=unnatural,
        warnings=warnings,
    )


def _naturalness(
    source: ChipSource, normaliser: Normaliser, settings: EvaluateSettings
) -> tuple[Naturalness | None, str]:
    """Fitted on clean train chips, evenly chosen; or why it cannot be."""
    slots, field = evenly(source.of_split("train"), settings.naturalness_chips), normaliser.field(IMAGE)
    if not len(slots):
        return None, "there are no train chips to fit it on" if settings.naturalness_chips else "it was not asked for"
    try:
        with closing(sweep(source, slots.tolist(), [field], normaliser, batch=settings.batch)) as batches:
            units = (normaliser.unit(IMAGE, batch.values[IMAGE]) for batch in batches)
            return Naturalness.fit(units, grey_of(field.bands)), ""
    except ModelError as error:
        if error.slug not in ("small-chips", "too-few-images"):
            raise
        return None, error.cause


def _task_run(trained: Trained, settings: EvaluateSettings) -> Trained | None:
    """The run that is asked for, else the one that the network learned from."""
    path = settings.task
    if path is None and isinstance(trained.settings, InpaintSettings):
        path = trained.settings.task.checkpoint
    return None if path in (None, NONE) else load(str(path), device=settings.device)


def _rival(name: str, trained: Trained, source: ChipSource, settings: EvaluateSettings, warnings: list[str]) -> Rival:
    if name in CLASSIC:
        return Rival(key=name, title=TITLES[name], fill=CLASSIC[name])
    if not Path(name).exists():
        raise ModelError(
            "no-such-filler",
            "nothing of this name fills holes",
            value=name,
            remedy=f"{', '.join(CLASSIC)}, the folder of an inpainting run, or {NONE}",
        )
    other = load(name, device=settings.device)
    other.require("inpainting")
    home = _run_name(other.path)
    warnings += seen_before(other, source, settings, home)
    title = MODELS[other.settings.model].title if other.settings.model in MODELS else other.settings.model
    return Rival(key=home, title=f"{title} ({home})", fill=_translated(other, trained), hash=other.manifest_hash)


def _run_name(path: Path) -> str:
    """Name of the run's folder, of the path of a checkpoint."""
    path = path.absolute()
    return (path.parent.parent if path.parent.name == "checkpoints" else path).name


def _translated(other: Trained, mine: Trained) -> Filler:
    """Another network, given images in this one's scale; ModelError ``rival-bands`` where it repairs others."""
    theirs: Sequence[str] = other.normaliser.field(IMAGE).bands or ()
    if positions(mine.normaliser, other.normaliser) is not None and tuple(theirs) != mine.normaliser.field(IMAGE).bands:
        raise ModelError(
            "rival-bands",
            "networks that are compared repair the same bands in the same order",
            value=f"{', '.join(theirs)}; here: {', '.join(mine.normaliser.field(IMAGE).bands or ())}",
            remedy="compare networks that were trained alike",
        )

    def encoded(images: Tensor, source: Normaliser, target: Normaliser) -> Tensor:
        there, _ = target.encode(IMAGE, source.to_store(IMAGE, images))
        return torch.from_numpy(there)

    def fill(images: Tensor, mask: Tensor) -> Tensor:
        made = other.inpaint(encoded(images, mine.normaliser, other.normaliser), mask)
        return composite(encoded(made, other.normaliser, mine.normaliser), images, mask)

    return fill
