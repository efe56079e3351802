from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rsmodels.cli.evaluate import _print_table
from rsmodels.data.source import ChipSource
from rsmodels.errors import ModelError
from rsmodels.evaluation.columns import COLUMNS, gains_of
from tests.rsmodels.evaluation.planted import blurred, planted, run

OWN = "0123456789abcdef" * 4


@pytest.fixture(scope="module")
def source(tiny_dataset: Path) -> ChipSource:
    return ChipSource.open(tiny_dataset)


def comparison(folder: Path, checkpoints: tuple[str, ...] = (OWN,)) -> Path:
    """What `rsmodels downstream` leaves: two synthetic sets, the second one of the checkpoints."""

    def gain(percent: float) -> dict[str, Any]:
        return {"scores": {name: {"relative": percent} for name in ("miou", "fwiou", "accuracy")}}

    arms = [{"key": "true", "title": "True", "synthetic": None}]
    for name in ("other", "own"):
        for way in ("epochs", "steps"):
            arms.append({"key": f"mix-{name}-{way}", "title": f"+{name}, equal {way}", "synthetic": name})
    record = {
        "format": 2,
        "synthetic": [{"name": "other", "checkpoints": ["f" * 64]}, {"name": "own", "checkpoints": list(checkpoints)}],
        "seeds": [0, 1],
        "arms": arms,
        "gains": {arm["key"]: gain(10.0 * k) for k, arm in enumerate(arms) if k},
    }
    folder.mkdir(exist_ok=True)
    (folder / "downstream.json").write_text(json.dumps(record))
    return folder


def test_gains_are_those_of_this_generators_chips_at_equal_steps(tmp_path: Path) -> None:
    found = gains_of(comparison(tmp_path), OWN)
    assert found["arm"] == "+own, equal steps"
    assert found["relative"] == {"miou": 40.0, "fwiou": 40.0, "accuracy": 40.0}
    with pytest.raises(ModelError, match="not-its-chips"):
        gains_of(comparison(tmp_path, ()), OWN)
    with pytest.raises(ModelError, match="no-comparison"):
        gains_of(tmp_path / "nowhere", OWN)


def test_the_table_has_every_column_and_names_what_measured_it(
    source: ChipSource, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = planted(source, "generator", blurred)
    folder = str(comparison(tmp_path / "downstream"))
    found = run(trained, source, tmp_path / "a", allow_few=True, downstream=folder)
    written = json.loads((tmp_path / "a" / "metrics.json").read_text())["table"]
    assert set(written) == {key for key, *_ in COLUMNS} | {"features", "distance", "arm"}
    assert written["frechet"] == found.record["distances"][0]["frechet"]
    assert written["features"] == "band-statistics-4"
    assert (written["miou"], written["d_miou"], written["mcsd"]) == (None, 40.0, None)
    _print_table(found.record)
    lines = capsys.readouterr().out
    assert "d-mIoU ↑" in lines
    assert "+40.00 %   +own, equal steps" in lines
    assert "mIoU ↑                   –" in lines
    page = found.page.read_text()
    assert "+own, equal steps, 2 seeds" in page
    bare = run(trained, source, tmp_path / "b").record["table"]
    assert bare["d_miou"] is None
    assert bare["frechet"] is None  # too few images
