"""The house has floors: modules import only from the floors below them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.support import REPOSITORY

# Lowest first. A module may import from its own floor and from those below.
FLOORS = [
    {
        "rsprep.dynamic_world",
        "rsprep.errors",
        "rsprep.resources",
        "rsprep.moments",
        "rsprep.files",
        "rsprep.strict_yaml",
        "rsprep.strict_json",
    },
    {"rsprep.granule", "rsprep.config", "rsprep.settings", "rsprep.cloud"},
    {"rsprep.ground", "rsprep.select"},
    {"rsprep.products", "rsprep.masks", "rsprep.reading", "rsprep.sources", "rsprep.store"},
    {"rsprep.job"},
    {"rsprep.stac", "rsprep.report"},
    {"rsprep.overview"},
    {"rsprep.inspection", "rsprep.finish"},
    {"rsprep.multisource", "rsprep.corpus"},
    {"rsprep.cli"},
]


MODEL_FLOORS = [
    {"rsmodels.errors", "rsmodels.records"},
    {"rsmodels.data", "rsmodels.nets", "rsmodels.metrics", "rsmodels.losses", "rsmodels.lab"},
    {"rsmodels.report", "rsmodels.tiling"},
    {"rsmodels.generators", "rsmodels.tasks"},
    {"rsmodels.training"},
    {
        "rsmodels.evaluation",
        "rsmodels.synth",
        "rsmodels.downstream",
        "rsmodels.editing",
        "rsmodels.filling",
        "rsmodels.colouring",
        "rsmodels.blind",
    },
    {"rsmodels.tables"},
    {"rsmodels.cli"},
]
# Where rsmodels meets rsprep: the chip store, its errors and settings, and the pieces of a report; whoever writes a
# data set uses the machine that all corpora share.
MEETING = (
    "rsprep.errors",
    "rsprep.strict_json",
    "rsprep.strict_yaml",
    "rsprep.files",
    "rsprep.cloud",
    "rsprep.config",
    "rsprep.settings",
    "rsprep.job.progress",
    "rsprep.resources",
    "rsprep.products.terrain",
    "rsprep.masks.maskmix",
    "rsprep.store",
    "rsprep.report",
)
MEETING_FOR = {
    "rsmodels.synth": ("rsprep.corpus", "rsprep.stac", "rsprep.job", "rsprep.finish"),
    "rsmodels.tiling": ("rsprep.corpus", "rsprep.job", "rsprep.reading"),
    "rsmodels.colouring": ("rsprep.corpus", "rsprep.job", "rsprep.reading"),
    "rsmodels.filling": ("rsprep.corpus", "rsprep.stac", "rsprep.job", "rsprep.finish", "rsprep.reading"),
    "rsmodels.cli": ("rsprep",),
}


def floor_of(module: str) -> int | None:
    for height, floor in enumerate(MODEL_FLOORS if module.startswith("rsmodels") else FLOORS):
        if any(module == name or module.startswith((name + ".", name + "_")) for name in floor):
            return height
    return None


def imported(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


MODULES = sorted(path for package in ("rsprep", "rsmodels") for path in (REPOSITORY / package).rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_dependencies_flow_one_way(path: Path) -> None:
    module = ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")
    height = floor_of(module)
    for name in imported(path):
        if module.startswith("rsprep"):
            assert not name.startswith("rsmodels"), f"{module} imports {name}"
        if module.startswith("rsmodels") and name.startswith("rsprep."):
            own = next((extra for home, extra in MEETING_FOR.items() if module.startswith(home)), ())
            assert name.startswith((*MEETING, *own)), f"{module} imports {name}"
            continue
        other = floor_of(name)
        if height is not None and other is not None:
            assert other <= height, f"{module} (floor {height}) imports {name} (floor {other})"


def test_every_module_has_a_floor() -> None:
    homeless = [
        f"{package}.{path.stem}"
        for package in ("rsprep", "rsmodels")
        for path in (REPOSITORY / package).iterdir()
        if (path.suffix == ".py" or (path / "__init__.py").exists()) and path.stem != "__init__"
        if floor_of(f"{package}.{path.stem}") is None
    ]
    assert homeless == []
