"""What the README and the recipes tell a newcomer to type: the files are there, and the region is of use."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rsprep.config import make_config
from rsprep.ground.aoi import read_aoi
from rsprep.ground.grid import plan_grid
from rsprep.settings import read_config
from rsprep.sources.definition import list_definitions, load_definition
from tests.support import REPOSITORY

RECIPES = sorted((REPOSITORY / "pipelines").glob("multisource-*.yaml"))
REGION = REPOSITORY / "pipelines" / "freiburg.geojson"
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md")), *RECIPES]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_small_region_has_chips_in_every_split(recipe: Path) -> None:
    config = make_config({"out": "chips", **read_config(recipe), "aoi": str(REGION)})
    shards = plan_grid(read_aoi(config.aoi), config.grid, config.split).shards
    splits = [chip.split for shard in shards for chip in shard.chips if chip is not None]
    assert 20 < len(splits) < 60
    assert set(splits) == {"train", "val", "test"}


def test_files_that_are_named_are_there() -> None:
    named = {name for page in PAGES for name in re.findall(r"pipelines/[\w.-]+\.(?:yaml|geojson)", page.read_text())}
    assert {f"pipelines/{recipe.name}" for recipe in RECIPES} <= named
    assert [name for name in sorted(named) if not (REPOSITORY / name).is_file()] == []


def test_the_definition_that_the_docs_show_is_one(tmp_path: Path) -> None:
    page = (REPOSITORY / "docs" / "sources.md").read_text()
    (shown,) = [block for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "products:" in block]
    file = tmp_path / "mine.yaml"
    file.write_text(shown)
    assert load_definition(file).products.names() == ["sentinel2", "dem"]


def test_the_attributions_of_the_definitions_are_those_of_the_docs() -> None:
    page = (REPOSITORY / "docs" / "sources.md").read_text()
    for definition in map(load_definition, list_definitions()):
        for product in definition.products.names():
            text = definition.product(product).attribution
            assert text is None or all(part in page for part in re.split("; contains.*|; (?=clouds)", text))
