"""Figures of a trained model on the chips of a split: a record as JSON, a figure a chip, and a page to look at.

What is kept of a chip is a few numbers; pictures are made of a handful of chips in a second pass.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from rsmodels.data.batch import ChipBatch
from rsmodels.data.loader import sweep
from rsmodels.data.source import ChipSource
from rsmodels.evaluation.bench import Bench, bench_of
from rsmodels.evaluation.columns import columns
from rsmodels.evaluation.judging import judge_of, refuse_idle_task, refuse_useless
from rsmodels.evaluation.lineage import judge_learned, seen_before
from rsmodels.evaluation.page import Panel, page_sections, page_title
from rsmodels.evaluation.settings import EvaluateSettings
from rsmodels.evaluation.shown import pictures
from rsmodels.records import as_json
from rsmodels.report.page import write_page
from rsmodels.training.load import Trained, load
from rsprep.cloud.address import Address, Place, place
from rsprep.cloud.workplace import worked_in
from rsprep.files import appearing, write_text
from rsprep.job.progress import Progress, Silent
from rsprep.settings import make_settings

__all__ = ["RECORD", "EvaluateSettings", "Evaluation", "evaluate", "evaluate_model"]

RECORD, CHIPS, DRAWN, PAGE = "metrics.json", "chips.parquet", "diversity.parquet", "report.html"


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What was found, and where it lies."""

    out: Place
    record: dict[str, Any]
    """As in ``metrics.json``."""

    @property
    def page(self) -> Place:
        return self.out / PAGE


def evaluate(settings: EvaluateSettings | Mapping[str, Any], *, progress: Progress | None = None) -> Evaluation:
    """Evaluate a trained model of any kind.

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
    refuse_useless(trained, segmenter, settings)
    refuse_idle_task(trained, settings)
    for field in trained.fields:
        source.layer(field)  # a data set without it shows before anything else of it is asked
    warnings = seen_before(trained, source, settings)
    bench = bench_of(trained, source, settings) if trained.kind == "inpainting" else None
    reading: Trained | Bench = bench or trained
    slots, names = source.of_split(settings.split), _chip_names(source)

    def read(chips: str | NDArray[np.int64]) -> Generator[ChipBatch]:
        wanted = chips if isinstance(chips, str) else chips.tolist()
        return sweep(source, wanted, reading.fields, reading.normaliser, batch=settings.batch, threads=settings.threads)

    judge, more = judge_of(trained, source, segmenter, settings, read, names, bench)
    parts = []
    with closing(read(settings.split)) as batches:
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
        "warnings": [
            *warnings,
            *judge_learned(segmenter, source, settings, "segmenter"),
            *(bench.warnings if bench else ()),
        ],
        "batch": settings.batch,
        **judge.figures(allow_few=settings.allow_few),
    }
    drawn = None if more is None else more.measured(slots, watcher)
    if drawn is not None:
        record |= drawn.record
        record["table"] = columns(record)
    panels = [
        Panel(caption=f"{role}\n{names[slots[place]]}\n{judge.words(scores, place)}", images=images)
        for role, place, images in pictures(judge, read, slots, scores[judge.rank_by], settings)
    ]
    title, subtitle = page_title(record, judge.headline(record))
    sections = page_sections(judge, record, scores, panels, names)
    if drawn is not None:
        sections += drawn.sections
    out = _folder(trained, source, settings)
    with worked_in(out) as folder:
        folder.mkdir(parents=True, exist_ok=True)
        _write_table(folder / CHIPS, {"slot": slots, "chip_id": [names[slot] for slot in slots.tolist()], **scores})
        if drawn is not None and drawn.rows:
            _write_table(folder / DRAWN, {"chip_id": [names[slot] for slot in drawn.rows["slot"]], **drawn.rows})
        write_page(folder / PAGE, title, subtitle, sections, over="Evaluation")
        write_text(folder / RECORD, as_json(record))
    return Evaluation(out=out, record=record)


def _folder(trained: Trained, source: ChipSource, settings: EvaluateSettings) -> Place:
    if settings.out is not None:
        return place(settings.out)
    here = place(trained.address)
    here = here if isinstance(here, Address) else trained.path
    home = here.parent.parent if here.parent.name == "checkpoints" else here.parent
    return home / "evaluations" / f"{trained.path.name}-{source.name}-{settings.split}"


def _chip_names(source: ChipSource) -> dict[int, str]:
    return dict(zip(source.chips.slot.tolist(), source.chips.chip_id.tolist(), strict=True))


def _write_table(path: Path, columns: Mapping[str, Any]) -> None:
    arrays = {name: pa.array(values, from_pandas=True) for name, values in columns.items()}
    with appearing(path) as partial:
        pq.write_table(pa.table(arrays), partial, compression="zstd")
