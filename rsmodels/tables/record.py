"""The record of a table: a row a system, means over its seeds, and what it cost."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from rsmodels.downstream.compare import RECORD as COMPARISON
from rsmodels.downstream.gains import spread
from rsmodels.errors import ModelError
from rsmodels.evaluation.columns import gains_of
from rsmodels.evaluation.evaluate import RECORD as FIGURES
from rsmodels.records import number
from rsmodels.tables.judge import COSTS
from rsmodels.tables.plan import RECORD, SEGMENTER, Plan, Run
from rsmodels.tables.settings import System
from rsmodels.tasks.models import model, resolve
from rsmodels.tasks.settings import RunSettings
from rsmodels.training import checkpoint
from rsmodels.training.log import read_lines
from rsprep.store.read import store_path

DOWNSTREAM = ("d_miou", "d_fwiou", "d_accuracy")
SCORES = ("miou", "fwiou", "accuracy")


def record_of(plan: Plan, failures: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """All that is there now; what is not is null."""
    source, settings = plan.source, plan.settings
    rows = [_row(plan, system) for system in settings.systems]
    judged = _read(plan.home / "evaluations" / SEGMENTER / FIGURES)
    return {
        "format": 1,
        "title": settings.title,
        "kind": "colorization" if plan.colours else "generator",
        "data": {
            "name": source.name,
            "identity": source.identity,
            "chips": {split: len(source.of_split(split)) for split in ("train", "val", "test")},
            "pixels": source.schema.chip_px,
            "metres": source.schema.resolution,
            "share": settings.share,
        },
        "judged_on": settings.evaluate.get("split", "test"),
        "segmenter": _segmenter(plan, judged),
        "columns": [
            {"key": key, "title": title, "better": better, "best": _best(rows, key, better)}
            for key, title, better, _ in plan.columns
        ],
        "real": _real(rows) if plan.colours else None,
        "left_grey": _left_grey(rows) if plan.colours else None,
        "systems": rows,
        "synthetic": settings.synthetic,
        "downstream": _downstream(plan.home / "downstream" / COMPARISON),
        "failures": [dict(one) for one in failures],
    }


def failed_before(home: Path) -> list[dict[str, Any]]:
    """What an earlier call could not do and no call has done since."""
    return list((_read(home / RECORD) or {}).get("failures", []))


def _row(plan: Plan, system: System) -> dict[str, Any]:
    runs = plan.of(system.name)
    found = [one for one in (_run(plan, run) for run in runs) if one is not None]
    settings = resolve(runs[0].values)
    tables = [one["table"] for one in found]
    values = {key: [number(table[key]) for table in tables] for key, *_ in plan.columns if key not in DOWNSTREAM}
    gains = None if plan.colours else _gains(plan, runs[0])
    columns = {key: {**asdict(spread(some)), "n": _known(some)} for key, some in values.items()}
    for name in () if plan.colours else SCORES:
        gained = [number(gains["relative"][name])] if gains else []
        columns[f"d_{name}"] = {**asdict(spread(gained)), "n": len(gained)}
    return {
        "name": system.name,
        "title": model(system.model).title,
        "model": system.model,
        "preset": system.preset,
        "seeds": system.seeds,
        "batch": settings.batch,
        "width": getattr(getattr(settings, "network", None), "width", None),
        "bands": getattr(settings, "bands", None),
        "columns": columns,
        "features": next((table.get("features") for table in tables), None),
        "distance": next((table.get("distance") for table in tables), None),
        "gains": gains,
        "costs": _costs(found, settings),
        "runs": found,
        "synthetic": _made(plan.made(system.name)),
    }


def _known(values: Sequence[float]) -> int:
    return sum(not math.isnan(value) for value in values)


def _run(plan: Plan, run: Run) -> dict[str, Any] | None:
    """A run whose last checkpoint was evaluated; None where it was not, or has gone on since."""
    figures, costs = _read(run.evaluation / FIGURES), _read(run.evaluation / COSTS)
    if figures is None or costs is None or not (run.folder / checkpoint.FOLDER).is_dir():
        return None
    manifest = checkpoint.find(run.folder)
    if manifest.digest != figures["checkpoint"]["hash"]:
        return None
    speeds = [line["chips_per_second"] for line in read_lines(run.folder) if line["kind"] == "train"]
    return {
        "seed": run.seed,
        "folder": str(run.folder.relative_to(plan.home)),
        "evaluation": str(run.evaluation.relative_to(plan.home)),
        "checkpoint": {"name": manifest.path.name, "hash": manifest.digest},
        "step": manifest.step,
        "stochastic": bool((figures.get("diversity") or {}).get("stochastic")),
        "table": figures["figures"] if plan.colours else figures["table"],
        "left_grey": figures.get("left_grey"),
        "no_frechet": None if plan.colours else figures["distances"][-1].get("no_frechet"),
        "figures": {name: figures["figures"].get(name) for name in ("psnr", "ssim", "sam")},
        "nearest": figures.get("nearest"),
        "warnings": figures["warnings"],
        "costs": {key: costs[key] for key in costs if key != "of"}
        | {"chips_per_second": median(speeds) if speeds else None},
    }


def _costs(found: Sequence[Mapping[str, Any]], settings: RunSettings) -> dict[str, Any] | None:
    """What a system takes: medians over its runs of what was timed."""
    if not found:
        return None
    costs = [one["costs"] for one in found]
    trained = [one["chips_per_second"] for one in costs if one["chips_per_second"]]
    return {
        "parameters": costs[0]["parameters"],
        "parameters_trained": costs[0]["parameters_trained"],
        "steps": found[0]["step"],
        "chips_per_step": settings.batch,
        "seconds_per_step": settings.batch / median(trained) if trained else None,
        "images_per_second": median(one["images_per_second"] for one in costs),
        "device": costs[0]["device"],
    }


def _gains(plan: Plan, run: Run) -> dict[str, Any] | None:
    """What the system's synthetic chips gained; None where nothing was compared, or not with its chips."""
    folder = plan.home / "downstream"
    if not (folder / COMPARISON).is_file() or not (run.folder / checkpoint.FOLDER).is_dir():
        return None
    try:
        return gains_of(folder, checkpoint.find(run.folder).digest)
    except ModelError as error:
        if error.slug != "not-its-chips":
            raise
        return None


def _real(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """What the real images reach themselves, of the figures that have such a limit."""
    found = (run["table"]["colourfulness_real"] for row in rows for run in row["runs"])
    return {"colourfulness": number(next(found, None))}


def _left_grey(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """What the images reach without any colours: of all that were judged, they are the same."""
    found: Mapping[str, Any] = next((run["left_grey"] for row in rows for run in row["runs"]), {})
    return {name: number(value) for name, value in found.items()}


def _segmenter(plan: Plan, judged: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if judged is None or plan.segmenter is None:
        return None
    settings = resolve(plan.segmenter)
    return {
        "title": model("segmentation").title,
        "checkpoint": judged["checkpoint"],
        "steps": checkpoint.find(plan.home / SEGMENTER).step,
        "batch": settings.batch,
        "chips": len(plan.source.of_split("train")),
        "width": getattr(getattr(settings, "network", None), "width", None),
        **{name: judged["figures"][name] for name in SCORES},
    }


def _downstream(path: Path) -> dict[str, Any] | None:
    """Of the comparison, what the table tells."""
    found = _read(path)
    if found is None:
        return None
    kept = ("real", "synthetic", "seeds", "confidence", "batch", "arms", "gains", "classes")
    told = {key: found[key] for key in kept}
    told["arms"] = [{**arm, **{key: _numbers(arm[key]) for key in ("scores", "classes")}} for arm in found["arms"]]
    return told | {"gains": _numbers(found["gains"]), "classes": _numbers(found["classes"])}


def _numbers(value: Any) -> Any:
    """The same with NaN where JSON has null."""
    if isinstance(value, Mapping):
        return {key: _numbers(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_numbers(one) for one in value]
    return math.nan if value is None else value


def _made(folder: Path) -> dict[str, Any] | None:
    return {"folder": f"synthetic/{folder.name}"} if store_path(folder) != folder else None


def _best(rows: Sequence[Mapping[str, Any]], key: str, better: str) -> list[str]:
    """The systems with the best mean of a column, where there are several to choose from and a way to go."""
    means = {row["name"]: row["columns"][key]["mean"] for row in rows}
    known = {name: mean for name, mean in means.items() if not math.isnan(mean)}
    if len(known) < 2 or not better:
        return []
    best = max(known.values()) if better == "↑" else min(known.values())
    return [name for name, mean in known.items() if mean == best]


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
