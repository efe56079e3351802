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
from rsmodels.evaluation.judges import GeneratorJudge, Judge, SegmenterJudge
from rsmodels.evaluation.page import Panel, page_sections, page_title
from rsmodels.records import as_json
from rsmodels.report.page import write_page
from rsmodels.report.pictures import colours_of
from rsmodels.training.load import Trained, load
from rsprep.files import appearing, write_text
from rsprep.job.progress import Progress, Silent
from rsprep.settings import Section, make_settings

RECORD, CHIPS, PAGE = "metrics.json", "chips.parquet", "report.html"


class EvaluateSettings(Section):
    """An evaluation."""

    LISTED_BY: ClassVar[str] = "rsmodels config evaluate"

    checkpoint: str = Field(min_length=1, description="checkpoint, or a run, of which the newest whole one is taken")
    data: str = Field(min_length=1, description="data set to evaluate on")
    split: Literal["train", "val", "test"] = Field("test", description="split of it")
    out: str | None = Field(None, description="folder of the figures; null: evaluations/ in the run")
    extractor: str | None = Field(
        None, description="segmentation checkpoint whose features the distances between real and generated images use"
    )
    batch: int = Field(16, ge=1, description="chips at once")
    threads: int = Field(2, ge=0, description="threads that read chips")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where the networks are")
    random_chips: int = Field(8, ge=0, description="chips shown besides the best, the median and the worst")
    seed: int = Field(0, description="which chips these are")
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

    Writes ``metrics.json``, ``chips.parquet`` (scores of each chip) and ``report.html``.

    Parameters
    ----------
    progress : who watches; nobody by default.

    Raises
    ------
    ModelError : ``saw-held-out`` where the model has seen val or test chips that it is to be judged on; ``no-chips``,
        ``no-checkpoint``, ``torn-checkpoint``, ``no-such-field``, ``unlike-bands`` and other misfits of model and data.
    StoreError : the data set cannot be read.
    """
    checked = make_settings(EvaluateSettings, settings)
    trained = load(checked.checkpoint, device=checked.device)
    extractor = None if checked.extractor is None else load(checked.extractor, device=checked.device)
    return evaluate_model(trained, ChipSource.open(checked.data), checked, extractor=extractor, progress=progress)


def evaluate_model(
    trained: Trained,
    source: ChipSource,
    settings: EvaluateSettings,
    *,
    extractor: Trained | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """The same for a model and a data set that are open; see `evaluate`."""
    watcher = progress or Silent()
    warnings = _seen(trained, source, settings)
    judge = _judge(trained, source, extractor, settings)
    slots = source.of_split(settings.split)
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
        "warnings": [*warnings, *_extractor_seen(extractor, source, settings)],
        "batch": settings.batch,
        **judge.figures(allow_few=settings.allow_few),
    }
    out = _folder(trained, source, settings)
    out.mkdir(parents=True, exist_ok=True)
    names = _chip_names(source)
    panels = [
        Panel(caption=_caption(role, names[slots[place]], judge.words(scores, place)), images=images)
        for role, place, images in _pictures(trained, source, settings, judge, slots, scores[judge.rank_by])
    ]
    _write_chips(out / CHIPS, slots, names, scores)
    title, subtitle = page_title(record)
    sections = page_sections(record, scores, judge.columns, panels, judge.legend)
    write_page(out / PAGE, title, subtitle, sections, over="Evaluation")
    write_text(out / RECORD, as_json(record))
    return Evaluation(out=out, record=record)


def _judge(trained: Trained, source: ChipSource, extractor: Trained | None, settings: EvaluateSettings) -> Judge:
    colours = colours_of(source, trained.fields)
    if trained.kind == "generator":
        return GeneratorJudge(trained, colours, extractor)
    if extractor is not None:
        raise ModelError(
            "no-use",
            "an extractor compares generated images with real ones, and a segmenter generates none",
            value=settings.extractor,
            remedy="leave the extractor out",
        )
    return SegmenterJudge(trained, colours)


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


def _extractor_seen(extractor: Trained | None, source: ChipSource, settings: EvaluateSettings) -> list[str]:
    """A warning where the extractor was trained on the chips whose features it is to see."""
    if extractor is None:
        return []
    try:
        refuse_leaks(extractor.seen, source, (settings.split,), who="the extractor")
    except ModelError as error:
        if error.slug != "saw-held-out":
            raise
        return [f"distances by features that were learned on these chips: {error.cause}"]
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
    columns: dict[str, Any] = {"slot": slots, "chip_id": [names[slot] for slot in slots.tolist()], **scores}
    arrays = {name: pa.array(values, from_pandas=True) for name, values in columns.items()}
    with appearing(path) as partial:
        pq.write_table(pa.table(arrays), partial, compression="zstd")
