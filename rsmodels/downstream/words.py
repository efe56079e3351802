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
    arm = _first(record)
    gain = gains[arm["key"]]["scores"]["miou"]
    called, how = arm["title"].split(", ", 1)
    among = "" if len(record["synthetic"]) == 1 else f", the most of {len(record['synthetic'])} mixes"
    found = f"mIoU {signed(gain['mean'])} at {how}"
    if gain["n"] < 2:
        return f"{called} against True: {found}, one seed{among}"
    if not gain["clear"]:
        return f"{called} against True: {found}, not clear of chance over {gain['n']} seeds{among}"
    return f"{called} {'gains' if gain['mean'] > 0 else 'loses'}: {found}, over {gain['n']} seeds{among}"


def _first(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The mix that the headline tells of: of those in the first way of comparing, the one with the largest gain."""
    gains = record["gains"]
    mixes = [arm for arm in record["arms"] if arm["key"] in gains]
    way = mixes[0]["title"].rsplit(", ", 1)[1]
    alike: list[Mapping[str, Any]] = [arm for arm in mixes if arm["title"].endswith(way)]
    return max(alike, key=lambda arm: _or_least(gains[arm["key"]]["scores"]["miou"]["mean"]))


def _or_least(value: float) -> float:
    return -math.inf if math.isnan(value) else value


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


def by_score(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The classes in decreasing order of True's IoU; those without one last."""
    scores = record["arms"][0]["classes"]
    return sorted(record["classes"], key=lambda one: -_or_least(scores[one["name"]]["mean"]))


def class_table(record: Mapping[str, Any]) -> Table:
    """Each class in decreasing order of True's IoU: share of the train pixels, IoU in each kind of run, and gains."""
    mixes = [arm for arm in record["arms"] if arm["key"] in record["gains"]]
    ways = [f"gain, {arm['title'].removeprefix('Mix, ')}" for arm in mixes]
    header = ("class", "of train pixels", "pixels judged", *(arm["title"] for arm in record["arms"]), *ways)
    rows = []
    for one in by_score(record):
        name = one["name"]
        scores = [_mean(arm["classes"][name]) for arm in record["arms"]]
        gains = [record["gains"][arm["key"]]["classes"][name] for arm in mixes]
        gained = [
            " ".join(part for part in (signed(g["mean"]), interval(g), percent(g, "({})")) if part) for g in gains
        ]
        rows.append((name.replace("_", " "), share(one["share"]), f"{one['support']:,}", *scores, *gained))
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
    part = "" if real["share"] == 1 else f" (a share of {real['share']:g})"
    text = (
        f"Judged on the {chips[split]:,} {split} chips of the real data set, one confusion matrix a run, its last "
        f"checkpoint. Trained on {chips['train']:,} real chips{part}"
    )
    if record["synthetic"]:
        text += f", Mix also on {_mixed_in(record)}; batches of {record['batch']}"
    text += f". Scores are means over {n} seed{'' if n == 1 else 's'}"
    if n > 1:
        text += " ± standard deviation"
        if record["gains"]:
            text += "; intervals are Student's, of the differences seed by seed"
    elif record["gains"]:
        text += ": no interval"
    beyond = [one for one in record["synthetic"] if one["beyond_share"]]
    told = "".join(
        f" Behind {one['name']} are {one['beyond_share']:,} real train chips that True was not given"
        f" (it was made from a share of {one['share']:g})."
        for one in beyond
    )
    return f"{text}.{told}"


def _mixed_in(record: Mapping[str, Any]) -> str:
    """``82 synthetic ones, 1:1``, or a list of the data sets."""
    ratios = {arm["synthetic"]: ":".join(map(str, arm["ratio"])) for arm in record["arms"]}
    parts = [(one["name"], f"{one['chips']['train']:,}", ratios[one["name"]]) for one in record["synthetic"]]
    if len(parts) == 1:
        return f"{parts[0][1]} synthetic ones, {parts[0][2]}"
    return "synthetic ones: " + ", ".join(f"{chips} of {name}, {ratio}" for name, chips, ratio in parts)


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


def percent(gain: Mapping[str, Any], form: str = "{}") -> str:
    """``+1.2 %``, the relative gain; nothing where there is none."""
    return "" if math.isnan(gain["relative"]) else form.format(f"{gain['relative']:+.1f} %")


def share(value: float) -> str:
    """``12.3 %``."""
    return "–" if math.isnan(value) else f"{100 * value:.1f} %" if value >= 0.001 or not value else "< 0.1 %"


def _gain(gain: Mapping[str, Any]) -> Sequence[str]:
    return signed(gain["mean"]), interval(gain) or "–", percent(gain) or "–", str(gain["n"])


def _mean(found: Mapping[str, float]) -> str:
    spread = "" if math.isnan(found["deviation"]) else f" ± {found['deviation']:.3f}"
    return f"{number(found['mean'])}{spread}"
