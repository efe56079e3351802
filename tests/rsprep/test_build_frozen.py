"""Granules are frozen in the data set that was built from them: another build can read the very same ones."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

import rsprep
from rsprep.errors import StoreError
from rsprep.job.journal_view import JournalView
from tests.rsprep.conftest import DAYS, PlantedSource
from tests.rsprep.truth import digests

SETTINGS: dict[str, Any] = {"layers": ["s2", "terrain"], "sentinel2": {"bands": ["B04"], "composite": "median"}}
LATER = f"_{DAYS[2]:%Y%m%d}_"
"""In the names of the items that are published after the first build."""


def _publish(source: PlantedSource, *, later: bool) -> None:
    """Write the collection anew, with or without the items of the later day."""
    path = source.root / "sentinel-2-l2a" / "collection.json"
    collection = json.loads(path.read_text())
    items = sorted(path.parent.glob("*/*.json"))
    hrefs = [f"./{item.parent.name}/{item.name}" for item in items if later or LATER not in item.name]
    links = [link for link in collection["links"] if link["rel"] != "item"]
    path.unlink()  # it may be a link to a file that others use
    path.write_text(json.dumps({**collection, "links": links + [{"rel": "item", "href": href} for href in hrefs]}))


def _granules(dataset: Path) -> dict[str, Any]:
    with JournalView.open(dataset) as journal:
        return {granule.id: granule.to_json() for granule in journal.granules()}


@pytest.fixture(scope="module")
def growing(planted_source: PlantedSource, tmp_path_factory: pytest.TempPathFactory) -> tuple[PlantedSource, Path]:
    """A catalog that has got new items since a data set was built from it, and that data set."""
    folder = tmp_path_factory.mktemp("growing")
    source = PlantedSource(root=folder / "source")
    shutil.copytree(planted_source.root, source.root, copy_function=os.link)
    _publish(source, later=False)
    assert not rsprep.build(source.config(folder / "first", **SETTINGS)).failures
    _publish(source, later=True)
    return source, folder / "first" / "chips"


def test_a_rebuild_reads_the_granules_of_the_first_build(growing: tuple[PlantedSource, Path], tmp_path: Path) -> None:
    source, first = growing
    again = source.config(tmp_path / "again", **SETTINGS, granules=str(first))
    assert not rsprep.build(again).failures
    assert _granules(tmp_path / "again" / "chips") == _granules(first)
    assert digests(tmp_path / "again" / "chips") == digests(first)
    # the new items are found by a search, and change pixels
    assert not rsprep.build(source.config(tmp_path / "anew", **SETTINGS)).failures
    found = set(_granules(tmp_path / "anew" / "chips")) - set(_granules(first))
    assert found
    assert all(LATER in name for name in found)
    assert digests(tmp_path / "anew" / "chips") != digests(first)


def test_a_data_set_without_the_granules_that_are_wanted(growing: tuple[PlantedSource, Path], tmp_path: Path) -> None:
    source, first = growing
    with pytest.raises(StoreError) as caught:
        rsprep.build(source.config(tmp_path, layers=["s2", "s1"], granules=str(first)))
    assert caught.value.slug == "no-such-granules"
    assert "sentinel1" in caught.value.cause
    assert not (tmp_path / "chips").exists()
