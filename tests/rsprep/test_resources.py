from __future__ import annotations

from pathlib import Path

import pytest

from rsprep import resources


def test_a_checkout_has_its_files_beside_the_package() -> None:
    assert (resources.shipped("catalogs/sources") / "planted.yaml").is_file()


def test_a_wheel_has_them_inside_and_they_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site" / "rsprep"
    for folder in (package / "_shipped" / "catalogs", tmp_path / "site" / "catalogs"):
        folder.mkdir(parents=True)
    monkeypatch.setattr(resources, "PACKAGE", package)
    assert resources.shipped("catalogs") == package / "_shipped" / "catalogs"


def test_a_file_that_never_shipped_is_an_error() -> None:
    with pytest.raises(FileNotFoundError, match="not part of this installation"):
        resources.shipped("catalogs/nowhere")
