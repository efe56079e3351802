"""The program as a stranger meets it: help, usage errors, wrong folders, and what happens when rsprep itself fails."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from rsprep import __version__, multisource
from rsprep.cli.main import app, main
from rsprep.cli.recipe import MODELS
from rsprep.config import BuildConfig
from rsprep.config_text import describe_config
from tests.rsprep.cli.workplace import Workplace, write_workplace

COMMANDS = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    monkeypatch.chdir(tmp_path)
    return write_workplace(tmp_path / "place")


def told(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(arguments) == code
    captured = capsys.readouterr()
    return captured.out + captured.err


def test_commands() -> None:
    corpora = ["cloud-masks", "maskmix", "occlude", "semantic-masks"]
    others = [
        "build-multisource",
        "config",
        "export",
        "inspect",
        "report",
        "simulate",
        "simulate-views",
        "sources",
        "verify",
    ]
    assert sorted(COMMANDS) == sorted([*corpora, *others])


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_that_the_command_takes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = told(capsys, command, "--help")
    assert "Example" in text
    examples = re.findall(r"^ *(rsprep [^\n]+)$", text, re.MULTILINE)
    assert any(example.split()[1] == command for example in examples)
    for option in re.findall(r" (--[a-z-]+)", " ".join(examples)):
        assert option in text.replace(" ".join(examples), "")


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    text = told(capsys, "--help")
    assert all(command in text for command in COMMANDS)
    assert "Exit codes: 0 done, 1 finished with failures, 2 wrong input" in text


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "--version") == f"rsprep {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ([], "Usage"),
        (["buildmultisource"], "build-multisource"),
        (["build-multisource", "--nonsense"], "--nonsense"),
        (["build-multisource", "--chip-size", "many"], "--chip-size"),
        (["inspect"], "DATASET"),
        (["verify", "one", "two"], "two"),
    ],
)
def test_usage_errors(arguments: list[str], shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = told(capsys, *arguments, code=2)
    assert shown.lower() in text.lower()
    assert "Traceback" not in text


@pytest.mark.parametrize("command", ["inspect", "verify", "report", "export"])
@pytest.mark.parametrize("folder", ["nowhere", "."])
def test_wrong_folders(command: str, folder: str, place: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    before = place.files()
    extra = ["geotiffs"] if command == "export" else []
    text = told(capsys, command, folder, *extra, code=2)
    assert re.search(r"error store/not-(found|a-store) ", text)
    assert "  fix: " in text
    assert place.files() == before
    assert not Path("geotiffs").exists()


def test_commands_on_a_data_set(place: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    chips = str(place.root / "chips")
    built = told(capsys, *place.arguments())
    assert re.search(r"store +\S+chips.zarr", built)
    place.definition.unlink()  # what the data set has to say does not hang on files that made it
    looked = told(capsys, "inspect", chips)
    assert re.search(r"committed +16\n", looked)
    assert f"{chips}/report.html" in re.sub(r"\n +", "", looked)  # folded, not cut off
    assert "0 lost, 0 altered, 0 duplicated" in told(capsys, "verify", chips)
    assert told(capsys, "report", chips).strip() == f"{chips}/report.html"
    assert "16 files in" in told(capsys, "export", chips, "geotiffs", "--layers", "lulc")
    for wrong, name in (("--layers=s3", "no-such-layer"), ("--chip=33N-1-1", "no-such-chip")):
        assert f"store/{name}" in told(capsys, "export", chips, "more", wrong, code=2)
    assert not Path("more").exists()
    (place.root / "chips" / "config.lock.yaml").unlink()
    assert "store/no-config" in told(capsys, "inspect", chips, code=2)


def test_dry_run(place: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    before = place.files()
    text = told(capsys, *place.arguments(), "--dry-run")
    assert text.startswith("0.5671 km² around 48.0376°N 15.0062°E")  # Pitfall 39
    assert re.search(r"^chips +.*\d+ train", text, re.MULTILINE)
    for line in ("shards", "granules", "to read", "to write", "memory", "time"):
        assert re.search(rf"^{line} +.*\d", text, re.MULTILINE)
    assert "/s a worker, 1 workers" in text
    assert place.files() == before


def test_a_dry_run_of_the_planted_world_asks_for_it(place: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    text = told(capsys, "build-multisource", "--aoi", str(place.region), "--dry-run", code=2)
    assert "catalog/not-simulated" in text
    assert "rsprep simulate" in text


def test_an_area_without_a_chip_is_not_simulated(place: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    text = told(capsys, "build-multisource", "--aoi", "15,48,15.001,48.001", code=2)
    assert "aoi/no-chip" in text
    assert list(Path.cwd().iterdir()) == [place.root]


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["--start", "2021-06-02", "--end", "2021-06-01"], "time/reversed"),
        (["--start", "soon"], "time/unreadable"),
        (["--aoi", "1,2,3"], "aoi/bad-bbox"),
    ],
)
def test_wrong_simulations(
    arguments: list[str], name: str, place: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"error {name}" in told(capsys, "simulate", "world", *arguments, code=2)
    assert not Path("world").exists()


def test_config(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "config") == describe_config(BuildConfig)


def fail_with(error: BaseException, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def build(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(multisource, "build", build)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (ZeroDivisionError("by nought"), "defect of rsprep itself: ZeroDivisionError: by nought"),
        (OSError(28, "No space left on device"), "the system refused: OSError: [Errno 28] No space left on device"),
    ],
)
def test_failures_of_our_own_are_told_shortly_and_kept(
    error: Exception, shown: str, place: Workplace, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    fail_with(error, monkeypatch, tmp_path)
    text = told(capsys, *place.arguments(), code=1)
    assert shown in text
    assert "Traceback" not in text
    log = Path(re.search(r"traceback: (\S+)", text)[1])  # type: ignore[index]  # fails the test where it is None
    assert "Traceback" in log.read_text()
    assert __version__ in log.read_text()


def test_without_a_place_for_the_traceback_it_is_shown(
    place: Workplace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fail_with(OSError(28, "No space left on device"), monkeypatch, tmp_path / "full")
    text = told(capsys, *place.arguments(), code=1)
    assert "the system refused" in text
    assert "Traceback (most recent call last)" in text


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), typer.Abort()])
def test_stopping(
    stop: BaseException, place: Workplace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:  # fmt: skip
    fail_with(stop, monkeypatch, tmp_path)
    assert "the same command goes on from here" in told(capsys, *place.arguments(), code=130)


def test_a_reader_that_leaves_is_no_failure() -> None:
    program = "import sys; from rsprep.cli.main import main; sys.exit(main(['config']))"
    reader = "import sys; sys.stdin.readline()"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as writer:
        subprocess.run([sys.executable, "-c", reader], stdin=writer.stdout, check=True)
        assert writer.stdout is not None
        writer.stdout.close()
        assert writer.stderr is not None
        assert writer.stderr.read() == b""


@pytest.mark.parametrize("command", sorted(MODELS))
def test_every_recipe_is_printed_and_can_be_read(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert isinstance(yaml.safe_load(told(capsys, "config", command)), dict)


def test_a_recipe_of_no_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "maskmux"]) == 2
    assert "config/no-recipe" in capsys.readouterr().err
