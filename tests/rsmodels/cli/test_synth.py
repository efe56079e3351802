"""`rsmodels synth-augment` as it is typed."""

from __future__ import annotations

from pathlib import Path

import pytest

import rsprep
from rsmodels.cli.main import main
from tests.rsmodels.synth.conftest import train_tiny


@pytest.fixture(scope="module")
def run(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_tiny(tiny_dataset, tmp_path_factory.mktemp("generator") / "run")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_whole_job(tiny_dataset: Path, run: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["synth-augment", "--n", "0.5x", "--data", str(tiny_dataset), "--checkpoint", str(run), "--device", "cpu"]
    assert main(line) == 0
    assert "All 10 chips committed" in capsys.readouterr().out
    assert len(rsprep.open(here / "synthetic").chip_id) == 10
    assert (here / "catalog" / "catalog.json").is_file()
    assert main(line) == 0
    (here / "recipe.yaml").write_text("n: 3\nturns: false\nout: from-recipe\n")
    assert (
        main([*line[:1], *line[3:], "--config", "recipe.yaml", "--seed", "4", "--favour-rare", "--share", "0.5"]) == 0
    )
    assert len(rsprep.open(here / "from-recipe").chip_id) == 3
    assert "favour_rare: true" in (here / "from-recipe" / "config.lock.yaml").read_text()


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        (["--n", "none"], "config/bad-n"),
        (["--n", "1000x"], "model/too-many"),
        (["--batch", "0"], "config/bad-batch"),
        (["--samples", "0"], "config/bad-samples"),
        (["--samples", "2"], "model/no-noise"),
        (["--share", "1.5"], "config/bad-share"),
        (["--device", "tpu"], "config/bad-device"),
        (["--data", "nowhere"], "store/not-found"),
        (["--checkpoint", "nowhere"], "model/no-checkpoint"),
    ],
)
def test_bad_input_is_told_in_one_place(
    tiny_dataset: Path, run: Path, here: Path, capsys: pytest.CaptureFixture[str], changes: list[str], name: str
) -> None:
    line = ["synth-augment", "--data", str(tiny_dataset), "--checkpoint", str(run), "--device", "cpu", *changes]
    assert main(line) == 2
    assert f"error {name} " in capsys.readouterr().err
    assert list(here.iterdir()) == []


def test_what_is_missing_is_asked_for(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["synth-augment", "--n", "2x"]) == 2
    assert "config/missing" in capsys.readouterr().err
    assert main(["synth-augment", "--help"]) == 0
    assert "rsmodels synth-augment --n 2x --data chips --checkpoint run" in capsys.readouterr().out
