"""The comparison: every run, its figures on held-out real chips, and what the mix gains."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rsmodels.data.source import ChipSource
from rsmodels.downstream.arms import Arm, Plan, plan
from rsmodels.downstream.gains import paired_gain, spread
from rsmodels.downstream.page import write_report
from rsmodels.downstream.settings import DownstreamSettings
from rsmodels.errors import ModelError
from rsmodels.evaluation.evaluate import RECORD as FIGURES
from rsmodels.evaluation.evaluate import EvaluateSettings, evaluate_model
from rsmodels.records import as_json, number
from rsmodels.tasks.segmentation import LABEL
from rsmodels.training import checkpoint
from rsmodels.training.load import load
from rsmodels.training.named import Named
from rsmodels.training.run import train
from rsmodels.training.save import saved_normaliser
from rsprep.cloud.address import Place, place
from rsprep.cloud.workplace import worked_in
from rsprep.files import write_text
from rsprep.job.progress import Progress, Silent
from rsprep.settings import dump_config, make_settings

CONFIG, RECORD, PAGE = "config.yaml", "downstream.json", "report.html"
SCORES = ("miou", "fwiou", "accuracy")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What was found, and where it lies."""

    out: Place
    record: dict[str, Any]
    """As in ``downstream.json``."""

    @property
    def page(self) -> Place:
        """The report."""
        return self.out / PAGE


def compare(settings: DownstreamSettings | Mapping[str, Any], *, progress: Progress | None = None) -> Comparison:
    """Train RS-UNet on real chips alone and on each mix, several seeds each, and judge all runs on held-out real chips.

    Each run is a folder as `rsmodels train` makes it; the same call goes on with what is missing. Judged is the last
    checkpoint of a run: none is picked by its score.

    Raises
    ------
    ModelError, StoreError, ConfigError : something that was given cannot be used; nothing is written then.
    TrainError : a run had to stop.
    """
    checked = make_settings(DownstreamSettings, settings)
    chosen = plan(checked)
    with worked_in(checked.out) as home:
        record = _compare(checked, chosen, home, progress or Silent())
    return Comparison(out=place(checked.out), record=record)


def _compare(checked: DownstreamSettings, chosen: Plan, home: Path, watcher: Progress) -> dict[str, Any]:
    """Train and judge in a folder; what came out."""
    _check_folder(home)
    home.mkdir(parents=True, exist_ok=True)
    if not (home / CONFIG).exists():  # else kept until the runs have accepted these settings
        write_text(home / CONFIG, dump_config(checked))
    runs = [
        _run(arm, seed, home, chosen, checked, watcher)
        for seed in range(checked.seed, checked.seed + checked.seeds)
        for arm in chosen.arms
    ]
    record = _record(checked, chosen, runs, home)
    watcher.stage("report")
    write_text(home / CONFIG, dump_config(checked))
    write_text(home / RECORD, as_json(record))
    write_report(home / PAGE, record, home, chosen)
    return record


def _run(
    arm: Arm, seed: int, home: Path, chosen: Plan, settings: DownstreamSettings, watcher: Progress
) -> dict[str, Any]:
    """Train one run to its end, or find it done, and judge it."""
    name = f"{arm.title}, seed {seed}"
    train(arm.run(seed, home), progress=Named(watcher, name))
    folder = arm.folder(seed, home)
    found = _judged(folder, chosen.real, settings.split, chosen.settings.device, Named(watcher, name))
    return {
        "arm": arm.key,
        "seed": seed,
        "folder": str(folder.relative_to(home)),
        "checkpoint": found["checkpoint"],
        "figures": {name: number(found["figures"][name]) for name in SCORES},
        "classes": [{**one, "iou": number(one["iou"])} for one in found["classes"]],
    }


def _judged(run: Path, real: ChipSource, split: str, device: str, watcher: Progress) -> dict[str, Any]:
    """Figures of a run's last checkpoint on real chips, in RUN/SPLIT; made before, they are taken from there."""
    trained = load(run, device=device)
    out = run / split
    wanted = (trained.manifest_hash, real.identity, split)
    if (out / FIGURES).is_file():
        before: dict[str, Any] = json.loads((out / FIGURES).read_text(encoding="utf-8"))
        if (before["checkpoint"]["hash"], before["data"]["identity"], before["data"]["split"]) == wanted:
            return before
    how = {"checkpoint": str(run), "data": str(real.folder), "split": split, "out": str(out), "device": device}
    return evaluate_model(trained, real, make_settings(EvaluateSettings, how), progress=watcher).record


def _record(settings: DownstreamSettings, chosen: Plan, runs: Sequence[dict[str, Any]], home: Path) -> dict[str, Any]:
    """All figures; nothing in it depends on when or where it was made."""
    of = {arm.key: [run for run in runs if run["arm"] == arm.key] for arm in chosen.arms}
    scores = {key: {name: [run["figures"][name] for run in some] for name in SCORES} for key, some in of.items()}
    names = [one["name"] for one in runs[0]["classes"]]
    classes = {
        key: {name: [run["classes"][k]["iou"] for run in some] for k, name in enumerate(names)}
        for key, some in of.items()
    }
    return {
        "format": 2,
        "real": _data(chosen.real) | {"judged_on": settings.split, "share": settings.share},
        "synthetic": [made.record() for made in chosen.synthetic],
        "seeds": list(range(settings.seed, settings.seed + settings.seeds)),
        "confidence": settings.confidence,
        "batch": chosen.settings.batch,
        "arms": [
            {
                "key": arm.key,
                "title": arm.title,
                "synthetic": arm.synthetic,
                "ratio": list(arm.ratio),
                "steps": arm.steps,
                "passes": arm.passes,
                "scores": {name: asdict(spread(values)) for name, values in scores[arm.key].items()},
                "classes": {name: asdict(spread(values)) for name, values in classes[arm.key].items()},
            }
            for arm in chosen.arms
        ],
        "gains": {
            arm.key: {
                "scores": _gains(scores["true"], scores[arm.key], settings.confidence),
                "classes": _gains(classes["true"], classes[arm.key], settings.confidence),
            }
            for arm in chosen.arms[1:]
        },
        "classes": _classes(runs[0], chosen, settings, home),
        "runs": list(runs),
    }


def _classes(run: Mapping[str, Any], chosen: Plan, settings: DownstreamSettings, home: Path) -> list[dict[str, Any]]:
    """Name, colour and pixels of each class, judged and trained on.

    Counted where the normaliser of the first True run was fitted: on all real train chips, or 2,000 of them.
    """
    counts = saved_normaliser(checkpoint.find(chosen.arms[0].folder(settings.seed, home))).class_counts(LABEL)
    total = int(counts.sum())
    return [
        {key: one[key] for key in ("name", "colour", "support")} | {"share": int(count) / total if total else math.nan}
        for one, count in zip(run["classes"], counts, strict=True)
    ]


def _gains(
    true: Mapping[str, Sequence[float]], mix: Mapping[str, Sequence[float]], confidence: float
) -> dict[str, dict[str, Any]]:
    found = {name: paired_gain(values, mix[name], confidence) for name, values in true.items()}
    return {name: asdict(gain) | {"clear": gain.clear} for name, gain in found.items()}


def _data(source: ChipSource) -> dict[str, Any]:
    return {
        "name": source.name,
        "identity": source.identity,
        "chips": {split: len(source.of_split(split)) for split in ("train", "val", "test")},
    }


def _check_folder(home: Path) -> None:
    """See that `home` is new, empty, or holds a comparison; writes nothing."""
    if home.exists() and not home.is_dir():
        raise ModelError("not-a-folder", "--out is a file", value=str(home), remedy="choose another --out")
    if home.is_dir() and any(home.iterdir()) and not (home / CONFIG).is_file():
        raise ModelError(
            "not-a-comparison",
            "--out holds other files",
            value=str(home),
            remedy="choose another --out, or an empty folder",
        )
