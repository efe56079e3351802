"""Where a build may write; looking at it changes nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rsprep.errors import StoreError
from rsprep.job.journal_view import FILE_NAME
from rsprep.job.places import check_out


def test_new_empty_and_begun_folders_are_fine(tmp_path: Path) -> None:
    check_out(tmp_path / "new" / "deeper")
    check_out(tmp_path)
    (tmp_path / ".lock").touch()  # of a build that died at once
    check_out(tmp_path)
    (tmp_path / FILE_NAME).touch()
    (tmp_path / "notes.txt").touch()
    check_out(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([".lock", FILE_NAME, "notes.txt"])


def test_others_folders_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(StoreError, match=r"store/not-empty: .*thesis\.txt"):
        check_out(tmp_path)


@pytest.mark.parametrize("inside", ["", "deeper", "deeper/still"])
def test_a_file_is_no_folder(tmp_path: Path, inside: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="store/not-a-folder: file is a file"):
        check_out(tmp_path / "file" / inside)


def test_folders_that_may_not_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    check_out(tmp_path.parent / "other")
    with pytest.raises(StoreError, match="store/not-writable"):
        check_out(tmp_path / "new")
