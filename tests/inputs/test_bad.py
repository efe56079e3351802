"""Bad inputs are refused by name and leave nothing behind."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import pytest

from rsprep.cli.main import main as rsprep
from rsprep.sources import catalog_io
from rsprep.sources.http import make_retry
from tests.inputs import areas, asked, catalogs, corpora, datasets, models
from tests.inputs.table import BAD, Kit
from tests.rsprep.cli.test_bad_input import CASES

GROUPS = (areas, asked, catalogs, corpora, datasets, models)
"""The modules that enter cases."""


def state(*roots: Path) -> dict[Path, str | None]:
    """Every file and folder with a hash of its bytes."""
    return {
        path: hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
        for root in roots
        for path in root.rglob("*")
    }


@pytest.mark.parametrize("key", BAD)
def test_is_refused(key: str, kit: Kit, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    case = BAD[key]
    monkeypatch.setattr(catalog_io, "make_retry", lambda: make_retry(total=0))
    given = list(case.make(kit))
    before = state(kit.here)
    if case.program == "rsmodels":
        from rsmodels.cli.main import main as program  # torch is slow to import
    else:
        program = rsprep
    code = program(given)
    told = capsys.readouterr().err
    heads = [line for line in told.splitlines() if line.startswith("error ")]
    assert heads, told
    message = told[told.index(heads[0]) :]
    assert heads[0].split()[1] == case.name, message
    assert code == 2
    assert len(heads[0]) > len(f"error {case.name} ") + 10  # the cause
    assert case.shown in message
    assert len(message.partition("\n  fix: ")[2].strip()) > 5
    assert "Traceback" not in told
    assert "SECRET" not in told
    assert state(kit.here) == before


def test_inputs_that_all_share_are_as_they_were(shared: Path) -> None:
    """After the cases above, which all may read them: no file beside those that were made."""
    assert {path.name for path in shared.iterdir()} == {
        "catalog",
        "pictures",
        "run",
        "scenes",
        "sky",
        "small",
        "sound",
        "tiny",
    }
    assert {path.name for path in (shared / "sound").iterdir()} == {
        "recipe.yaml",
        "region.geojson",
        "source",
        "tiny.yaml",
    }


def test_there_are_enough() -> None:
    """Counted here and nowhere else: the cases of this table, and those of a whole build beside them."""
    counts = Counter(case.group for case in BAD.values())
    assert sum(counts.values()) >= 250, counts
    assert len(CASES) >= 90
    assert len({case.name for case in BAD.values()} | {name for name, _, _ in CASES.values()}) >= 150
