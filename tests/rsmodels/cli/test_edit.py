"""`rsmodels edit` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rsmodels.cli.main import main
from rsmodels.data.raw import ChipFields
from rsmodels.data.source import ChipSource, field
from tests.rsmodels.synth.conftest import NOISY, train_tiny


@pytest.fixture(scope="module")
def run(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_tiny(tiny_dataset, tmp_path_factory.mktemp("noisy") / "run", **NOISY)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def two_classes(data: Path) -> list[str]:
    source = ChipSource.open(data)
    label = field(source, "landcover")
    codes = ChipFields(source, [label]).read(int(source.chips.slot[1]))[0][label.name]
    return [name for name, code in zip(label.classes, label.codes, strict=True) if (codes == code).any()][:2]


def test_the_whole_job(tiny_dataset: Path, run: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = two_classes(tiny_dataset)
    line = ["edit", str(run), "--data", str(tiny_dataset), "--chip", "tiny-001", "--device", "cpu"]
    assert main([*line, "--redraw", f"{first},{second}", "--seed", "7", "--new-seed", "8"]) == 0
    said = capsys.readouterr().out
    assert f"Other noise for {first}, {second}: " in said
    assert "% of the chip edited; mean change" in said
    record = json.loads((here / "edit" / "edit.json").read_text())
    assert record["noise"] == {"seed": 7, "new_seed": 8}
    (here / "recipe.yaml").write_text(f"replace: {{{first}: {second}}}\nseed: 3\nout: from-recipe\n")
    assert main([*line, "--config", "recipe.yaml"]) == 0
    record = json.loads((here / "from-recipe" / "edit.json").read_text())
    assert record["asked"] == {"redraw": [], "replace": {first: second}, "mask": None}
    assert record["noise"] == {"seed": 3, "new_seed": None}


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ([], "model/nothing-to-edit"),
        (["--redraw", "nonsense"], "model/unknown-class"),
        (["--replace", "water"], "config/bad-replace"),
        (["--redraw", "all", "--split", "all"], "config/bad-split"),
        (["--redraw", "all", "--new-seed", "0"], "model/same-seed"),
        (["--mask", "nowhere.png"], "model/not-a-mask"),
    ],
)
def test_bad_input_is_told_in_one_place(
    tiny_dataset: Path, run: Path, here: Path, capsys: pytest.CaptureFixture[str], changes: list[str], name: str
) -> None:
    line = ["edit", str(run), "--data", str(tiny_dataset), "--chip", "tiny-001", "--device", "cpu", *changes]
    assert main(line) == 2
    assert f"error {name} " in capsys.readouterr().err
    assert list(here.iterdir()) == []


def test_what_is_missing_is_asked_for(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["edit", "run", "--redraw", "water"]) == 2
    assert "config/missing" in capsys.readouterr().err
    assert main(["edit", "--help"]) == 0
    assert "--redraw water --seed 7 --new-seed 8" in " ".join(capsys.readouterr().out.split())
    assert main(["config", "edit"]) == 0
    printed = capsys.readouterr().out
    assert "new_seed: 1" in printed
    (here / "recipe.yaml").write_text(printed)
    assert main(["edit", "--config", "recipe.yaml", "--redraw", "water"]) == 2  # it reads its own print
    assert "bad-" not in capsys.readouterr().err
