"""The comparison in words: the headline and the tables, the same on the terminal and on the page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

Table = tuple[tuple[str, ...], list[tuple[str, ...]]]
"""Header and rows."""


def headline(record: Mapping[str, Any]) -> str:
    """What came out, as far as it is sure."""
    gains = record["gains"]
    if not gains:
        score = record["arms"][0]["scores"]["miou"]["mean"]
        return f"Real chips alone: mIoU {number(score)}"
    arm = next(one for one in record["arms"] if one["key"] in gains)
    gain = gains[arm["key"]]["scores"]["miou"]
    how = arm["title"].removeprefix("Mix, at ").removeprefix("Mix, ")
    found = f"mIoU {signed(gain['mean'])} at {how}"
    if gain["n"] < 2:
        return f"Mix against True: {found}, one seed"
    if not gain["clear"]:
        return f"Mix against True: {found}, not clear of chance over {gain['n']} seeds"
    return f"Mix {'gains' if gain['mean'] > 0 else 'loses'}: {found}, over {gain['n']} seeds"


def score_table(record: Mapping[str, Any]) -> Table:
    """Kinds of run with their scores: mean over the seeds and standard deviation."""
    header = ("trained on", "updates", "passes", "mIoU", "FWIoU", "accuracy")
    rows = [
        (
            arm["title"],
            f"{arm['steps']:,}",
            f"{arm['passes']:.1f}",
            *(_mean(arm["scores"][name]) for name in ("miou", "fwiou", "accuracy")),
        )
        for arm in record["arms"]
    ]
    return header, rows


def gain_table(record: Mapping[str, Any]) -> Table:
    """Gains of Mix over True with their intervals."""
    share = f"{100 * record['confidence']:g} % interval"
    header = ("gain over True", "score", "gain", share, "d-X", "n")
    rows = []
    for arm in record["arms"]:
        for name, title in (("miou", "mIoU"), ("fwiou", "FWIoU"), ("accuracy", "accuracy")):
            if arm["key"] in record["gains"]:
                gain = record["gains"][arm["key"]]["scores"][name]
                rows.append((arm["title"], title, *_gain(gain)))
    return header, rows


def class_table(record: Mapping[str, Any]) -> Table:
    """IoU of each class in each kind of run, and the gains."""
    mixes = [arm for arm in record["arms"] if arm["key"] in record["gains"]]
    ways = [f"gain, {arm['title'].removeprefix('Mix, ')}" for arm in mixes]
    header = ("class", "pixels judged", *(arm["title"] for arm in record["arms"]), *ways)
    rows = []
    for one in record["classes"]:
        name = one["name"]
        scores = [_mean(arm["classes"][name]) for arm in record["arms"]]
        gains = [record["gains"][arm["key"]]["classes"][name] for arm in mixes]
        gained = [f"{signed(gain['mean'])} {interval(gain)}".strip() for gain in gains]
        rows.append((name.replace("_", " "), f"{one['support']:,}", *scores, *gained))
    return header, rows


def run_table(record: Mapping[str, Any]) -> Table:
    """Every run with its scores."""
    titles = {arm["key"]: arm["title"] for arm in record["arms"]}
    header = ("run", "seed", "mIoU", "FWIoU", "accuracy", "checkpoint", "folder")
    rows = [
        (
            titles[run["arm"]],
            str(run["seed"]),
            *(number(run["figures"][name]) for name in ("miou", "fwiou", "accuracy")),
            f"{run['checkpoint']['name']} {run['checkpoint']['hash'][:12]}",
            run["folder"],
        )
        for run in record["runs"]
    ]
    return header, rows


def explained(record: Mapping[str, Any]) -> str:
    """What the figures are."""
    real, n = record["real"], len(record["seeds"])
    chips = real["chips"]
    split = real["judged_on"]
    text = (
        f"Judged on the {chips[split]:,} {split} chips of the real data set, one confusion matrix a run, its last "
        f"checkpoint. Trained on {chips['train']:,} real chips"
    )
    if record["synthetic"] is not None:
        made, share = record["synthetic"]["chips"]["train"], ":".join(map(str, record["ratio"]))
        text += f", Mix also on {made:,} synthetic ones, {share}; batches of {record['batch']}"
    text += f". Scores are means over {n} seed{'' if n == 1 else 's'}"
    if n > 1:
        text += " ± standard deviation"
        if record["gains"]:
            text += "; intervals are Student's, of the differences seed by seed"
    elif record["gains"]:
        text += ": no interval"
    return f"{text}."


def as_text(table: Table) -> str:
    """A table in columns, the first one to the left, the others to the right."""
    header, rows = table
    widths = [max(len(row[k]) for row in (header, *rows)) for k in range(len(header))]
    lines = []
    for first, *rest in (header, *rows):
        cells = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells]).rstrip())
    return "\n".join(lines)


def number(value: float, digits: int = 3) -> str:
    """``0.412``; a dash where there is none."""
    return "–" if math.isnan(value) else f"{value:.{digits}f}"


def signed(value: float, digits: int = 3) -> str:
    """``+0.012``; a dash where there is none."""
    return "–" if math.isnan(value) else f"{value:+.{digits}f}"


def interval(gain: Mapping[str, Any]) -> str:
    """``[-0.004, +0.028]``; nothing where a single seed gives none."""
    return "" if math.isnan(gain["low"]) else f"[{signed(gain['low'])}, {signed(gain['high'])}]"


def _gain(gain: Mapping[str, Any]) -> Sequence[str]:
    relative = "–" if math.isnan(gain["relative"]) else f"{gain['relative']:+.1f} %"
    return signed(gain["mean"]), interval(gain) or "–", relative, str(gain["n"])


def _mean(found: Mapping[str, float]) -> str:
    spread = "" if math.isnan(found["deviation"]) else f" ± {found['deviation']:.3f}"
    return f"{number(found['mean'])}{spread}"
