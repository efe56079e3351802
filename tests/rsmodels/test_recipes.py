"""The recipes that ship with the package name keys that there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from rsmodels.downstream.settings import DownstreamSettings
from rsmodels.tables.plan import plan
from rsmodels.tables.settings import ReproduceSettings
from rsmodels.tasks.models import resolve
from rsprep.settings import make_settings, read_config
from tests.support import REPOSITORY

RECIPES = sorted((REPOSITORY / "pipelines").glob("*.yaml"))
OF_A_RUN = [path for path in RECIPES if "model" in read_config(path)]
OF_A_TABLE = [path for path in RECIPES if "systems" in read_config(path)]
OF_A_COMPARISON = [path for path in RECIPES if path.stem.endswith("downstream")]


@pytest.mark.parametrize("path", OF_A_RUN, ids=lambda path: path.stem)
def test_recipes_of_runs_are_valid(path: Path) -> None:
    resolve({**read_config(path), "data": ["chips"], "out": "run"})


@pytest.mark.parametrize("path", OF_A_COMPARISON, ids=lambda path: path.stem)
def test_recipes_of_comparisons_are_valid(path: Path) -> None:
    recipe = read_config(path)
    checked = make_settings(DownstreamSettings, {**recipe, "real": "chips", "out": "downstream"})
    base = {"model": "segmentation", "preset": checked.preset, "data": ["chips"], "out": "run"}
    length = {key: value for key in ("steps", "epochs") if (value := getattr(checked, key))}
    resolve({**base, **length, **checked.train})


@pytest.mark.parametrize("path", OF_A_TABLE, ids=lambda path: path.stem)
def test_recipes_of_tables_are_valid(path: Path, tiny_dataset: Path) -> None:
    """Every section is checked before anything is made: runs, evaluations, synthetic sets, the comparison.

    A table of colorizers ends with the evaluations.
    """
    given = {**read_config(path), "data": str(tiny_dataset), "out": "table"}
    checked = plan(make_settings(ReproduceSettings, given))
    assert len(checked.runs) == sum(system.seeds for system in checked.settings.systems)
    assert (checked.settings.synthetic is None) == checked.colours
    assert (checked.settings.downstream is None) == checked.colours


def test_there_are_recipes_of_all_kinds() -> None:
    assert OF_A_RUN
    assert OF_A_COMPARISON
    assert OF_A_TABLE
