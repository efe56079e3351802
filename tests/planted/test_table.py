"""Every pitfall has a bug whose tests are there; a few bugs are planted here, all of them by ``make planted``."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from tests.planted.page import PAGE, section
from tests.planted.planting import Plant, edit
from tests.planted.table import NOT_OURS, PLANTS, ROWS
from tests.support import REPOSITORY

SMALL = ("11", "39c", "40a")
"""Bugs whose tests take no time."""


def test_every_row_has_a_bug_or_a_reason() -> None:
    planted = {plant.row for plant in PLANTS}
    assert planted | set(NOT_OURS) == set(ROWS)
    assert not planted & set(NOT_OURS)
    assert all(NOT_OURS.values())
    assert max(Counter(plant.key for plant in PLANTS).values()) == 1


@cache
def functions_in(path: Path) -> frozenset[str]:
    return frozenset(
        node.name for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.FunctionDef)
    )


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.key)
def test_its_tests_are_there(plant: Plant) -> None:
    for test in plant.tests:
        file, name = test.split("::")
        assert name.split("[")[0] in functions_in(REPOSITORY / file), test


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.key)
def test_it_can_be_planted(plant: Plant) -> None:
    """The words that it changes are still there."""
    with pytest.MonkeyPatch.context() as patch:
        plant.mutant(patch)


def test_a_few_are_found() -> None:
    command = [sys.executable, "-m", "tests.planted.run", *SMALL]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.count("caught")) == (0, len(SMALL)), done.stdout + done.stderr


def test_words_that_are_not_there_plant_nothing() -> None:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(LookupError, match="0 times"):
        edit("rsprep.moments:parse_moment", ("if value is nothing:", "if True:"))(patch)


def test_the_page_tells_what_is_planted() -> None:
    assert section() in PAGE.read_text(encoding="utf-8"), "make planted writes it"
