"""Figures of the runs: each evaluated once, and timed while its network is at hand."""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from torch import nn

from rsmodels.data.loader import sweep
from rsmodels.data.source import ChipSource
from rsmodels.evaluation.evaluate import RECORD, EvaluateSettings, evaluate_model
from rsmodels.records import as_json
from rsmodels.tables.plan import SEGMENTER, Plan, Run
from rsmodels.training import checkpoint
from rsmodels.training.load import Trained, load
from rsprep.files import write_text
from rsprep.job.progress import Progress
from rsprep.settings import make_settings

COSTS = "costs.json"
SECONDS, MOST = 1.0, 50
"""Batches are generated for so long, and at most so many."""


def judge_run(plan: Plan, run: Run, watcher: Progress) -> None:
    """Evaluate a run's last checkpoint, unless that is done already."""
    settings = plan.evaluate(run)
    key = {
        "checkpoint": checkpoint.find(run.folder).digest,
        "segmenter": None if plan.colours else checkpoint.find(plan.home / SEGMENTER).digest,
        "data": plan.source.identity,
        "split": settings.split,
    }
    if _told(run.evaluation, "of") == key:
        return
    trained = load(run.folder, device=settings.device)
    segmenter = None if plan.colours else load(plan.home / SEGMENTER, device=settings.device)
    evaluate_model(trained, plan.source, settings, segmenter=segmenter, progress=watcher)
    watcher.stage("time")
    costs = {"of": key, **weights_of(trained), **_speed(trained, plan.source, settings)}
    write_text(run.evaluation / COSTS, as_json(costs))


def judge_segmenter(plan: Plan, watcher: Progress) -> None:
    """Evaluate the segmenter on the real images of the chips whose generated ones it judges."""
    home, out = plan.home / SEGMENTER, plan.home / "evaluations" / SEGMENTER
    split = plan.settings.evaluate.get("split", "test")
    key = {"checkpoint": checkpoint.find(home).digest, "data": plan.source.identity, "split": split}
    if _told(out, "of") == key:
        return
    trained = load(home, device=plan.settings.device)
    how = {"checkpoint": str(home), "data": plan.settings.data, "split": split, "out": str(out)}
    settings = make_settings(EvaluateSettings, {**how, "device": plan.settings.device})
    evaluate_model(trained, plan.source, settings, progress=watcher)
    write_text(out / COSTS, as_json({"of": key, **weights_of(trained)}))


def _told(folder: Path, name: str) -> Any:
    """What the record of costs says, where figures were made with it."""
    if not (folder / COSTS).is_file() or not (folder / RECORD).is_file():
        return None
    return json.loads((folder / COSTS).read_text(encoding="utf-8")).get(name)


def weights_of(trained: Trained) -> dict[str, int]:
    """Weights of the network in use, and of all networks that learn."""
    task = trained.task
    learning = dict.fromkeys(name for phase in task.phases for name in phase.networks)
    return {
        "parameters": _count(trained.network),
        "parameters_trained": sum(_count(task.networks[n]) for n in learning),
    }


def _count(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def _speed(trained: Trained, source: ChipSource, settings: EvaluateSettings) -> dict[str, Any]:
    """Images a second of one batch generated again and again; reading chips is not counted."""
    slots = source.of_split(settings.split)[: settings.batch].tolist()
    with closing(sweep(source, slots, trained.fields, trained.normaliser, batch=settings.batch, threads=0)) as batches:
        batch = next(batches)
    make = trained.colorize if trained.kind == "colorization" else trained.generate
    make(batch)
    began, times = time.perf_counter(), 0
    while times < MOST and (not times or time.perf_counter() - began < SECONDS):
        make(batch)  # comes back as numbers on the CPU: nothing is left to wait for
        times += 1
    spent = time.perf_counter() - began
    kind = trained.device.type
    device = torch.cuda.get_device_name(trained.device) if kind == "cuda" else f"cpu, {torch.get_num_threads()} threads"
    return {"images_per_second": times * len(batch) / spent, "generated_at_once": len(batch), "device": device}
