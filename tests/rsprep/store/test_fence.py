from __future__ import annotations

from pathlib import Path

import pytest

from rsprep.errors import BuildError
from rsprep.store.fence import admit_writers, dismiss_writers, require_writer


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "chips.zarr"
    path.mkdir()
    return path


def test_only_the_newest_build_writes(store: Path) -> None:
    old = admit_writers(store)
    require_writer(store, old)
    new = admit_writers(store)
    require_writer(store, new)
    with pytest.raises(BuildError, match="build/superseded"):
        require_writer(store, old)


def test_nobody_writes_once_writers_are_dismissed(store: Path) -> None:
    token = admit_writers(store)
    dismiss_writers(store)
    dismiss_writers(store)
    for one in (token, ""):
        with pytest.raises(BuildError, match="build/superseded"):
            require_writer(store, one)


def test_a_worker_that_does_not_see_the_store_says_so(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="build/store-unreachable"):
        require_writer(tmp_path / "not-mounted" / "chips.zarr", "token")
