"""Documents that are no catalog."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rsprep.errors import CatalogError
from rsprep.sources.base import open_source
from tests.rsprep.sources.making import make_definition


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("no json", "not-json"),
        ("[1]", "not-stac"),
        ('{"a": 1}', "not-stac"),
        (json.dumps({"type": "FeatureCollection", "stac_version": "1.0.0"}), "wrong-type"),
        (json.dumps({"type": "Catalog", "stac_version": "0.9.0"}), "stac-version"),
        (json.dumps({"type": "Catalog", "stac_version": "new"}), "stac-version"),
        (None, "not-found"),
    ],
)
def test_every_bad_root_has_its_name(tmp_path: Path, text: str | None, slug: str) -> None:
    if text is not None:
        (tmp_path / "catalog.json").write_text(text)
    with pytest.raises(CatalogError) as caught:
        open_source(make_definition(), str(tmp_path / "catalog.json")).check()
    assert caught.value.slug == slug
    assert caught.value.exit_code == 2


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "catalog.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CatalogError) as caught:
        open_source(make_definition(), str(tmp_path)).check()
    assert caught.value.slug == "unreadable"
