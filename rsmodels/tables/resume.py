"""Going on with a table: what the recipe may say otherwise than before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from rsmodels.errors import ModelError
from rsmodels.tables.plan import FOLDERS, HELPER, PAGE, RECIPE, RECORD, SEGMENTER, Plan
from rsmodels.tasks.settings import NO_WEIGHT_DEPENDS_ON
from rsmodels.training.guard import differences
from rsprep.settings import dump_config
from rsprep.strict_yaml import load_yaml

_FREE = ("downstream.seeds", "evaluate.batch", "evaluate.threads")
"""Keys of the sections that may change: more seeds only add runs, and some change no figure."""


def check_goes_on(plan: Plan) -> None:
    """See that the folder is new, or holds a table by the same recipe; writes nothing.

    Systems and seeds may be added or taken away, sections may be added, and the title may change. What was made stays
    as it is, so its settings must, too.

    Raises
    ------
    ModelError : ``not-a-folder``, ``not-a-table``, ``other-recipe`` with every key that differs.
    """
    home = plan.home
    if home.exists() and not home.is_dir():
        raise ModelError("not-a-folder", "--out is a file", value=str(home), remedy="choose another --out")
    strange = sorted(path.name for path in home.iterdir()) if home.is_dir() else []
    strange = [name for name in strange if name not in (*FOLDERS, RECIPE, RECORD, PAGE)]
    if strange:
        raise ModelError(
            "not-a-table",
            "--out holds other files",
            value=", ".join(strange[:3]),
            remedy="choose another --out, or an empty folder",
        )
    file = home / RECIPE
    if not file.is_file():
        return
    before = load_yaml(file.read_text(encoding="utf-8"))
    found = list(_contradictions(before, yaml.safe_load(dump_config(plan.settings)), home))
    if found:
        raise ModelError(
            "other-recipe",
            "what is in --out was made by another recipe",
            value="; ".join(found),
            remedy="give the recipe as it was, or another --out, or remove the folder of what is to be made anew",
        )


def _contradictions(before: Mapping[str, Any], now: Mapping[str, Any], home: Path) -> Iterator[str]:
    """Differing keys of what is there already."""
    made = {
        SEGMENTER: home / SEGMENTER,
        HELPER: home / HELPER,
        "evaluate": home / "evaluations",
        "synthetic": home / "synthetic",
        "downstream": home / "downstream",
        "train": home / "runs",
        "share": home / "runs",
    }
    for section, folder in made.items():
        if folder.is_dir() and before.get(section) is not None and now[section] is not None:
            yield from _told({section: before[section]}, {section: now[section]})
    old, new = ({one["name"]: one for one in recipe["systems"]} for recipe in (before, now))
    for name in old.keys() & new.keys():
        if any((home / "runs").glob(f"{name}-seed*")):
            yield from _told(_one(old[name]), _one(new[name]), under=f"systems.{name}.")


def _one(system: Mapping[str, Any]) -> dict[str, Any]:
    """Of a system, what its runs depend on."""
    return {"model": system["model"], "preset": system["preset"], **system["settings"]}


def _told(before: Mapping[str, Any], now: Mapping[str, Any], under: str = "") -> Iterator[str]:
    for key, old, new in differences(before, now):
        if f"{under}{key}" not in _FREE and key.rsplit(".", 1)[-1] not in NO_WEIGHT_DEPENDS_ON:
            yield f"{under}{key}: {old!r} before, {new!r} now"
