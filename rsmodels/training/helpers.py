"""Trained networks that a run learns from beside its data: a frozen conductor, the eyes of a perceptual loss.

Whatever they were trained on, the run has seen through them: their chips join its lineage.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import cast

from torch import nn

from rsmodels.data.fields import Field, visible
from rsmodels.data.normalise import Normaliser
from rsmodels.data.source import ChipSource, field
from rsmodels.errors import ModelError
from rsmodels.generators.inpainting_settings import DeepDistance, InpaintSettings
from rsmodels.generators.semantic_settings import Perceptual, SemanticSettings
from rsmodels.metrics.perceptual import PerceptualDistance, lpips_vgg16
from rsmodels.nets.segmenter import Segmenter
from rsmodels.nets.vgg import HOW_TO_GET, load_vgg
from rsmodels.tasks.base import Kind
from rsmodels.tasks.frozen import Frozen, FrozenSegmenter, Helpers, RgbMaps, SegmenterMaps, TaskNetwork
from rsmodels.tasks.frozen_scene import FrozenClassifier
from rsmodels.tasks.frozen_views import FrozenRetriever
from rsmodels.tasks.settings import RunSettings
from rsmodels.training.load import Trained, load

CONDUCTOR, PERCEPTUAL, TASK = "conductor", "perceptual", "task"
TARGETS: Mapping[Kind, str] = {"segmentation": "label", "classification": "scene", "retrieval": "satellite"}
"""Field that an image is held against, by what the network does."""
FROZEN: Mapping[Kind, Callable[..., TaskNetwork]] = {
    "segmentation": FrozenSegmenter,
    "classification": FrozenClassifier,
    "retrieval": FrozenRetriever,
}
"""The same network, frozen."""


def find_helpers(settings: RunSettings, fields: Sequence[Field]) -> dict[str, Trained]:
    """Load the segmentation runs that the settings name; see that files of weights are named where they are needed.

    Parameters
    ----------
    fields : of the run: the image first.

    Raises
    ------
    ModelError : ``no-perceptual-weights``, ``no-frozen-conductor``, ``no-colours``, ``other-classes``,
        ``not-a-segmenter``, and those of :func:`rsmodels.training.load.load` and :func:`rsmodels.nets.vgg.load_vgg`.
    """
    if isinstance(settings, InpaintSettings):
        return _for_inpainting(settings, fields[0])
    if not isinstance(settings, SemanticSettings):
        return {}
    found = {}
    if settings.perceptual.weight and _eyes(settings.perceptual, fields[0]):
        found[PERCEPTUAL] = _segmenter(str(settings.perceptual.weights))
    if settings.conductor.kind == "frozen":
        if settings.conductor.checkpoint is None:
            raise ModelError(
                "no-frozen-conductor",
                "a frozen conductor is a segmentation run, and none is named",
                value="conductor.checkpoint: null",
                remedy="train one (`rsmodels train segmentation`) and set conductor.checkpoint, or kind: joint",
            )
        found[CONDUCTOR] = conductor = _segmenter(settings.conductor.checkpoint)
        told, wanted = conductor.normaliser.field("label").classes, fields[1].classes
        if told != wanted:
            raise ModelError(
                "other-classes",
                "the frozen conductor tells other classes apart than the label map has",
                value=f"{', '.join(told)}; wanted: {', '.join(wanted)}",
                remedy="train the conductor on this data set",
            )
    return found


def make_helpers(settings: RunSettings, found: Mapping[str, Trained], normaliser: Normaliser) -> Helpers:
    """The networks, ready to be looked through; raises as `find_helpers`, and ``unlike-bands``."""
    if isinstance(settings, InpaintSettings):
        task = frozen_task(found[TASK], normaliser) if TASK in found else None
        return Helpers(task=task, deep=_deep(settings.perceptual, task, normaliser.field("image")))
    if not isinstance(settings, SemanticSettings):
        return Helpers()
    frozen = {
        name: FrozenSegmenter(cast(Segmenter, one.network), one.normaliser, normaliser) for name, one in found.items()
    }
    how = settings.perceptual
    if not how.weight:
        return Helpers(conductor=frozen.get(CONDUCTOR))
    if PERCEPTUAL in frozen:
        return Helpers(conductor=frozen.get(CONDUCTOR), perceptual=SegmenterMaps(frozen[PERCEPTUAL]))
    eyes = RgbMaps(load_vgg(str(how.weights)), _rgb(how.rgb, normaliser.field("image")))
    return Helpers(conductor=frozen.get(CONDUCTOR), perceptual=eyes)


def targets(found: Mapping[str, Trained], source: ChipSource) -> tuple[Field, ...]:
    """What else a batch has to hold for the task network, as `source` has it.

    Raises
    ------
    ModelError : ``no-such-field``; ``task-classes`` where the data set has other classes than the network.
    """
    if TASK not in found:
        return ()
    trained = found[TASK]
    target = field(source, TARGETS[trained.kind])
    wanted = trained.normaliser.field(target.name).classes
    if target.classes != wanted:
        raise ModelError(
            "task-classes",
            "the task network tells other classes apart than the data set has",
            value=f"{', '.join(wanted)}; here: {', '.join(target.classes)}",
            remedy="train the task network on this data set",
        )
    return (target,)


def frozen_task(trained: Trained, normaliser: Normaliser) -> TaskNetwork:
    """A trained network as what repaired images in the scale of `normaliser` are to serve.

    Raises
    ------
    ModelError : ``no-task`` for a run that judges no image; ``unlike-bands``.
    """
    if trained.kind not in FROZEN:
        raise ModelError(
            "no-task",
            "a task network tells classes or places apart, and this one makes images",
            value=f"{trained.path}: {trained.settings.model}",
            remedy=f"give a run of {', '.join(FROZEN)}",
        )
    return FROZEN[trained.kind](trained.network, trained.normaliser, normaliser)


def _for_inpainting(settings: InpaintSettings, image: Field) -> dict[str, Trained]:
    """The task network, and a look whether there are eyes for the perceptual loss."""
    found = {}
    if settings.task.checkpoint is not None:
        found[TASK] = load(settings.task.checkpoint, device="cpu")
        frozen_task(found[TASK], found[TASK].normaliser)
    how = settings.perceptual
    if how.weight and how.features == "task" and TASK not in found:
        raise ModelError(
            "no-task-maps",
            "the perceptual loss is to look through the task network, and none is named",
            value="task.checkpoint: null",
            remedy="set task.checkpoint, or perceptual.weight: 0 to do without",
        )
    if how.weight and how.features == "lpips":
        lpips_vgg16(how.weights)
        _rgb(how.rgb, image)
    return found


def _deep(how: DeepDistance, task: TaskNetwork | None, image: Field) -> PerceptualDistance | None:
    if not how.weight:
        return None
    if how.features == "task":
        return PerceptualDistance(name="task network", levels=cast(Frozen, task).maps)
    lpips = lpips_vgg16(how.weights)
    return replace(lpips, levels=RgbMaps(cast(nn.Module, lpips.levels), _rgb(how.rgb, image)))


def _eyes(how: Perceptual, image: Field) -> bool:
    """True where the perceptual loss looks through a segmentation run; else VGG's file is seen to be there."""
    if how.weights is None:
        raise ModelError(
            "no-perceptual-weights",
            "the perceptual loss looks through a trained network, and none is named",
            value=f"perceptual.features: {how.features}, perceptual.weights: null",
            remedy="set perceptual.weights to a file of VGG's, or perceptual.features: segmenter and weights to a "
            f"segmentation run, or perceptual.weight: 0 to do without; {HOW_TO_GET}",
        )
    if how.features == "vgg":
        load_vgg(how.weights)
        _rgb(how.rgb, image)
    return how.features == "segmenter"


def _rgb(told: tuple[int, int, int] | None, image: Field) -> tuple[int, int, int]:
    """Positions of red, green and blue among the image's bands."""
    bands = image.bands or ()
    if told is not None and max(told) < len(bands) and min(told) >= 0:
        return told
    found = visible(bands) if told is None else None
    if found is not None:
        return found
    raise ModelError(
        "no-colours",
        f"VGG looks at red, green and blue, which are not found among {', '.join(bands) or 'the bands'}",
        value=told,
        remedy="set perceptual.rgb to their three positions, counted from 0",
    )


def _segmenter(path: str) -> Trained:
    found = load(path, device="cpu")
    found.require("segmentation")
    return found
