"""A folder is there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from rsmodels.editing.folder import check_folder, whole_folder
from rsmodels.errors import ModelError

FILES = ("edit.json", "a.tif")


def check(out: Path) -> None:
    check_folder(out, "edit.json", FILES)


def test_it_takes_the_place_of_its_like_only(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "edit"
    check(out)
    for text in ("first", "second"):
        with whole_folder(out) as folder:
            (folder / "edit.json").write_text(text)
        check(out)
    assert (out / "edit.json").read_text() == "second"
    assert [file.name for file in out.parent.iterdir()] == ["edit"]
    (out / "notes.txt").touch()
    with pytest.raises(ModelError, match="not-an-edit") as caught:
        check(out)
    assert "notes.txt" in str(caught.value)


def test_what_fails_leaves_the_older_one(tmp_path: Path) -> None:
    out = tmp_path / "edit"
    with whole_folder(out) as folder:
        (folder / "edit.json").touch()

    def fail() -> None:
        with whole_folder(out) as folder:
            (folder / "a.tif").touch()
            raise RuntimeError("half written")

    with pytest.raises(RuntimeError):
        fail()
    assert [file.name for file in out.iterdir()] == ["edit.json"]
    assert list(tmp_path.iterdir()) == [out]


def test_files_and_other_folders_are_refused(tmp_path: Path) -> None:
    check(tmp_path)  # empty
    (tmp_path / "a.tif").touch()
    with pytest.raises(ModelError, match="not-an-edit"):
        check(tmp_path)
    with pytest.raises(ModelError, match="not-a-folder"):
        check(tmp_path / "a.tif")
    with pytest.raises(ModelError, match="not-writable"), whole_folder(tmp_path / "a.tif" / "edit"):
        pass
