"""`rsprep sources` as a stranger types it: all, one, a recipe, who answers; on terminals, in pipes, for machines."""

from __future__ import annotations

import io
import json
import socket
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from rsprep.cli import sources_view as view
from rsprep.cli.main import main
from rsprep.job.lineup import all_sources, one_source, read_lineup
from rsprep.resources import shipped
from rsprep.sources import asking
from rsprep.sources.base import Answer
from rsprep.sources.definition import list_definitions
from tests.rsprep.sources.making import Server, serve_api, serving

COLLECTIONS = ("sentinel-2-l2a", "sentinel-1-rtc", "dynamic-world", "cop-dem-glo-30")
RECIPES = sorted(shipped("pipelines").glob("multisource-*.yaml"))


def told(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(["sources", *arguments]) == code
    captured = capsys.readouterr()
    return captured.out + captured.err


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is asked outside of this machine is gone."""
    create = socket.create_connection

    def connect(address: tuple[str, int], *rest: Any, **more: Any) -> socket.socket:
        if address[0] != "127.0.0.1":
            raise OSError(-2, "Name or service not known")
        return create(address, *rest, **more)

    monkeypatch.setattr(asking.socket, "create_connection", connect)


def test_all_are_listed_on_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    lines = told(capsys).splitlines()
    assert [line.split()[0] for line in lines[1:-2]] == list_definitions()
    assert "needed" in next(line for line in lines if line.startswith("earthengine"))
    assert "s2 terrain  " in next(line for line in lines if line.startswith("earth-search"))
    assert not any(line != line.rstrip() for line in lines)


def test_everything_about_one(capsys: pytest.CaptureFixture[str]) -> None:
    text = told(capsys, "earthengine")
    for words in ("earthengine authenticate", "GOOGLE/DYNAMICWORLD/V1", "σ⁰ as dB", "CC BY 4.0", "needed: --start"):
        assert words in text


def test_one_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    definition = yaml.safe_load(shipped("catalogs/sources/planted.yaml").read_text())
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump({**definition, "name": "mine", "title": "My own"}))
    assert told(capsys, str(file)).startswith("mine: My own\n")


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["planetary-computr"], ["catalog/unknown-source", "did you mean 'planetary-computer'?"]),
        (["nowhere.yaml"], ["catalog/definition-not-found"]),
        (["--endpoint", "http://127.0.0.1"], ["config/unnamed-endpoint", "rsprep sources NAME --endpoint URL"]),
        (["planted", "--config", "recipe.yaml"], ["config/one-of"]),
        (["--config", "nowhere.yaml"], ["config/not-found"]),
        (["planted", "--endpoint", "https://a.org/?sig=secret"], ["config/endpoint-secret"]),
    ],
)
def test_what_cannot_be_used(arguments: list[str], shown: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    text = told(capsys, *arguments, code=2)
    assert all(words in text for words in [*shown, "  fix: "])
    assert "secret" not in text.replace("endpoint-secret", "")


def served(server: Server) -> str:
    serve_api(server, [], collections=COLLECTIONS)
    return server.url


def test_one_that_answers(capsys: pytest.CaptureFixture[str]) -> None:
    with serving() as server:
        text = told(capsys, "planted", "--endpoint", served(server), "--check")
    assert "yes: STAC API with 4 collections" in text


def test_one_that_refuses_is_an_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert "no: catalog/unreachable: " in told(capsys, "earth-search", "--check", code=1)


def test_one_that_hangs_is_an_exit_code(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rsprep.sources.asking.LIMIT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        text = told(capsys, "planted", "--endpoint", address, "--check", code=1)
    assert "no: catalog/silent: no answer within 0.3 s" in text


def test_all_are_asked_and_none_of_them_was_named(capsys: pytest.CaptureFixture[str]) -> None:
    text = told(capsys, "--check")
    for name in list_definitions():
        verdict = "–        give --endpoint" if name in ("planted", "terramesh") else "no       catalog/unreachable"
        assert any(line.startswith(name) and verdict in line for line in text.splitlines())
    assert not any(line != line.rstrip() for line in text.splitlines())
    assert "give --endpoint" in told(capsys, "terramesh", "--check", code=1)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_recipes_that_ship(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = told(capsys, "--config", str(recipe))
    assert text.startswith("layer ")
    assert "refused" not in text
    assert "Give --start and --end" in text


def test_a_recipe_with_fallback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving() as server:
        recipe = {"source": "planted", "endpoint": served(server), "sources": {"lulc": ["earthengine", "planted"]}}
        recipe["sources"]["lulc"][1] = {"source": "planted", "endpoint": server.url}  # type: ignore[index]
        file = tmp_path / "recipe.yaml"
        file.write_text(yaml.safe_dump(recipe))
        text = told(capsys, "--config", str(file), "--check", code=1)
        found = json.loads(told(capsys, "--config", str(file), "--check", "--json", code=1))
    assert "lulc     earthengine  planted" in text
    assert "lulc_source says from which" in text
    assert "`rsprep sources earthengine` says how to log in." in text
    assert found["layers"]["lulc"] == ["earthengine", "planted"]
    assert {one["name"]: one["answer"]["ok"] for one in found["sources"]} == {"planted": True, "earthengine": False}


def test_json_holds_every_definition(capsys: pytest.CaptureFixture[str]) -> None:
    def no_constants(text: str) -> None:
        raise AssertionError(f"{text} is not JSON")

    found = json.loads(told(capsys, "--json"), parse_constant=no_constants)
    assert [one["name"] for one in found["sources"]] == list_definitions()
    by_name = {one["name"]: one for one in found["sources"]}
    assert by_name["earth-search"]["refused"] == {"s1": "not calibrated, not terrain corrected"}
    assert by_name["earthengine"]["needs_account"] is True
    assert by_name["planted"]["endpoint"] is None
    assert "answer" not in by_name["planted"]
    asked = json.loads(told(capsys, "--json", "--check"))["sources"]
    assert {one["name"] for one in asked if one["answer"]["ok"] is None} == {"planted", "terramesh"}


@pytest.mark.parametrize("width", [60, 80, 160])
def test_terminals_get_folded_tables(width: int) -> None:
    def shown(show: Any, *what: Any) -> list[str]:
        stream = io.StringIO()
        show(Console(file=stream, width=width, force_terminal=True, color_system=None, legacy_windows=False), *what)
        return stream.getvalue().splitlines()

    lineup = read_lineup({"source": "planetary-computer", "sources": {"lulc": ["earthengine", "esa-worldcover"]}})
    answers = {name: Answer(ok=False, detail=f"catalog/unreachable: {name} " * 4) for name in lineup.names}
    pages = [
        shown(view.show_list, all_sources({}).asked, None),
        shown(view.show_list, lineup.asked, answers),
        shown(view.show_recipe, lineup, answers),
        *(shown(view.show_one, one_source(name, None, {}).asked[0], None) for name in list_definitions()),
    ]
    for page in pages:
        assert max(map(len, page)) <= width
        assert not any("…" in line for line in page)  # folded, never cut off
    assert all(any(line.startswith(name) for line in pages[0]) for name in list_definitions())
