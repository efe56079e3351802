"""Figures of a trained model on the chips of a split: a record as JSON, a figure a chip, and a page to look at.

What is kept of a chip is a few numbers; pictures are made of a handful of chips in a second pass.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import Field

from rsmodels.data.batch import ChipBatch
from rsmodels.data.lineage import refuse_leaks
from rsmodels.data.loader import sweep
from rsmodels.data.source import ChipSource
from rsmodels.errors import ModelError
from rsmodels.evaluation.columns import columns, gains_of
from rsmodels.evaluation.diversity import Draws
from rsmodels.evaluation.drawing import Drawing
from rsmodels.evaluation.generator import GeneratorJudge
from rsmodels.evaluation.generator_page import generator_sections
from rsmodels.evaluation.judges import IMAGE, Judge
from rsmodels.evaluation.page import Panel, page_sections, page_title
from rsmodels.evaluation.segmenter import SegmenterJudge
from rsmodels.evaluation.sight import Sight, Which, eye_of
from rsmodels.metrics.nearest import Gallery
from rsmodels.records import as_json
from rsmodels.report.page import write_page
from rsmodels.report.pictures import colours_of
from rsmodels.training.load import Trained, load
from rsprep.files import appearing, write_text
from rsprep.job.progress import Progress, Silent
from rsprep.settings import Section, make_settings

RECORD, CHIPS, DRAWN, PAGE = "metrics.json", "chips.parquet", "diversity.parquet", "report.html"


class EvaluateSettings(Section):
    """An evaluation."""

    LISTED_BY: ClassVar[str] = "rsmodels config evaluate"

    checkpoint: str = Field(min_length=1, description="checkpoint, or a run, of which the newest whole one is taken")
    data: str = Field(min_length=1, description="data set to evaluate on")
    split: Literal["train", "val", "test"] = Field("test", description="split of it")
    out: str | None = Field(None, description="folder of the figures; null: evaluations/ in the run")
    segmenter: str | None = Field(
        None, description="segmentation checkpoint that judges generated images: by its features and by its classes"
    )
    perceptual: Which = Field(
        "auto", description="what diversity is seen with; auto: vgg where weights are given, else the segmenter"
    )
    vgg: str | None = Field(
        None, description="weights of VGG (safetensors, torchvision's layout); with LPIPS's linear weights it is LPIPS"
    )
    samples: int = Field(10, ge=2, le=1000, description="images of each mask that diversity is measured on")
    pairs: int = Field(10, ge=1, description="random pairs of them that are compared")
    diversity_chips: int = Field(64, ge=1, description="masks that diversity is measured on, evenly spread")
    downstream: str | None = Field(None, description="folder of `rsmodels downstream`: what these images gained there")
    gallery_mb: int = Field(
        256, ge=0, description="memory for thumbnails of train chips, to find recited ones; 0: do not look"
    )
    batch: int = Field(16, ge=1, description="chips at once")
    threads: int = Field(2, ge=0, description="threads that read chips")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where the networks are")
    random_chips: int = Field(8, ge=0, description="chips shown besides the best, the median and the worst")
    seed: int = Field(0, description="which chips these are, and which noise is drawn")
    allow_seen: bool = Field(False, description="evaluate also on val or test chips that the model has seen")
    allow_few: bool = Field(False, description="Fréchet distance also of too few images")


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What was found, and where it lies."""

    out: Path
    record: dict[str, Any]
    """As in ``metrics.json``."""

    @property
    def page(self) -> Path:
        return self.out / PAGE


def evaluate(settings: EvaluateSettings | Mapping[str, Any], *, progress: Progress | None = None) -> Evaluation:
    """Evaluate a generator or a segmenter.

    Writes ``metrics.json``, ``chips.parquet`` (scores of each chip) and ``report.html``; of a stochastic generator also
    ``diversity.parquet`` (each mask and class, with the seeds of its noise).

    Parameters
    ----------
    progress : who watches; nobody by default.

    Raises
    ------
    ModelError : ``saw-held-out`` where the model has seen val or test chips that it is to be judged on; ``no-chips``,
        ``no-checkpoint``, ``torn-checkpoint``, ``no-such-field``, ``unlike-bands`` and other misfits of model and data;
        ``no-lpips-weights``, ``no-comparison`` and others of what is to judge.
    StoreError : the data set cannot be read.
    """
    checked = make_settings(EvaluateSettings, settings)
    trained = load(checked.checkpoint, device=checked.device)
    segmenter = None if checked.segmenter is None else load(checked.segmenter, device=checked.device)
    return evaluate_model(trained, ChipSource.open(checked.data), checked, segmenter=segmenter, progress=progress)


def evaluate_model(
    trained: Trained,
    source: ChipSource,
    settings: EvaluateSettings,
    *,
    segmenter: Trained | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """The same for a model and a data set that are open; see `evaluate`."""
    watcher = progress or Silent()
    _refuse_useless(trained, segmenter, settings)
    for field in trained.fields:
        source.layer(field)  # a data set without it shows before anything else of it is asked
    warnings = _seen(trained, source, settings)
    slots = source.of_split(settings.split)
    judge, more = _judge(trained, source, segmenter, settings)
    parts = []
    with closing(_batches(trained, source, settings.split, settings)) as batches:
        watcher.stage("evaluate", total=len(slots), unit="chips")
        for batch in batches:
            parts.append(judge.update(batch))
            watcher.advance(len(batch))
    scores = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    record = {
        "format": 1,
        "kind": trained.kind,
        "model": trained.settings.model,
        "checkpoint": {"name": trained.path.name, "hash": trained.manifest_hash},
        "data": {
            "name": source.name,
            "identity": source.identity,
            "split": settings.split,
            "chips": len(slots),
        },
        "seen": bool(warnings),
        "warnings": [*warnings, *_judge_seen(segmenter, source, settings)],
        "batch": settings.batch,
        **judge.figures(allow_few=settings.allow_few),
    }
    drawn = None if more is None else more.measured(slots, watcher)
    if drawn is not None:
        record |= drawn.record
        record["table"] = columns(record)
    out = _folder(trained, source, settings)
    out.mkdir(parents=True, exist_ok=True)
    names = _chip_names(source)
    panels = [
        Panel(caption=_caption(role, names[slots[place]], judge.words(scores, place)), images=images)
        for role, place, images in _pictures(trained, source, settings, judge, slots, scores[judge.rank_by])
    ]
    _write_chips(out / CHIPS, slots, names, scores)
    if drawn is not None and drawn.rows:
        _write_table(out / DRAWN, {"chip_id": [names[slot] for slot in drawn.rows["slot"]], **drawn.rows})
    title, subtitle = page_title(record)
    sections = page_sections(record, scores, judge.columns, panels, judge.legend)
    if drawn is not None:
        sections[1:1] = generator_sections(record, names)
        sections += drawn.sections
    write_page(out / PAGE, title, subtitle, sections, over="Evaluation")
    write_text(out / RECORD, as_json(record))
    return Evaluation(out=out, record=record)


def _refuse_useless(trained: Trained, segmenter: Trained | None, settings: EvaluateSettings) -> None:
    """Raise ModelError ``no-use`` where what judges generated images is given for a segmenter."""
    useless = {"segmenter": segmenter, "vgg": settings.vgg, "downstream": settings.downstream}
    given = [name for name, value in useless.items() if value is not None]
    if trained.kind != "generator" and given:
        raise ModelError(
            "no-use",
            f"{', '.join(given)}: for images that a generator makes, and a segmenter makes none",
            value=str(trained.path),
            remedy="leave it out",
        )


def _judge(
    trained: Trained, source: ChipSource, segmenter: Trained | None, settings: EvaluateSettings
) -> tuple[Judge, Drawing | None]:
    """What measures the model batch by batch, and what a generator is asked besides."""
    colours = colours_of(source, trained.fields)
    if trained.kind != "generator":
        return SegmenterJudge(trained, colours), None
    sight = None if segmenter is None else Sight(trained, segmenter)
    drawing = Drawing(
        trained=trained,
        colours=colours,
        eye=eye_of(trained, sight, settings.vgg, settings.perceptual, trained.device),
        gains=None if settings.downstream is None else gains_of(settings.downstream, trained.manifest_hash),
        draws=Draws(samples=settings.samples, pairs=settings.pairs, seed=settings.seed),
        masks=settings.diversity_chips,
        batch=settings.batch,
        read=lambda slots: _batches(trained, source, slots, settings),
        names=_chip_names(source),
    )
    train = source.of_split("train")
    gallery = None
    if settings.gallery_mb and len(train):
        field, memory = trained.normaliser.field(IMAGE), settings.gallery_mb * 2**20
        gallery = Gallery.of(source, train.tolist(), field, trained.normaliser, threads=settings.threads, memory=memory)
    return GeneratorJudge(trained, colours, sight, gallery), drawing


def _batches(
    trained: Trained, source: ChipSource, chips: str | NDArray[np.int64], settings: EvaluateSettings
) -> Generator[ChipBatch]:
    return sweep(
        source,
        chips if isinstance(chips, str) else chips.tolist(),
        trained.fields,
        trained.normaliser,
        batch=settings.batch,
        threads=settings.threads,
    )


def _seen(trained: Trained, source: ChipSource, settings: EvaluateSettings) -> list[str]:
    """A warning where the model has seen the chips that it is judged on; an error where these are val or test."""
    try:
        refuse_leaks(trained.seen, source, (settings.split,), who="the model")
    except ModelError as error:
        if error.slug != "saw-held-out":
            raise
        if settings.split == "train" or settings.allow_seen:
            return [f"figures on chips that the model was trained on: {error.cause}"]
        raise ModelError(
            "saw-held-out",
            error.cause,
            value=error.value,
            remedy="evaluate on chips that it has not seen; allow_seen goes on all the same, and the page warns",
        ) from None
    return []


def _judge_seen(segmenter: Trained | None, source: ChipSource, settings: EvaluateSettings) -> list[str]:
    """A warning where the segmenter was trained on the chips that it is to judge."""
    if segmenter is None:
        return []
    try:
        refuse_leaks(segmenter.seen, source, (settings.split,), who="the segmenter")
    except ModelError as error:
        if error.slug != "saw-held-out":
            raise
        return [f"judged by a segmenter that learned from these chips: {error.cause}"]
    return []


def _folder(trained: Trained, source: ChipSource, settings: EvaluateSettings) -> Path:
    if settings.out is not None:
        return Path(settings.out)
    home = trained.path.parent.parent if trained.path.parent.name == "checkpoints" else trained.path.parent
    return home / "evaluations" / f"{trained.path.name}-{source.name}-{settings.split}"


def _chosen(scores: NDArray[np.float64], count: int, seed: int) -> list[tuple[str, int]]:
    """Role and position of the chips to show: best, median and worst by score, and `count` at random, each once."""
    known = np.flatnonzero(~np.isnan(scores))
    if not len(known):
        return []
    ranked = known[np.argsort(-scores[known], kind="stable")]
    of = f"of {len(ranked):,}"
    places = {int(ranked[0]): f"best {of}"}
    places.setdefault(int(ranked[-1]), f"worst {of}")
    places.setdefault(int(ranked[(len(ranked) - 1) // 2]), f"median {of}")
    order = {"best": 0, "median": 1, "worst": 2}
    shown = sorted(((role, place) for place, role in places.items()), key=lambda one: order[one[0].split()[0]])
    rest = np.setdiff1d(known, np.array(list(places)))
    drawn = np.random.default_rng(seed).permutation(rest)[:count]
    return shown + [("at random", int(place)) for place in np.sort(drawn)]


def _pictures(
    trained: Trained,
    source: ChipSource,
    settings: EvaluateSettings,
    judge: Judge,
    slots: NDArray[np.int64],
    scores: NDArray[np.float64],
) -> list[tuple[str, int, list[Any]]]:
    """Role, position and pictures of the chips to show.

    Whole batches are made anew as they were scored: batch norm may look at a chip's neighbours.
    """
    chosen = _chosen(scores, settings.random_chips, settings.seed)
    if not chosen:
        return []
    parts = sorted({place // settings.batch for _, place in chosen})
    again = np.concatenate([slots[part * settings.batch : (part + 1) * settings.batch] for part in parts])
    painted: dict[int, list[Any]] = {}
    with closing(_batches(trained, source, again, settings)) as batches:
        for part, batch in zip(parts, batches, strict=True):
            wanted = {place - part * settings.batch: place for _, place in chosen if place // settings.batch == part}
            for row, images in judge.pictures(batch, sorted(wanted)).items():
                painted[wanted[row]] = images
    return [(role, place, painted[place]) for role, place in chosen]


def _caption(role: str, name: str, words: str) -> str:
    return f"{role}\n{name}\n{words}"


def _chip_names(source: ChipSource) -> dict[int, str]:
    return dict(zip(source.chips.slot.tolist(), source.chips.chip_id.tolist(), strict=True))


def _write_chips(
    path: Path, slots: NDArray[np.int64], names: Mapping[int, str], scores: Mapping[str, NDArray[np.float64]]
) -> None:
    """A row a chip: slot, name and scores; empty where there was nothing to score."""
    _write_table(path, {"slot": slots, "chip_id": [names[slot] for slot in slots.tolist()], **scores})


def _write_table(path: Path, columns: Mapping[str, Any]) -> None:
    arrays = {name: pa.array(values, from_pandas=True) for name, values in columns.items()}
    with appearing(path) as partial:
        pq.write_table(pa.table(arrays), partial, compression="zstd")
