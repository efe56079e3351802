"""`rsprep`: maps names to functions, errors to exit codes."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click
import typer
from rich.console import Console

from rsprep import __version__
from rsprep.cli import build, dataset, simulate
from rsprep.errors import RsprepError

STOPPED = 130

app = typer.Typer(
    name="rsprep",
    help="Prepare remote-sensing training data: chips of Sentinel-1, Sentinel-2, land cover and terrain on one grid.",
    epilog="Exit codes: 0 done, 1 finished with failures, 2 wrong input.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
build.register(app)
simulate.register(app)
dataset.register(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"rsprep {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version and leave."
    ),
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        code = app(args=arguments, standalone_mode=False)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.ClickException as wrong:
        wrong.show()
        return wrong.exit_code
    except RsprepError as error:
        show_error(error)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        print("stopped; the same command goes on from here", file=sys.stderr)
        return STOPPED
    return int(code or 0)


def show_error(error: RsprepError) -> None:
    """Say on standard error what is wrong, what was offered and what to do."""
    console = Console(stderr=True, soft_wrap=True)
    head, *rest = str(error).split("\n")
    name, _, cause = head.partition(": ")
    console.print(f"[bold red]error[/] [bold]{name}[/]", end=" ", highlight=False)
    console.print(cause, markup=False, highlight=False)
    for line in rest:
        console.print(line, markup=False, highlight=False)


def run() -> None:
    """Entry point of the `rsprep` program."""
    sys.exit(main())
