"""What a drill came to, as tables for people and as JSON for programs."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

VERDICTS = ("identical", "loud", "not met", "failed")
STAGES = ("search", "page", "header", "block", "write", "journal", "seal", "catalog")


def recorded(path: Path) -> dict[str, dict[str, Any]]:
    """The records of an earlier part of a drill, by name."""
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    return {record["name"]: record for record in map(json.loads, lines)}


def summary(trials: Iterable[dict[str, Any]], chains: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Counts by stage and fault; kills by stage and call; what failed."""
    trials, chains = list(trials), list(chains)
    faults: dict[str, Counter[str]] = defaultdict(Counter)
    reasons: dict[str, Counter[str]] = defaultdict(Counter)
    for one in trials:
        trial = one["trial"]
        key = f"{trial['stage']}/{trial['fault']}"
        faults[key][one["verdict"]] += 1
        if one["verdict"] == "loud":
            reasons[key][one["reason"]] += 1
    kills = Counter(f"{kill['stage']}/{kill['call']}" for chain in chains for kill in chain["kills"])
    return {
        "trials": len(trials),
        "begun anew": sum(one.get("anew", False) for one in trials),
        "verdicts": dict(Counter(one["verdict"] for one in trials)),
        "faults": {key: dict(count) for key, count in sorted(faults.items(), key=lambda one: _order(one[0]))},
        "reasons": {key: dict(count) for key, count in reasons.items()},
        "kills": sum(kills.values()),
        "first kills": sum(bool(chain["kills"]) for chain in chains),
        "data sets killed": len(chains),
        "kills by place": dict(sorted(kills.items(), key=lambda one: _order(one[0]))),
        "failed": [{"name": one["name"], "wrong": one["wrong"][:3]} for one in trials if one["verdict"] == "failed"]
        + [{"name": chain["name"], "wrong": chain["wrong"][:3]} for chain in chains if chain["wrong"]],
    }


def markdown(told: dict[str, Any]) -> str:
    """The summary as two tables."""
    rows = [
        [*key.split("/"), *(str(count.get(verdict, "")) for verdict in VERDICTS), _named(told["reasons"].get(key, {}))]
        for key, count in told["faults"].items()
    ]
    total = ["", "all", *(str(told["verdicts"].get(verdict, 0)) for verdict in VERDICTS), ""]
    kinds = sorted({key.split("/")[1] for key in told["kills by place"]})
    places: dict[str, dict[str, int]] = defaultdict(dict)
    for key, count in told["kills by place"].items():
        stage, call = key.split("/")
        places[stage][call] = count
    deaths = [[stage, *(str(calls.get(kind, "")) for kind in kinds)] for stage, calls in places.items()]
    return "\n".join(
        [
            *_table(["stage", "fault", *VERDICTS, "as"], [*rows, total]),
            "",
            f"{told['kills']} kills of {told['data sets killed']} data sets, by what was going on:",
            "",
            *_table(["stage", *kinds], deaths),
            "",
        ]
    )


def _named(reasons: dict[str, int]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(reasons) if name)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def _order(key: str) -> tuple[int, str]:
    stage = key.split("/")[0]
    return (STAGES.index(stage) if stage in STAGES else len(STAGES), key)
