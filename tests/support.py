"""What tests share: where real data is, and how its absence is said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


def real_data(name: str) -> Path:
    """Folder of real imagery `name`, or skip the test with the reason."""
    root = Path(os.environ.get("RSPREP_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
    folder = root / name
    if not folder.exists():
        pytest.skip(f"real data {name!r} is absent (looked in {root}; set RSPREP_REAL_DATA)")
    return folder
