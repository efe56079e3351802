"""Who judges a trained model, by what it is for."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping

import numpy as np
from numpy.typing import NDArray

from rsmodels.data.batch import ChipBatch
from rsmodels.data.source import ChipSource
from rsmodels.errors import ModelError
from rsmodels.evaluation.bench import Bench
from rsmodels.evaluation.classifier import ClassifierJudge
from rsmodels.evaluation.colorizer import ColorizerJudge
from rsmodels.evaluation.columns import gains_of
from rsmodels.evaluation.diversity import Draws
from rsmodels.evaluation.drawing import Drawing
from rsmodels.evaluation.generator import GeneratorJudge
from rsmodels.evaluation.judges import IMAGE, Colours, Judge
from rsmodels.evaluation.repair import RepairJudge
from rsmodels.evaluation.retriever import RetrieverJudge
from rsmodels.evaluation.segmenter import SegmenterJudge
from rsmodels.evaluation.settings import EvaluateSettings
from rsmodels.evaluation.sight import Sight, eye_of
from rsmodels.metrics.nearest import Gallery
from rsmodels.report.pictures import colours_of
from rsmodels.training.load import Trained


def refuse_useless(trained: Trained, segmenter: Trained | None, settings: EvaluateSettings) -> None:
    """Raise ModelError ``no-use`` where what judges generated images is given for another model."""
    useless = {"segmenter": segmenter, "vgg": settings.vgg, "downstream": settings.downstream}
    given = [name for name, value in useless.items() if value is not None]
    if trained.kind != "generator" and given:
        raise ModelError(
            "no-use",
            f"{', '.join(given)}: for images that a generator makes, and this model is none",
            value=str(trained.path),
            remedy="leave it out",
        )


def refuse_idle_task(trained: Trained, settings: EvaluateSettings) -> None:
    """Raise ModelError ``idle-task`` where a task is named for what repairs no image."""
    if settings.task is not None and trained.kind != "inpainting":
        raise ModelError(
            "idle-task",
            "a task is what repaired images are to serve, and this model repairs none",
            value=str(trained.path),
            remedy="leave the task out",
        )


def judge_of(
    trained: Trained,
    source: ChipSource,
    segmenter: Trained | None,
    settings: EvaluateSettings,
    read: Callable[[NDArray[np.int64]], Generator[ChipBatch]],
    names: Mapping[int, str],
    bench: Bench | None,
) -> tuple[Judge, Drawing | None]:
    """What measures a model batch by batch, and what a generator is asked besides.

    Parameters
    ----------
    read : batches of the chips in some slots.
    names : of the chips, by slot.
    bench : what an inpainting network is measured with.
    """
    colours = colours_of(source, trained.fields)
    if bench is not None:
        return RepairJudge(trained, bench), None
    if trained.kind == "segmentation":
        return SegmenterJudge(trained, colours), None
    if trained.kind == "classification":
        return ClassifierJudge(trained), None
    if trained.kind == "retrieval":
        return RetrieverJudge(trained, source, source.of_split(settings.split), read), None
    if trained.kind == "colorization":
        return ColorizerJudge(trained), None
    return _of_generator(trained, source, segmenter, settings, read, names, colours)


def _of_generator(
    trained: Trained,
    source: ChipSource,
    segmenter: Trained | None,
    settings: EvaluateSettings,
    read: Callable[[NDArray[np.int64]], Generator[ChipBatch]],
    names: Mapping[int, str],
    colours: Colours,
) -> tuple[Judge, Drawing]:
    sight = None if segmenter is None else Sight(trained, segmenter)
    drawing = Drawing(
        trained=trained,
        colours=colours,
        eye=eye_of(trained, sight, settings.vgg, settings.perceptual, trained.device),
        gains=None if settings.downstream is None else gains_of(settings.downstream, trained.manifest_hash),
        draws=Draws(samples=settings.samples, pairs=settings.pairs, seed=settings.seed),
        masks=settings.diversity_chips,
        batch=settings.batch,
        read=read,
        names=names,
    )
    train = source.of_split("train")
    gallery = None
    if settings.gallery_mb and len(train):
        field, memory = trained.normaliser.field(IMAGE), settings.gallery_mb * 2**20
        gallery = Gallery.of(source, train.tolist(), field, trained.normaliser, threads=settings.threads, memory=memory)
    return GeneratorJudge(trained, colours, sight, gallery), drawing
