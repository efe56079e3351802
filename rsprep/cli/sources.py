"""`rsprep sources`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from rsprep.cli.options import EPILOG, override_section
from rsprep.errors import ConfigError

if TYPE_CHECKING:
    from rsprep.job.lineup import Lineup


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("sources", epilog=EPILOG)(sources)


def sources(
    name: Annotated[str | None, typer.Argument(help="A source, or the YAML file of one: everything about it.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Ask each whether it answers; takes seconds.")] = False,
    config: Annotated[Path | None, typer.Option(help="Recipe: what it uses, layer by layer.")] = None,
    endpoint: Annotated[str | None, typer.Option(help="Address of NAME instead of its own.")] = None,
    project: Annotated[str | None, typer.Option(help="Cloud project to ask Earth Engine with.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
) -> int:
    """List the providers: what each has, under which licence, what it needs, and whether it answers.

    Example, from all that there are to those of one recipe:

        rsprep sources

        rsprep sources planetary-computer --check

        rsprep sources --config recipe.yaml --check

    With --check, exit code 1 tells that one that was named, here or in the recipe, does not answer.
    """
    from rsprep.cli import sources_view as view
    from rsprep.sources.asking import ask_all

    _check_usage(name, config, endpoint)
    lineup = _read(name, config, endpoint, project)
    console = Console()
    answers = None
    if check:
        with Console(stderr=True).status("asking " + ", ".join(lineup.names)):
            answers = dict(zip(lineup.names, ask_all(lineup.asked, lineup.login), strict=True))
    if as_json:
        print(json.dumps(view.as_json(lineup, answers), indent=2, ensure_ascii=False))
    elif config is not None:
        view.show_recipe(console, lineup, answers)
    elif name is not None:
        view.show_one(console, lineup.asked[0], answers)
    else:
        view.show_list(console, lineup.asked, answers)
    named = name is not None or config is not None
    return 1 if named and any(one is None or not one.ok for one in (answers or {}).values()) else 0


def _check_usage(name: str | None, config: Path | None, endpoint: str | None) -> None:
    if config is not None and (name is not None or endpoint is not None):
        raise ConfigError(
            "one-of",
            "a recipe names its sources and their addresses itself",
            value=name or endpoint,
            remedy="give NAME, or --config, not both",
        )
    if endpoint is not None and name is None:
        raise ConfigError(
            "unnamed-endpoint",
            "an endpoint is the address of one source, and none is named",
            value=endpoint,
            remedy="name it: rsprep sources NAME --endpoint URL",
        )


def _read(name: str | None, config: Path | None, endpoint: str | None, project: str | None) -> Lineup:
    """What is asked for: the sources of a recipe, the one that is named, or all."""
    from rsprep.job.lineup import all_sources, one_source, read_lineup
    from rsprep.settings import read_config

    recipe: dict[str, Any] = read_config(config) if config is not None else {}
    override_section(recipe, "earthengine", project=project)
    if config is not None:
        return read_lineup(recipe)
    return all_sources(recipe) if name is None else one_source(name, endpoint, recipe)
